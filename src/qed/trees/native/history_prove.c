/* Roots and paths of the history tree, from what is kept: SPEC 2 and 4.
 *
 * All nodes below height 4 (8 where the chunk is forgotten) that a path needs lie in the block
 * around one of its two versions; a block is hashed at most once, when its first node is asked
 * for. Whatever contains the younger version inside is a partial node: at most one in a path, and
 * the frontier's spine has it when that version is the newest. */

#include "history.h"

#include "history_jobs.h"

/* The frozen nodes around a version that are not kept. */
struct block {
    const uint8_t *digests;
    uint64_t first;
    size_t count;    /* versions in it, those as of which the path is made */
    unsigned height; /* of the whole block */
    bool ready;
    uint64_t without; /* the nodes above this version are never asked for, from this height on */
    unsigned without_from;
    uint8_t nodes[2 * QED_BLOCK][32]; /* level h begins at level_start(height, h) */
};

struct view {
    const struct qed_history *history;
    struct block leaf, last;
    bool damaged; /* digests that were read back do not hash to what is kept */
};

static size_t level_start(unsigned height, unsigned h)
{
    return ((size_t)2 << height) - ((size_t)2 << (height - h));
}

static void open_block(struct block *block, const struct qed_history *history, const uint8_t *near,
                       uint64_t version, uint64_t stop)
{
    const uint8_t *held = qed_history_digest(history, version);
    block->height = held != NULL ? QED_LOW_HEIGHT : QED_UPPER_HEIGHT;
    uint64_t width = (uint64_t)1 << block->height;
    block->first = version & ~(width - 1);
    /* Read back blocks are whole, so that they can be compared with what is kept. */
    block->count = (size_t)(held != NULL && stop - block->first < width ? stop - block->first
                                                                        : width);
    block->digests = held != NULL ? held - (version - block->first) * QED_HASH : near;
    block->ready = false;
    block->without_from = block->height;
}

/* False: digests are needed that are neither in memory nor given. */
static bool open_view(struct view *view, const struct qed_history *history,
                      const uint8_t *near_leaf, const uint8_t *near_last, uint64_t leaf,
                      uint64_t last)
{
    view->history = history;
    view->damaged = false;
    open_block(&view->leaf, history, near_leaf, leaf, last + 1);
    open_block(&view->last, history, near_last, last, last + 1);
    return view->leaf.digests != NULL && view->last.digests != NULL;
}

/* Whether a node of a block is to be hashed. The uppermost is kept anyway, unless it is to be
 * compared with what the digests that were read back make. */
static bool wanted(const struct block *block, uint64_t index, unsigned height)
{
    if (block->height == QED_UPPER_HEIGHT)
        return true;
    return height < block->height && !(height >= block->without_from &&
                                       block->without >> height == index >> height);
}

/* Hashes a block's frozen nodes. */
static void fill_block(struct view *view, struct block *block)
{
    struct qed_history_jobs jobs;
    qed_jobs_begin(&jobs);
    for (size_t i = 0; i < block->count; i++)
        if (wanted(block, block->first + i, 0))
            qed_jobs_one(&jobs, block->digests + i * QED_HASH, block->first + i, 0,
                         block->nodes[i]);
    qed_jobs_end(&jobs);
    for (unsigned h = 0; block->count >> h > 1; h++) {
        uint8_t(*below)[32] = block->nodes + level_start(block->height, h);
        uint8_t(*above)[32] = block->nodes + level_start(block->height, h + 1);
        for (size_t j = 0; j < block->count >> h >> 1; j++) {
            uint64_t index = block->first + ((uint64_t)j << h << 1);
            if (wanted(block, index, h + 1))
                qed_jobs_two(&jobs, below[2 * j], below[2 * j + 1], index, h + 1, above[j]);
        }
        qed_jobs_end(&jobs);
    }
    block->ready = true;
    if (block->height == QED_UPPER_HEIGHT) {
        const uint8_t *kept = qed_history_node(view->history, block->first, QED_UPPER_HEIGHT);
        const uint8_t *made = block->nodes[level_start(QED_UPPER_HEIGHT, QED_UPPER_HEIGHT)];
        if (memcmp(kept, made, QED_HASH) != 0)
            view->damaged = true;
    }
}

