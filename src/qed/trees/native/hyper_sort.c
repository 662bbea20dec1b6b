/* The digests of a group in order, each once: the first of equal ones stays. */
#include "hyper_parts.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BITS 16u
#define SHORT 24u /* members that are sorted by insertion */

/* By digest, equal ones by version. */
static int compare(const void *left, const void *right)
{
    const struct qed_member *a = left, *b = right;
    int order;

    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    order = memcmp(a->digest, b->digest, 32);
    if (order != 0)
        return order;
    return a->version < b->version ? -1 : a->version > b->version;
}

static void sort_run(struct qed_member *run, size_t count)
{
    if (count > SHORT) {
        /* Only a flood of near-equal digests makes a run long. */
        qsort(run, count, sizeof *run, compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct qed_member member = run[i];
        size_t at = i;
        for (; at > 0 && compare(&run[at - 1], &member) > 0; at--)
            run[at] = run[at - 1];
        run[at] = member;
    }
}

/* Which of 2^bits runs a digest falls into: by the bits below the first, which all share. */
static size_t run_of(const struct qed_member *member, unsigned bits)
{
    return (size_t)(member->prefix << 1 >> (64 - bits));
}

static void distribute(struct qed_work *work, unsigned bits)
{
    const struct qed_member *keys = work->keys.items;
    struct qed_member *sorted = work->sorted.items;
    uint32_t *starts = work->starts.items;
    size_t runs = (size_t)1 << bits, begin = 0;

    memset(starts, 0, (runs + 1) * sizeof *starts);
    for (size_t i = 0; i < work->keys.count; i++)
        starts[run_of(&keys[i], bits) + 1]++;
    for (size_t run = 0; run < runs; run++)
        starts[run + 1] += starts[run];
    for (size_t i = 0; i < work->keys.count; i++)
        sorted[starts[run_of(&keys[i], bits)]++] = keys[i];
    /* Each start has moved to the end of its run. */
    for (size_t run = 0; run < runs; run++) {
        sort_run(sorted + begin, starts[run] - begin);
        begin = starts[run];
    }
}

static size_t keep_first_of_equals(struct qed_member *keys, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && keys[kept - 1].prefix == keys[i].prefix &&
            memcmp(keys[kept - 1].digest, keys[i].digest, 32) == 0)
            continue;
        keys[kept++] = keys[i];
    }
    return kept;
}

int qed_sort_group(struct qed_trie *trie, const uint8_t *digests, size_t count,
                   uint64_t first_version)
{
    struct qed_work *work = &trie->work;
    struct qed_member *keys;
    struct qed_vector swap;
    unsigned bits = 1;

    work->keys.count = work->sorted.count = work->starts.count = 0;
    if (count > QED_MOST_NODES)
        return QED_FULL;
    while (bits < MOST_BITS && ((size_t)1 << bits) < count)
        bits++;
    if (!qed_room(trie, &work->keys, sizeof *keys, count) ||
        !qed_room(trie, &work->sorted, sizeof *keys, count) ||
        !qed_room(trie, &work->starts, sizeof(uint32_t), ((size_t)1 << bits) + 1))
        return QED_NO_MEMORY;
    keys = work->keys.items;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *digest = digests + 32 * i;
        if (digest[0] >> 7 != trie->side)
            continue;
        keys[work->keys.count++] = (struct qed_member){
            .prefix = qed_load64(digest), .version = first_version + i, .digest = digest, .lead = digest};
    }
    if (work->keys.count == 0)
        return QED_OK;
    distribute(work, bits);
    swap = work->keys;
    work->keys = work->sorted;
    work->keys.count = keep_first_of_equals(work->keys.items, swap.count);
    work->sorted = swap;
    return QED_OK;
}
