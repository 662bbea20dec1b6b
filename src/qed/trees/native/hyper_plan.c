/* A tree, its plans, and how one becomes the other. */
#include "hyper_parts.h"

#include <stdlib.h>
#include <string.h>

struct qed_hyper *qed_hyper_new(const struct qed_hyper_owner *owner)
{
    struct qed_hyper *hyper = aligned_alloc(64, (sizeof *hyper + 63) / 64 * 64);
    bool well;

    if (hyper == NULL)
        return NULL;
    memset(hyper, 0, sizeof *hyper);
    hyper->owner = *owner;
    hyper->budget = SIZE_MAX;
    qed_hash_defaults(hyper->defaults);
    memcpy(hyper->root, hyper->defaults[0], 32);
    for (unsigned side = 0; side < 2; side++) {
        hyper->half[side].hyper = hyper;
        hyper->half[side].side = side;
    }
    well = qed_trie_init(&hyper->half[0]) & qed_trie_init(&hyper->half[1]);
    if (!well) {
        qed_hyper_free(hyper);
        return NULL;
    }
    return hyper;
}

void qed_hyper_free(struct qed_hyper *hyper)
{
    if (hyper == NULL)
        return;
    qed_hyper_sweep(hyper);
    qed_trie_free(&hyper->half[0]);
    qed_trie_free(&hyper->half[1]);
    free(hyper);
}

void qed_hyper_budget(struct qed_hyper *hyper, size_t bytes)
{
    hyper->budget = bytes;
}

uint32_t qed_hyper_damaged_page(const struct qed_hyper *hyper)
{
    const struct qed_work *left = &hyper->half[0].work, *right = &hyper->half[1].work;

    return left->damaged != QED_NOWHERE ? left->damaged : right->damaged;
}

void qed_hyper_reset(struct qed_hyper *hyper)
{
    qed_trie_reset(&hyper->half[0]);
    qed_trie_reset(&hyper->half[1]);
    memcpy(hyper->root, hyper->defaults[0], 32);
    hyper->size = 0;
    hyper->page_count = 0;
    hyper->state = ++hyper->last_state;
}

uint64_t qed_hyper_size(const struct qed_hyper *hyper)
{
    return hyper->size;
}

const uint8_t *qed_hyper_root(const struct qed_hyper *hyper)
{
    return hyper->root;
}

size_t qed_hyper_memory(const struct qed_hyper *hyper)
{
    return qed_trie_memory(&hyper->half[0]) + qed_trie_memory(&hyper->half[1]);
}

uint64_t qed_hyper_members(const struct qed_hyper *hyper)
{
    return hyper->half[0].members + hyper->half[1].members;
}

const uint8_t *qed_hyper_plan_root(const struct qed_hyper_plan *plan)
{
    return plan->root;
}

int qed_find_digest(struct qed_hyper *hyper, const struct qed_hyper_plan *plan, uint64_t version,
                    uint8_t out[32])
{
    const struct qed_hyper_owner *owner = &hyper->owner;

    /* An accepted plan has let go of its digests: the history tree has them. */
    for (; plan != NULL && !plan->accepted; plan = plan->base) {
        if (version < plan->first_version || version >= plan->size)
            continue;
        memcpy(out, plan->digests + 32 * (version - plan->first_version), 32);
        return QED_OK;
    }
    if (owner->digests.fetch != NULL &&
        owner->digests.fetch(owner->digests.context, version, out) == 0)
        return QED_OK;
    return owner->read_digests(owner->self, version, 1, out) == 0 ? QED_OK : QED_CALLBACK;
}

/* Copies the lists of what was made and replaced into the plan. */
static int keep_lists(struct qed_trie *trie, struct qed_change *change)
{
    const struct qed_work *work = &trie->work;
    size_t count = work->made.count + work->replaced.count;

    if (count == 0)
        return QED_OK;
    if (!qed_may_take(trie) || (change->refs = malloc(count * sizeof *change->refs)) == NULL)
        return QED_NO_MEMORY;
    memcpy(change->refs, work->made.items, work->made.count * sizeof *change->refs);
    if (work->replaced.count > 0)
        memcpy(change->refs + work->made.count, work->replaced.items,
               work->replaced.count * sizeof *change->refs);
    change->made = work->made.count;
    change->replaced = work->replaced.count;
    return QED_OK;
}

