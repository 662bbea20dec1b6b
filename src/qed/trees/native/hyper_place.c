/* The new nodes of a group: structure alone, one depth after the other, so that the memory for the
 * next depth is on its way from far while this one is worked on. */
#include "hyper_parts.h"

#include <string.h>

/* Always inlined: gcc takes a function that only fetches ahead for one that does nothing. */
__attribute__((always_inline)) static inline void fetch_ahead(const struct qed_trie *trie, qed_ref ref)
{
    if (QED_KIND(ref) == QED_INNER) {
        __builtin_prefetch(qed_block(trie, QED_INDEX(ref)));
        __builtin_prefetch(qed_links(trie, QED_INDEX(ref)));
    } else if (QED_KIND(ref) == QED_BUCKET) {
        __builtin_prefetch(qed_slots(trie, QED_INDEX(ref)));
    }
}

/* Where the keys [low, stop) of one node part: the first that goes right. */
static uint32_t part_keys(const struct qed_member *keys, uint32_t low, uint32_t stop,
                          unsigned depth)
{
    while (low < stop) {
        uint32_t middle = low + (stop - low) / 2;
        if (qed_side(keys[middle].prefix, keys[middle].digest, depth))
            stop = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Likewise for loose members, whose digests may have to be asked for. */
static int part_members(struct qed_trie *trie, uint32_t first, uint32_t count, unsigned depth,
                        uint32_t *part)
{
    struct qed_member *members = (struct qed_member *)trie->work.loose.items + first;

    for (*part = 0; *part < count; ++*part) {
        struct qed_member *member = &members[*part];
        if (depth >= 64) {
            int code = qed_know_digest(trie, &trie->work, member);
            if (code != QED_OK)
                return code;
        }
        if (qed_side(member->prefix, member->digest, depth))
            break;
    }
    return QED_OK;
}

/* Puts the two children of a new inner node on the list of the next depth; room is there. */
static int descend(struct qed_trie *trie, const struct qed_item *item, uint32_t index,
                   unsigned depth)
{
    struct qed_work *work = &trie->work;
    struct qed_item *items = work->items.items;
    uint32_t keys = part_keys(work->keys.items, item->low, item->stop, depth), members = 0;
    uint8_t *block = qed_block(trie, index);
    qed_ref *links = qed_links(trie, index);

    if (item->member_count > 0) {
        int code = part_members(trie, item->members, item->member_count, depth, &members);
        if (code != QED_OK)
            return code;
    }
    for (unsigned side = 0; side < 2; side++) {
        struct qed_item child = {
            .low = side ? keys : item->low,
            .stop = side ? item->stop : keys,
            .members = item->members + (side ? members : 0),
            .member_count = side ? item->member_count - members : members,
            .old = links[side],
            .paged = item->paged,
            .out = qed_half_block(block, side),
            .link = &links[side],
        };
        if (child.low == child.stop && child.member_count == 0)
            continue;
        fetch_ahead(trie, child.old);
        items[work->items.count++] = child;
    }
    return QED_OK;
}

int qed_record(struct qed_trie *trie, struct qed_vector *list, qed_ref ref)
{
    if (!qed_room(trie, list, sizeof ref, 1))
        return QED_NO_MEMORY;
    ((qed_ref *)list->items)[list->count++] = ref;
    return QED_OK;
}

/* Writes a new inner node in the place of an item: a copy of the old one, or an empty one. */
static int place_inner(struct qed_trie *trie, size_t at, unsigned depth)
{
    struct qed_work *work = &trie->work;
    struct qed_item *item;
    uint8_t *block;
    qed_ref *links;
    uint32_t index;
    int code;

    if (!qed_room(trie, &work->items, sizeof *item, 2) ||
        !qed_room(trie, &work->made, sizeof(qed_ref), 1))
        return QED_NO_MEMORY;
    code = qed_take_inner(trie, &index);
    if (code != QED_OK)
        return code;
    ((qed_ref *)work->made.items)[work->made.count++] = QED_INNER | index;
    item = (struct qed_item *)work->items.items + at;
    block = qed_block(trie, index);
    links = qed_links(trie, index);
    if (item->old != 0) {
        memcpy(block, qed_block(trie, QED_INDEX(item->old)), 64);
        memcpy(links, qed_links(trie, QED_INDEX(item->old)), 2 * sizeof *links);
    } else {
        memcpy(block, trie->hyper->defaults[depth + 1], 32);
        memcpy(block + 32, trie->hyper->defaults[depth + 1], 32);
        links[0] = links[1] = 0;
    }
    *item->link = QED_INNER | index;
    item->block = block;
    return descend(trie, item, index, depth);
}

/* Takes an old bucket apart: its members are loose, and it will be given back. */
static int loosen(struct qed_trie *trie, struct qed_item *item)
{
    size_t first = trie->work.loose.count;
    int code = qed_loosen(trie, item->old);

    if (code == QED_OK)
        qed_keep_loose(&trie->work, item, first);
    return code;
}

/* The same where pages are in play: what is small enough comes into a page. */
static int place_paged(struct qed_trie *trie, size_t at, unsigned depth)
{
    struct qed_item *item = (struct qed_item *)trie->work.items.items + at;
    struct qed_member merged[2 * QED_PAGE_MOST];
    uint32_t count;
    int code;

    item->paged = true;
    if (item->stop - item->low > trie->page_most)
        return place_inner(trie, at, depth);
    code = qed_merge(trie, item, merged, &count);
    if (code != QED_OK)
        return code;
    if (count > trie->page_most)
        return place_inner(trie, at, depth);
    if (count > qed_bucket_most(depth))
        return qed_make_page(trie, item, merged, count, depth);
    return qed_make_bucket(trie, item, merged, count, depth);
}

/* Where there is an inner node: a new one, or a page instead of all that is below. */
static int place_over_inner(struct qed_trie *trie, size_t at, unsigned depth)
{
    struct qed_work *work = &trie->work;
    struct qed_item *item = (struct qed_item *)work->items.items + at;
    bool gathered = false;
    int code = QED_OK;

    if (work->spilling && depth >= work->spill_depth)
        code = qed_gather(trie, item, &gathered);
    if (code == QED_OK && gathered)
        return place_paged(trie, at, depth);
    if (code == QED_OK)
        code = qed_record(trie, &work->replaced, item->old);
    return code == QED_OK ? place_inner(trie, at, depth) : code;
}

static int place_item(struct qed_trie *trie, size_t at, unsigned depth)
{
    struct qed_work *work = &trie->work;
    struct qed_item *item = (struct qed_item *)work->items.items + at;
    struct qed_member merged[2 * QED_BUCKET_MOST];
    uint32_t most = qed_bucket_most(depth), count;
    int code = QED_OK;

    if (QED_KIND(item->old) == QED_INNER)
        return place_over_inner(trie, at, depth);
    if (QED_KIND(item->old) == QED_BUCKET) {
        code = loosen(trie, item);
    } else if (QED_KIND(item->old) == QED_PAGE) {
        code = qed_open_page(trie, item);
        item->paged = true;
    }
    if (code != QED_OK)
        return code;
    if (work->spilling || item->paged)
        return place_paged(trie, at, depth);
    if (item->stop - item->low > most)
        return place_inner(trie, at, depth);
    code = qed_merge(trie, item, merged, &count);
    if (code != QED_OK)
        return code;
    if (count > most)
        return place_inner(trie, at, depth);
    return qed_make_bucket(trie, item, merged, count, depth);
}

/* Makes something of an item: an inner node, which puts others on the list, a bucket or a page. */
static int place(struct qed_trie *trie, size_t at, unsigned depth)
{
    struct qed_work *work = &trie->work;
    size_t loose = work->loose.count;
    int code = place_item(trie, at, depth);

    /* What was taken apart for a bucket or a page is in it now. */
    if (code == QED_OK && ((struct qed_item *)work->items.items)[at].block == NULL)
        work->loose.count = loose;
    return code;
}

void qed_start_over(struct qed_work *work)
{
    for (unsigned depth = 0; depth <= work->deepest; depth++)
        work->jobs[depth].count = 0;
    work->deepest = 0;
    work->keys.count = work->items.count = work->loose.count = work->leaves.count = 0;
    work->made.count = work->replaced.count = 0;
    work->slab = work->slab_used = 0;
    work->new_members = 0;
    work->placing = false;
    work->level[0] = work->level[1] = 0;
    work->code = QED_OK;
}

void qed_place_begin(struct qed_trie *trie, qed_ref *root, uint8_t *hash)
{
    struct qed_work *work = &trie->work;

    if (work->keys.count == 0)
        return;
    if (!qed_room(trie, &work->items, sizeof(struct qed_item), 1)) {
        work->code = QED_NO_MEMORY;
        return;
    }
    qed_decide_spilling(trie);
    ((struct qed_item *)work->items.items)[work->items.count++] = (struct qed_item){
        .stop = (uint32_t)work->keys.count, .old = *root, .out = hash, .link = root};
    work->placing = true;
    work->depth = 1;
    work->at = 0;
    work->level[2] = 1;
}

/* Goes on to the next depth; when there is nothing, all is placed. */
static void next_depth(struct qed_work *work)
{
    if (work->depth > work->deepest)
        work->deepest = work->depth;
    work->depth++;
    work->level[work->depth + 1] = work->items.count;
    if (work->at < work->items.count)
        return;
    work->placing = false;
    /* Below a bucket there may be deeper nodes to hash; there are no items there. */
    for (unsigned depth = work->depth; depth <= work->deepest; depth++)
        work->level[depth + 1] = work->items.count;
}

void qed_place_some(struct qed_trie *trie, size_t items)
{
    struct qed_work *work = &trie->work;

    for (; items > 0 && work->placing && work->code == QED_OK; items--) {
        work->code = place(trie, work->at++, work->depth);
        if (work->at == work->level[work->depth + 1])
            next_depth(work);
    }
}
