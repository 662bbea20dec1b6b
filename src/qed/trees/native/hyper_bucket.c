/* Buckets: the few members of a small sub-tree, and the nodes below that are hashed, not kept. */
#include "hyper_parts.h"

#include <string.h>

/* Makes sure that all of a member's digest is at hand. */
int qed_know_digest(struct qed_trie *trie, struct qed_work *work, struct qed_member *member)
{
    uint8_t *digest;
    int code;

    if (member->digest != NULL)
        return QED_OK;
    digest = qed_take_block(trie, work);
    if (digest == NULL)
        return QED_NO_MEMORY;
    code = qed_find_digest(trie->hyper, trie->work.plan, member->version, digest);
    if (code == QED_OK)
        member->digest = member->lead = digest;
    return code;
}

/* The order of an old member and a new key; equal first bits need the whole digests. */
static int compare(struct qed_trie *trie, struct qed_member *old, const struct qed_member *key,
                   int *order)
{
    int code;

    if (old->prefix != key->prefix) {
        *order = old->prefix < key->prefix ? -1 : 1;
        return QED_OK;
    }
    code = qed_know_digest(trie, &trie->work, old);
    if (code == QED_OK)
        *order = memcmp(old->digest, key->digest, 32);
    return code;
}

int qed_merge(struct qed_trie *trie, const struct qed_item *item, struct qed_member *merged,
              uint32_t *count)
{
    struct qed_work *work = &trie->work;
    struct qed_member *old = (struct qed_member *)work->loose.items + item->members;
    struct qed_member *old_stop = old + item->member_count;
    const struct qed_member *keys = work->keys.items, *key = keys + item->low;

    *count = 0;
    while (old < old_stop || key < keys + item->stop) {
        int order = 0, code = QED_OK;
        if (old == old_stop)
            order = 1;
        else if (key == keys + item->stop)
            order = -1;
        else
            code = compare(trie, old, key, &order);
        if (code != QED_OK)
            return code;
        merged[(*count)++] = order < 0 ? *old : *key;
        if (order <= 0)
            old++;
        if (order >= 0)
            key++;
    }
    return QED_OK;
}

/* For the position of a node above it, a member needs as many bits as the node is deep: its first
 * ones, or all of them. */
static int know_lead(struct qed_trie *trie, struct qed_work *work, struct qed_member *member,
                     unsigned depth)
{
    uint8_t *lead;

    if (depth >= 64)
        return qed_know_digest(trie, work, member);
    if (member->lead != NULL)
        return QED_OK;
    lead = qed_take_block(trie, work);
    if (lead == NULL)
        return QED_NO_MEMORY;
    qed_store64(lead, member->prefix);
    member->lead = lead;
    return QED_OK;
}

static int leave_leaf(struct qed_trie *trie, struct qed_work *work,
                      const struct qed_member *member, unsigned depth, uint8_t *out)
{
    if (!qed_room(trie, &work->leaves, sizeof(struct qed_leaf), 1))
        return QED_NO_MEMORY;
    ((struct qed_leaf *)work->leaves.items)[work->leaves.count++] =
        (struct qed_leaf){member->version, out, member->lead, depth};
    return QED_OK;
}

/* How many of some members go left at a depth. */
static int part(struct qed_trie *trie, struct qed_work *work, struct qed_member *members,
                uint32_t count, unsigned depth, uint32_t *left)
{
    for (*left = 0; *left < count; ++*left) {
        struct qed_member *member = &members[*left];
        int code = depth >= 64 ? qed_know_digest(trie, work, member) : QED_OK;
        if (code != QED_OK)
            return code;
        if (qed_side(member->prefix, member->digest, depth))
            break;
    }
    return QED_OK;
}

int qed_leave_jobs(struct qed_trie *trie, struct qed_work *work, struct qed_member *members,
                   uint32_t count, unsigned depth, uint8_t *out)
{
    uint32_t left;
    uint8_t *block;
    int code = know_lead(trie, work, &members[0], depth);

    if (code != QED_OK)
        return code;
    if (count == 1 && depth >= QED_SHORTCUT_DEPTH)
        return leave_leaf(trie, work, &members[0], depth, out);
    block = qed_take_block(trie, work);
    if (block == NULL || !qed_room(trie, &work->jobs[depth], sizeof(struct qed_job), 1))
        return QED_NO_MEMORY;
    ((struct qed_job *)work->jobs[depth].items)[work->jobs[depth].count++] =
        (struct qed_job){block, out, members[0].lead};
    if (depth > work->deepest)
        work->deepest = depth;
    code = part(trie, work, members, count, depth, &left);
    for (unsigned side = 0; side < 2 && code == QED_OK; side++) {
        uint8_t *below = qed_half_block(block, side);
        uint32_t first = side ? left : 0, stop = side ? count : left;
        if (first == stop)
            memcpy(below, trie->hyper->defaults[depth + 1], 32);
        else
            code = qed_leave_jobs(trie, work, members + first, stop - first, depth + 1, below);
    }
    return code;
}

int qed_loosen(struct qed_trie *trie, qed_ref bucket)
{
    struct qed_work *work = &trie->work;
    const struct qed_slot *slots = qed_slots(trie, QED_INDEX(bucket));
    uint32_t count = qed_bucket_count(slots);
    struct qed_member *loose;
    int code = qed_record(trie, &work->replaced, bucket);

    if (code != QED_OK)
        return code;
    if (!qed_room(trie, &work->loose, sizeof *loose, count))
        return QED_NO_MEMORY;
    loose = (struct qed_member *)work->loose.items + work->loose.count;
    for (uint32_t i = 0; i < count; i++)
        loose[i] = qed_bucket_member(slots, i);
    work->loose.count += count;
    return QED_OK;
}

void qed_keep_loose(struct qed_work *work, struct qed_item *item, size_t first)
{
    item->members = (uint32_t)first;
    item->member_count = (uint32_t)(work->loose.count - first);
    item->old = 0;
    work->new_members -= item->member_count;
}

/* Writes a bucket in the place of an item. */
int qed_make_bucket(struct qed_trie *trie, struct qed_item *item, struct qed_member *merged,
                    uint32_t count, unsigned depth)
{
    struct qed_work *work = &trie->work;
    struct qed_slot *slots;
    uint32_t index;
    int code;

    if (!qed_room(trie, &work->made, sizeof(qed_ref), 1))
        return QED_NO_MEMORY;
    code = qed_take_slots(trie, count, &index);
    if (code != QED_OK)
        return code;
    slots = qed_slots(trie, index);
    for (uint32_t i = 0; i < count; i++)
        slots[i] = (struct qed_slot){merged[i].prefix, merged[i].version};
    slots->version |= (uint64_t)count << QED_COUNT_SHIFT;
    ((qed_ref *)work->made.items)[work->made.count++] = QED_BUCKET | index;
    trie->buckets++;
    work->new_members += count;
    *item->link = QED_BUCKET | index;
    item->block = NULL;
    return qed_leave_jobs(trie, work, merged, count, depth, item->out);
}
