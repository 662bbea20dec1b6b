/* The tree of all events of a log at once: sorted by digest, each one's newest entry, and then
 * added in that order. So every node is made and hashed about once, and what is in work lies close
 * together. Both halves at the same time; each goes through its part of the digests in passes, so
 * that the memory for sorting stays small. */
#include "hyper_parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PASS_EVENTS ((uint64_t)1 << 21) /* sorted at a time in each half, about */
#define MOST_PASS_BITS 16u
#define MOST_RUN_BITS 18u
#define SLICE 2048u       /* members added at a time: what they need stays in the cache */
#define READ_EVENTS 4096u /* digests that are asked for at once when they are not in memory */
#define REPORT_EVENTS ((uint64_t)1 << 16)
#define THREAD_EVENTS 4096u
#define SHORT 24u
#define FEW 64u /* keys with equal first bits that are settled at a time, at least */
#define STOPPED (-100) /* because the other half failed */

struct builder {
    struct qed_trie *trie;
    uint64_t size;
    const uint8_t *ends;
    atomic_bool *failed;
    unsigned pass_bits; /* 2^pass_bits passes */
    struct qed_slot *entries, *sorted; /* of a pass: the first bits and the version of each event */
    size_t count, capacity;
    unsigned run_bits;
    uint32_t *starts;
    uint8_t (*read)[32]; /* the digests of versions [read_start, read_stop) */
    uint64_t read_start, read_stop;
    int code;
};

/* The digest of a version; they are asked for in order, and many are read at a time. */
static int next_digest(struct builder *builder, uint64_t version, uint8_t out[32])
{
    const struct qed_hyper_owner *owner = &builder->trie->hyper->owner;
    uint64_t count = READ_EVENTS - version % READ_EVENTS;

    if (version < builder->read_start || version >= builder->read_stop) {
        if (owner->digests.fetch != NULL &&
            owner->digests.fetch(owner->digests.context, version, out) == 0)
            return QED_OK;
        if (count > builder->size - version)
            count = builder->size - version;
        if (owner->read_digests(owner->self, version, count, builder->read[0]) != 0)
            return QED_CALLBACK;
        builder->read_start = version;
        builder->read_stop = version + count;
    }
    memcpy(out, builder->read[version - builder->read_start], 32);
    return QED_OK;
}

/* Says how far this half is: sorting is about a quarter of a pass. */
static int step(struct builder *builder, uint64_t pass, double quarters)
{
    const struct qed_hyper_owner *owner = &builder->trie->hyper->owner;
    double done = ((double)pass + quarters / 4) / (double)((uint64_t)1 << builder->pass_bits);

    if (atomic_load(builder->failed))
        return STOPPED;
    if (builder->trie->side != 0 || owner->report == NULL)
        return QED_OK;
    if (owner->report(owner->self, (uint64_t)(done * (double)builder->size), builder->size) != 0)
        return QED_CALLBACK;
    return QED_OK;
}

static bool grow_entries(struct builder *builder)
{
    size_t capacity = builder->capacity * 2 > 1024 ? builder->capacity * 2 : 1024;
    struct qed_slot *grown = NULL, *sorted = NULL;

    if (qed_may_take(builder->trie))
        grown = realloc(builder->entries, capacity * sizeof *grown);
    if (grown == NULL)
        return false;
    builder->entries = grown;
    if (qed_may_take(builder->trie))
        sorted = realloc(builder->sorted, capacity * sizeof *sorted);
    if (sorted == NULL)
        return false;
    builder->sorted = sorted;
    builder->capacity = capacity;
    return true;
}

/* Collects the events whose digests fall into a pass. */
static int collect(struct builder *builder, uint64_t pass)
{
    unsigned shift = 63 - builder->pass_bits;
    uint64_t wanted = (uint64_t)builder->trie->side << builder->pass_bits | pass;

    builder->count = 0;
    for (uint64_t version = 0; version < builder->size; version++) {
        uint8_t digest[32];
        int code = next_digest(builder, version, digest);
        uint64_t prefix = qed_load64(digest);
        if (code != QED_OK)
            return code;
        if (version % REPORT_EVENTS == 0) {
            code = step(builder, pass, (double)version / (double)builder->size);
            if (code != QED_OK)
                return code;
        }
        if (prefix >> shift != wanted)
            continue;
        if (builder->count == builder->capacity && !grow_entries(builder))
            return QED_NO_MEMORY;
        builder->entries[builder->count++] = (struct qed_slot){prefix, version};
    }
    return QED_OK;
}

