/* Groups of the history tree, level by level.
 *
 * `cur[v]` is the node above version v as of v; it climbs from the leaf to the root. At height h it
 * comes from the left where bit h of v is clear: the node above is partial, one block. Where the
 * bit is set it has a left sibling, the frozen node that ends just before (v >> h) << h: that is
 * cur of the version before, or a peak of the frontier when that version is before the group. */

#include "history.h"

#include <stdlib.h>

#include "history_jobs.h"

/* So many versions climb together: their nodes stay in the L2 cache. */
enum { SEGMENT = 2048 };

unsigned qed_bit_length(uint64_t value)
{
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

void *qed_take(uint64_t *takings, size_t bytes)
{
    if (*takings == 1)
        return NULL;
    if (*takings != 0)
        --*takings;
    return malloc(bytes);
}

/* --- what a group freezes ------------------------------------------------------------------- */

bool qed_frozen_reserve(struct qed_frozen *frozen, uint64_t first, size_t count, uint64_t *takings)
{
    size_t nodes = 0;
    frozen->first = first;
    frozen->stop = first + count;
    for (unsigned h = 0; h < 64; h++) {
        frozen->offset[h] = nodes;
        if (h >= QED_LOW_HEIGHT)
            nodes += (size_t)((frozen->stop >> h) - (first >> h));
    }
    frozen->offset[64] = nodes;
    /* At most an eighth of the count and one a height: no overflow. One more, never malloc(0). */
    frozen->hashes = qed_take(takings, (nodes + 1) * QED_HASH);
    return frozen->hashes != NULL;
}

void qed_frozen_free(struct qed_frozen *frozen)
{
    free(frozen->hashes);
    frozen->hashes = NULL;
}

/* --- one segment with its roots ------------------------------------------------------------- */

/* Takes what is done at height h out of the climb: frozen nodes, the next peak, the spine. `cur`
 * belongs to the versions [first, stop). The next peak goes to `peak`; false: it stays the old. */
static bool take_level(struct qed_frontier *frontier, struct qed_frozen *frozen, const uint8_t *cur,
                       uint64_t first, uint64_t stop, unsigned h, uint8_t *peak)
{
    if (h >= QED_LOW_HEIGHT) {
        uint8_t(*out)[32] = frozen->hashes + frozen->offset[h];
        for (uint64_t j = first >> h; j < stop >> h; j++)
            memcpy(out[j - (frozen->first >> h)], cur + (((j + 1) << h) - 1 - first) * QED_HASH,
                   QED_HASH);
    }
    memcpy(frontier->spine[h], cur + (stop - 1 - first) * QED_HASH, QED_HASH);
    uint64_t peak_stop = stop >> h << h;
    if (!(stop >> h & 1) || peak_stop <= first)
        return false;
    memcpy(peak, cur + (peak_stop - 1 - first) * QED_HASH, QED_HASH);
    return true;
}

/* Moves cur from height h to h + 1 for every version whose root is not there yet. Newest first:
 * whoever is read as a left sibling is older, hence not overwritten yet. */
static void climb_level(const uint8_t *peak, uint8_t *cur, uint64_t first, uint64_t stop,
                        unsigned h, struct qed_history_jobs *jobs)
{
    uint64_t lowest = (uint64_t)1 << h; /* versions below it have their root */
    if (lowest < first)
        lowest = first;
    for (uint64_t v = stop; v-- > lowest;) {
        uint8_t *at = cur + (v - first) * QED_HASH;
        uint64_t parent = v >> h >> 1 << 1 << h;
        if (v >> h & 1) {
            uint64_t middle = v >> h << h;
            const uint8_t *left = middle > first ? cur + (middle - 1 - first) * QED_HASH : peak;
            qed_jobs_two(jobs, left, at, parent, h + 1, at);
        } else {
            qed_jobs_one(jobs, at, parent, h + 1, at);
        }
    }
    qed_jobs_end(jobs);
}

static void extend_segment(struct qed_frontier *frontier, const uint8_t *digests, size_t count,
                           uint8_t *cur, struct qed_frozen *frozen, struct qed_history_jobs *jobs)
{
    uint64_t first = frontier->size, stop = first + count;
    for (size_t i = 0; i < count; i++)
        qed_jobs_one(jobs, digests + i * QED_HASH, first + i, 0, cur + i * QED_HASH);
    qed_jobs_end(jobs);
    unsigned top = qed_bit_length(stop - 1);
    for (unsigned h = 0;; h++) {
        uint8_t peak[QED_HASH];
        bool moved = take_level(frontier, frozen, cur, first, stop, h, peak);
        if (h < top)
            climb_level(frontier->peaks[h], cur, first, stop, h, jobs);
        if (moved)
            memcpy(frontier->peaks[h], peak, QED_HASH);
        if (h == top)
            break;
    }
    frontier->size = stop;
}

void qed_frontier_extend(struct qed_frontier *frontier, const uint8_t *digests, size_t count,
                         uint8_t *roots, struct qed_frozen *frozen)
{
    struct qed_history_jobs jobs;
    qed_jobs_begin(&jobs);
    while (count != 0) {
        size_t part = count < SEGMENT ? count : SEGMENT;
        extend_segment(frontier, digests, part, roots, frozen, &jobs);
        digests += part * QED_HASH;
        roots += part * QED_HASH;
        count -= part;
    }
}

/* --- one segment without roots -------------------------------------------------------------- */

/* `level` holds the frozen nodes of height h with the numbers [first >> h, stop >> h); they become
 * those of height h + 1, in place: a result lands below every node that is still to be read. */
static void pair_level(const uint8_t *peak, uint8_t *level, uint64_t first, uint64_t stop,
                       unsigned h, struct qed_history_jobs *jobs)
{
    uint64_t start = first >> h, above = first >> h >> 1;
    for (uint64_t j = above; j < stop >> h >> 1; j++) {
        const uint8_t *left = 2 * j < start ? peak : level + (2 * j - start) * QED_HASH;
        const uint8_t *right = level + (2 * j + 1 - start) * QED_HASH;
        qed_jobs_two(jobs, left, right, j << 1 << h, h + 1, level + (j - above) * QED_HASH);
    }
    qed_jobs_end(jobs);
}

static void freeze_segment(struct qed_frontier *frontier, const uint8_t *digests, size_t count,
                           uint8_t *level, struct qed_frozen *frozen, struct qed_history_jobs *jobs)
{
    uint64_t first = frontier->size, stop = first + count;
    for (size_t i = 0; i < count; i++)
        qed_jobs_one(jobs, digests + i * QED_HASH, first + i, 0, level + i * QED_HASH);
    qed_jobs_end(jobs);
    for (unsigned h = 0; stop >> h != 0; h++) {
        uint64_t start = first >> h, end = stop >> h;
        uint8_t peak[QED_HASH];
        bool moved = end > start && (end & 1);
        if (h >= QED_LOW_HEIGHT && end > start)
            memcpy(frozen->hashes + frozen->offset[h] + (start - (frozen->first >> h)), level,
                   (size_t)(end - start) * QED_HASH);
        if (moved)
            memcpy(peak, level + (end - 1 - start) * QED_HASH, QED_HASH);
        if (h < 63)
            pair_level(frontier->peaks[h], level, first, stop, h, jobs);
        if (moved)
            memcpy(frontier->peaks[h], peak, QED_HASH);
    }
    frontier->size = stop;
}

void qed_frontier_freeze(struct qed_frontier *frontier, const uint8_t *digests, size_t count,
                         struct qed_frozen *frozen)
{
    struct qed_history_jobs jobs;
    uint8_t level[SEGMENT * QED_HASH];
    qed_jobs_begin(&jobs);
    while (count != 0) {
        size_t part = count < SEGMENT ? count : SEGMENT;
        freeze_segment(frontier, digests, part, level, frozen, &jobs);
        digests += part * QED_HASH;
        count -= part;
    }
}

void qed_frontier_spine(struct qed_frontier *frontier)
{
    if (frontier->size == 0)
        return;
    struct qed_history_jobs jobs;
    qed_jobs_begin(&jobs);
    uint64_t size = frontier->size, last = size - 1;
    unsigned h = (unsigned)__builtin_ctzll(size), top = qed_bit_length(last);
    memcpy(frontier->spine[h], frontier->peaks[h], QED_HASH);
    for (; h < top; h++) {
        uint64_t parent = last >> h >> 1 << 1 << h;
        const uint8_t *at = frontier->spine[h];
        if (last >> h & 1)
            qed_jobs_two(&jobs, frontier->peaks[h], at, parent, h + 1, frontier->spine[h + 1]);
        else
            qed_jobs_one(&jobs, at, parent, h + 1, frontier->spine[h + 1]);
        qed_jobs_end(&jobs);
    }
}