static int sort_halves(struct qed_hyper *hyper, struct qed_hyper_plan *plan)
{
    for (unsigned side = 0; side < 2; side++) {
        struct qed_work *work = &hyper->half[side].work;
        qed_start_over(work);
        work->plan = plan;
        work->damaged = QED_NOWHERE;
    }
    for (unsigned side = 0; side < 2; side++) {
        int code = qed_sort_group(&hyper->half[side], plan->digests,
                                  (size_t)(plan->size - plan->first_version), plan->first_version);
        if (code != QED_OK)
            return code;
    }
    return QED_OK;
}

/* What the group makes of both halves; the plan's changes hold what they are before. While the left
 * one is hashed the right one is placed: the one computes, the other waits for memory. */
static int plan_halves(struct qed_hyper *hyper, struct qed_hyper_plan *plan)
{
    struct qed_trie *left = &hyper->half[0], *right = &hyper->half[1];

    qed_place_begin(left, &plan->change[0].root, plan->change[0].hash);
    qed_place_some(left, SIZE_MAX);
    if (left->work.code != QED_OK)
        return left->work.code;
    qed_place_begin(right, &plan->change[1].root, plan->change[1].hash);
    qed_hash_work(&left->work, right);
    qed_place_some(right, SIZE_MAX);
    if (right->work.code != QED_OK)
        return right->work.code;
    qed_hash_work(&right->work, NULL);
    return QED_OK;
}

static int compute(struct qed_hyper *hyper, struct qed_hyper_plan *plan)
{
    int code = sort_halves(hyper, plan);

    if (code == QED_OK)
        code = plan_halves(hyper, plan);
    for (unsigned side = 0; side < 2 && code == QED_OK; side++)
        code = keep_lists(&hyper->half[side], &plan->change[side]);
    for (unsigned side = 0; side < 2; side++) {
        struct qed_trie *trie = &hyper->half[side];
        struct qed_change *change = &plan->change[side];
        if (code == QED_OK) {
            change->members += (uint64_t)trie->work.new_members;
        } else {
            qed_give_back(trie, trie->work.made.items, trie->work.made.count);
            change->made = 0; /* the list is freed with the plan */
        }
    }
    return code;
}

/* Whether a plan stands, perhaps by others, on the tree as it is. */
static bool stands(const struct qed_hyper *hyper, const struct qed_hyper_plan *plan)
{
    while (plan != NULL && !plan->accepted) {
        if (plan->parent_state == hyper->state)
            return true;
        plan = plan->base;
    }
    return plan != NULL && plan->state == hyper->state;
}

static void begin(struct qed_hyper *hyper, const struct qed_hyper_plan *base,
                  struct qed_hyper_plan *plan)
{
    plan->base = base;
    plan->first_version = base == NULL ? hyper->size : base->size;
    plan->parent_state = base == NULL ? hyper->state : base->state;
    for (unsigned side = 0; side < 2; side++) {
        const struct qed_trie *trie = &hyper->half[side];
        struct qed_change *change = &plan->change[side];
        change->root = base == NULL ? trie->root : base->change[side].root;
        change->members = base == NULL ? trie->members : base->change[side].members;
        memcpy(change->hash, base == NULL ? trie->hash : base->change[side].hash, 32);
    }
}