static int compare(const void *left, const void *right)
{
    const struct qed_slot *a = left, *b = right;

    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return a->version < b->version ? -1 : 1;
}

static void sort_run(struct qed_slot *run, size_t count)
{
    if (count > SHORT) {
        qsort(run, count, sizeof *run, compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct qed_slot entry = run[i];
        size_t at = i;
        for (; at > 0 && run[at - 1].prefix > entry.prefix; at--)
            run[at] = run[at - 1];
        run[at] = entry;
    }
}

/* Sorts the entries of a pass by their first bits, equal ones by version. */
static void sort_entries(struct builder *builder)
{
    unsigned skip = builder->pass_bits + 1, shift = 64 - builder->run_bits;
    uint32_t *starts = builder->starts;
    size_t runs = (size_t)1 << builder->run_bits, begin = 0;

    memset(starts, 0, (runs + 1) * sizeof *starts);
    for (size_t i = 0; i < builder->count; i++)
        starts[(builder->entries[i].prefix << skip >> shift) + 1]++;
    for (size_t run = 0; run < runs; run++)
        starts[run + 1] += starts[run];
    for (size_t i = 0; i < builder->count; i++) {
        const struct qed_slot *entry = &builder->entries[i];
        builder->sorted[starts[entry->prefix << skip >> shift]++] = *entry;
    }
    for (size_t run = 0; run < runs; run++) {
        sort_run(builder->sorted + begin, starts[run] - begin);
        begin = starts[run];
    }
}

/* Whether a group ends at one of the versions [first, stop). */
static bool ends_between(const uint8_t *ends, uint64_t first, uint64_t stop)
{
    while (first < stop) {
        if ((first & 7) == 0 && ends[first >> 3] == 0) {
            first += 8;
            continue;
        }
        if (ends[first >> 3] >> (first & 7) & 1)
            return true;
        first++;
    }
    return false;
}

/* By digest, equal ones by version. */
static int compare_keys(const void *left, const void *right)
{
    const struct qed_member *a = left, *b = right;
    int order = memcmp(a->digest, b->digest, 32);

    return order != 0 ? order : a->version < b->version ? -1 : a->version > b->version;
}

/* Sorts the keys from `first` on and leaves each digest once: with its newest entry, but of one group
 * the first. What goes lies behind what stays, so that its block can be used again. */
static void settle(struct builder *builder, size_t first)
{
    struct qed_vector *vector = &builder->trie->work.keys;
    struct qed_member *keys = (struct qed_member *)vector->items + first;
    size_t count = vector->count - first, kept = 0;
    uint64_t last = keys[0].version; /* of the digest that is kept */

    if (count > 1)
        qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++) {
        struct qed_member key = keys[i];
        if (i == 0 || memcmp(keys[kept].digest, key.digest, 32) != 0) {
            kept += i > 0;
            keys[i] = keys[kept];
            keys[kept] = key;
        } else if (ends_between(builder->ends, last, key.version)) {
            keys[kept].version = key.version;
        }
        last = key.version;
    }
    vector->count = first + kept + 1;
}

/* Puts an entry among the keys, of which the first `with_block` have, or had, a block. */
static int add_key(struct builder *builder, const struct qed_slot *entry, size_t with_block)
{
    struct qed_trie *trie = builder->trie;
    struct qed_vector *vector = &trie->work.keys;
    struct qed_member *key;
    uint8_t *digest;
    int code;

    if (!qed_room(trie, vector, sizeof *key, 1))
        return QED_NO_MEMORY;
    key = (struct qed_member *)vector->items + vector->count;
    digest = vector->count < with_block ? (uint8_t *)key->digest : qed_take_block(trie, &trie->work);
    if (digest == NULL)
        return QED_NO_MEMORY;
    code = qed_find_digest(trie->hyper, NULL, entry->version, digest);
    if (code != QED_OK)
        return code;
    *key = (struct qed_member){entry->prefix, entry->version, digest, digest};
    vector->count++;
    return QED_OK;
}

/* Puts the entries from `*at` on with equal first bits among the keys. There may be any number, of
 * one digest that was added again and again, or of many that somebody has chosen: they are settled
 * whenever they have doubled. */
static int add_equals(struct builder *builder, size_t *at)
{
    struct qed_vector *vector = &builder->trie->work.keys;
    uint64_t prefix = builder->sorted[*at].prefix;
    size_t first = vector->count, with_block = first, most = FEW;

    for (; *at < builder->count && builder->sorted[*at].prefix == prefix; ++*at) {
        int code = add_key(builder, &builder->sorted[*at], with_block);
        if (code != QED_OK)
            return code;
        if (vector->count > with_block)
            with_block = vector->count;
        if (vector->count - first < most)
            continue;
        settle(builder, first);
        most = 2 * (vector->count - first);
        if (most < FEW)
            most = FEW;
    }
    settle(builder, first);
    return QED_OK;
}