/* The hash of a frozen node. */
static const uint8_t *frozen(struct view *view, uint64_t index, unsigned height)
{
    const uint8_t *kept = qed_history_node(view->history, index, height);
    if (kept != NULL)
        return kept;
    struct block *block = &view->leaf;
    if (index >> block->height << block->height != block->first)
        block = &view->last;
    if (!block->ready)
        fill_block(view, block);
    return block->nodes[level_start(block->height, height) + ((index - block->first) >> height)];
}

/* out = the node of `height` above `version`, as of `version`; frozen or partial. */
static void as_of(struct view *view, uint64_t version, unsigned height, uint8_t *out)
{
    unsigned h = (unsigned)__builtin_ctzll(version + 1); /* up to here it is frozen */
    if (h > height)
        h = height;
    if (version + 1 == view->history->frontier.size && h < height) {
        memcpy(out, view->history->frontier.spine[height], QED_HASH);
        return;
    }
    memcpy(out, frozen(view, version >> h << h, h), QED_HASH);
    struct qed_history_jobs jobs;
    qed_jobs_begin(&jobs);
    for (; h < height; h++) {
        uint64_t parent = version >> h >> 1 << 1 << h;
        if (version >> h & 1)
            qed_jobs_two(&jobs, frozen(view, parent, h), out, parent, h + 1, out);
        else
            qed_jobs_one(&jobs, out, parent, h + 1, out);
        qed_jobs_end(&jobs);
    }
}

int qed_history_root(const struct qed_history *history, const uint8_t *near_version,
                     uint64_t version, uint8_t *out)
{
    struct view view;
    if (!open_view(&view, history, near_version, near_version, version, version))
        return QED_FORGOTTEN;
    as_of(&view, version, qed_bit_length(version), out);
    return view.damaged ? QED_NOT_THOSE : 1;
}

int qed_history_peaks(const struct qed_history *history, const uint8_t *near_version, uint64_t size,
                      uint8_t *out)
{
    struct view view;
    int count = 0;
    if (!open_view(&view, history, near_version, near_version, size - 1, size - 1))
        return QED_FORGOTTEN;
    for (unsigned h = qed_bit_length(size); h-- > 0;)
        if (size >> h & 1)
            memcpy(out + count++ * QED_HASH, frozen(&view, size >> h >> 1 << 1 << h, h), QED_HASH);
    return view.damaged ? QED_NOT_THOSE : count;
}

int qed_history_membership(const struct qed_history *history, const uint8_t *near_leaf,
                           const uint8_t *near_version, uint64_t leaf, uint64_t version,
                           uint8_t *out)
{
    struct view view;
    int count = 0;
    if (!open_view(&view, history, near_leaf, near_version, leaf, version))
        return QED_FORGOTTEN;
    view.leaf.without = leaf;
    view.leaf.without_from = 0;
    for (unsigned h = qed_bit_length(version); h-- > 0;) {
        uint64_t sibling = (leaf >> h ^ 1) << h;
        if (sibling > version)
            continue;
        uint8_t *to = out + count++ * QED_HASH;
        if (sibling + ((uint64_t)1 << h) <= version + 1)
            memcpy(to, frozen(&view, sibling, h), QED_HASH);
        else
            as_of(&view, version, h, to);
    }
    return view.damaged ? QED_NOT_THOSE : count;
}

/* Collects, below a node, the leaves of start and end and the largest nodes without them. */
static uint8_t *collect(struct view *view, uint64_t index, unsigned height, uint64_t start,
                        uint64_t end, uint8_t *out)
{
    if (index > end)
        return out;
    bool touched = start >> height == index >> height || end >> height == index >> height;
    if (height == 0 || !touched) {
        memcpy(out, frozen(view, index, height), QED_HASH);
        return out + QED_HASH;
    }
    out = collect(view, index, height - 1, start, end, out);
    return collect(view, index + ((uint64_t)1 << (height - 1)), height - 1, start, end, out);
}

int qed_history_incremental(const struct qed_history *history, const uint8_t *near_start,
                            const uint8_t *near_end, uint64_t start, uint64_t end, uint8_t *out)
{
    struct view view;
    if (!open_view(&view, history, near_start, near_end, start, end))
        return QED_FORGOTTEN;
    view.leaf.without = start;
    view.last.without = end;
    view.leaf.without_from = view.last.without_from = 1;
    uint8_t *stop = collect(&view, 0, qed_bit_length(end), start, end, out);
    return view.damaged ? QED_NOT_THOSE : (int)((stop - out) / QED_HASH);
}