void qed_hash_root(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
{
    static const uint8_t nothing[32];
    uint8_t block[64];

    memcpy(qed_half_block(block, 0), left, 32);
    memcpy(qed_half_block(block, 1), right, 32);
    qed_hash_inner(block, 0, nothing, out);
}

int qed_hyper_make_plan(struct qed_hyper *hyper, const uint8_t *digests, size_t count,
                        const struct qed_hyper_plan *base, struct qed_hyper_plan **made)
{
    struct qed_hyper_plan *plan;
    int code = QED_OK;

    if (base != NULL && !stands(hyper, base))
        return QED_STALE;
    if (!qed_may_take(&hyper->half[0]) || (plan = calloc(1, sizeof *plan)) == NULL)
        return QED_NO_MEMORY;
    hyper->open_plans++;
    begin(hyper, base, plan);
    plan->digests = digests;
    plan->size = plan->first_version + count;
    if (count == 0 || plan->size > QED_HYPER_MAX_VERSION)
        code = QED_FULL;
    if (code == QED_OK)
        code = compute(hyper, plan);
    if (code != QED_OK) {
        qed_hyper_drop(hyper, plan);
        return code;
    }
    qed_hash_root(plan->change[0].hash, plan->change[1].hash, plan->root);
    plan->state = ++hyper->last_state;
    *made = plan;
    return QED_OK;
}

int qed_hyper_accept(struct qed_hyper *hyper, struct qed_hyper_plan *plan)
{
    if (plan->accepted || plan->parent_state != hyper->state)
        return QED_STALE;
    for (unsigned side = 0; side < 2; side++) {
        struct qed_change *change = &plan->change[side];
        struct qed_trie *trie = &hyper->half[side];
        trie->root = change->root;
        trie->members = change->members;
        memcpy(trie->hash, change->hash, 32);
        qed_give_back(trie, change->refs + change->made, change->replaced);
        free(change->refs);
        change->refs = NULL;
        change->made = change->replaced = 0;
    }
    memcpy(hyper->root, plan->root, 32);
    hyper->size = plan->size;
    hyper->state = plan->state;
    plan->accepted = true;
    hyper->open_plans--;
    plan->base = NULL;
    return QED_OK;
}

void qed_hyper_drop(struct qed_hyper *hyper, struct qed_hyper_plan *plan)
{
    for (unsigned side = 0; side < 2; side++) {
        struct qed_change *change = &plan->change[side];
        qed_give_back(&hyper->half[side], change->refs, change->made);
        free(change->refs);
    }
    if (!plan->accepted)
        hyper->open_plans--;
    free(plan);
}

void qed_hyper_drop_later(struct qed_hyper *hyper, struct qed_hyper_plan *plan)
{
    plan->next = hyper->dropped;
    hyper->dropped = plan;
}

void qed_hyper_sweep(struct qed_hyper *hyper)
{
    while (hyper->dropped != NULL) {
        struct qed_hyper_plan *plan = hyper->dropped;
        hyper->dropped = plan->next;
        qed_hyper_drop(hyper, plan);
    }
}

size_t qed_hyper_open_plans(const struct qed_hyper *hyper)
{
    return hyper->open_plans;
}

void qed_hyper_count(const struct qed_hyper *hyper, struct qed_hyper_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    for (unsigned side = 0; side < 2; side++) {
        const struct qed_trie *trie = &hyper->half[side];
        uint64_t free_slots = 0;
        for (unsigned length = 1; length <= QED_BUCKET_MOST; length++)
            free_slots += (uint64_t)trie->free_counts[length] * length;
        counts->inner += trie->node_count - trie->spare_count;
        counts->buckets += trie->buckets;
        counts->slots += trie->slot_count - free_slots;
        counts->pages += trie->page_count - trie->free_pages.count;
        counts->hashes += trie->work.hashes + trie->page_work.hashes;
    }
}

void qed_hyper_fail_after(struct qed_hyper *hyper, uint64_t takings)
{
    /* 1 is "fails from now on": the count goes down to it and stays. */
    hyper->half[0].fail_after = hyper->half[1].fail_after = takings == 0 ? 0 : takings + 1;
}

void qed_hyper_limit(struct qed_hyper *hyper, uint32_t limit)
{
    for (unsigned side = 0; side < 2; side++)
        hyper->half[side].limit = limit < QED_MOST_NODES ? limit : QED_MOST_NODES;
}