/* Takes the next members of a pass as a group; equal first bits stay together. Only the first bits
 * of most are known, which is all that is looked at. */
static int take_slice(struct builder *builder, size_t *at)
{
    struct qed_trie *trie = builder->trie;
    struct qed_work *work = &trie->work;
    int code = QED_OK;

    qed_start_over(work);
    work->keys.count = 0;
    while (code == QED_OK && *at < builder->count && work->keys.count < SLICE) {
        const struct qed_slot *entry = &builder->sorted[*at];
        uint8_t *lead;
        if (*at + 1 < builder->count && entry[1].prefix == entry->prefix) {
            code = add_equals(builder, at);
            continue;
        }
        lead = qed_take_block(trie, work);
        if (lead == NULL || !qed_room(trie, &work->keys, sizeof(struct qed_member), 1))
            return QED_NO_MEMORY;
        qed_store64(lead, entry->prefix);
        ((struct qed_member *)work->keys.items)[work->keys.count++] =
            (struct qed_member){entry->prefix, entry->version, NULL, lead};
        ++*at;
    }
    return code;
}

static int add_pass(struct builder *builder, uint64_t pass)
{
    int code = collect(builder, pass);

    if (code != QED_OK)
        return code;
    sort_entries(builder);
    for (size_t at = 0; at < builder->count && code == QED_OK;) {
        if (at / SLICE % 32 == 0)
            code = step(builder, pass, 1 + 3 * (double)at / (double)builder->count);
        if (code == QED_OK)
            code = take_slice(builder, &at);
        if (code == QED_OK)
            code = qed_add_keys(builder->trie);
    }
    return code;
}

static void *build_half(void *argument)
{
    struct builder *builder = argument;
    struct qed_trie *trie = builder->trie;

    builder->code = QED_NO_MEMORY;
    trie->work.plan = NULL;
    trie->work.damaged = QED_NOWHERE;
    if (qed_may_take(trie))
        builder->read = malloc(READ_EVENTS * sizeof *builder->read);
    if (builder->read != NULL && qed_may_take(trie))
        builder->starts =
            malloc((((size_t)1 << builder->run_bits) + 1) * sizeof *builder->starts);
    if (builder->starts != NULL)
        builder->code = QED_OK;
    for (uint64_t pass = 0; pass >> builder->pass_bits == 0 && builder->code == QED_OK; pass++)
        builder->code = add_pass(builder, pass);
    if (builder->code != QED_OK)
        atomic_store(builder->failed, true);
    free(builder->read);
    free(builder->starts);
    free(builder->entries);
    free(builder->sorted);
    return NULL;
}

/* How the work of one half is cut: passes of about PASS_EVENTS, runs of a few entries. */
static void cut(struct builder *builder)
{
    uint64_t share = builder->size / 2;

    while (builder->pass_bits < MOST_PASS_BITS && share >> builder->pass_bits > PASS_EVENTS)
        builder->pass_bits++;
    builder->run_bits = 1;
    while (builder->run_bits < MOST_RUN_BITS && share >> builder->pass_bits >> builder->run_bits > 8)
        builder->run_bits++;
}

int qed_hyper_build(struct qed_hyper *hyper, uint64_t size, const uint8_t *ends)
{
    struct builder builders[2];
    atomic_bool failed = false;
    pthread_t thread;
    bool started;
    int code;

    if (size > QED_HYPER_MAX_VERSION)
        return QED_FULL;
    for (unsigned side = 0; side < 2; side++) {
        builders[side] = (struct builder){
            .trie = &hyper->half[side], .size = size, .ends = ends, .failed = &failed};
        cut(&builders[side]);
    }
    started = size >= THREAD_EVENTS &&
              pthread_create(&thread, NULL, build_half, &builders[1]) == 0;
    build_half(&builders[0]);
    if (started)
        pthread_join(thread, NULL);
    else
        build_half(&builders[1]);
    code = builders[0].code == QED_OK || builders[0].code == STOPPED ? builders[1].code
                                                                      : builders[0].code;
    if (code != QED_OK) {
        qed_hyper_reset(hyper);
        return code;
    }
    qed_hash_root(hyper->half[0].hash, hyper->half[1].hash, hyper->root);
    hyper->size = size;
    hyper->state = ++hyper->last_state;
    return QED_OK;
}
