/* Replay: groups one after the other into an accepted tree that nobody reads. The halves know
 * nothing of each other, so each goes through all groups on its own, and their hashes are joined
 * at the end. */
#include "hyper_parts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREAD_EVENTS 4096u /* fewer are done before a second thread has begun */

struct replay {
    struct qed_trie *trie;
    const struct qed_hyper_plan *all; /* all groups, as one plan: where digests are found */
    const uint64_t *counts;
    size_t groups;
    uint8_t (*hashes)[32]; /* of this half, after each group */
    int code;
};

int qed_add_keys(struct qed_trie *trie)
{
    struct qed_work *work = &trie->work;

    qed_place_begin(trie, &trie->root, trie->hash);
    qed_place_some(trie, SIZE_MAX);
    if (work->code != QED_OK)
        return work->code;
    qed_hash_work(work, NULL);
    trie->members += (uint64_t)work->new_members;
    qed_give_back(trie, work->replaced.items, work->replaced.count);
    return QED_OK;
}

static void *replay_half(void *argument)
{
    struct replay *replay = argument;
    struct qed_trie *trie = replay->trie;
    const uint8_t *digests = replay->all->digests;
    uint64_t version = replay->all->first_version;

    trie->work.plan = replay->all;
    trie->work.damaged = QED_NOWHERE;
    for (size_t group = 0; group < replay->groups; group++) {
        size_t count = (size_t)replay->counts[group];
        qed_start_over(&trie->work);
        replay->code = qed_sort_group(trie, digests, count, version);
        if (replay->code == QED_OK)
            replay->code = qed_add_keys(trie);
        if (replay->code != QED_OK)
            break;
        memcpy(replay->hashes[group], trie->hash, 32);
        digests += 32 * count;
        version += count;
    }
    return NULL;
}

static void run(struct replay replays[2], bool two_threads)
{
    pthread_t thread;
    bool started = two_threads && pthread_create(&thread, NULL, replay_half, &replays[1]) == 0;

    replay_half(&replays[0]);
    if (started)
        pthread_join(thread, NULL);
    else
        replay_half(&replays[1]);
}

/* Runs both halves; `hashes` has room for both. */
static int run_halves(struct qed_hyper *hyper, const struct qed_hyper_plan *all,
                      const uint64_t *counts, size_t groups, uint8_t (*hashes)[32])
{
    struct replay replays[2];

    for (unsigned side = 0; side < 2; side++)
        replays[side] = (struct replay){&hyper->half[side],     all,   counts, groups,
                                        hashes + side * groups, QED_OK};
    run(replays, all->size - all->first_version >= THREAD_EVENTS);
    return replays[0].code != QED_OK ? replays[0].code : replays[1].code;
}

int qed_hyper_extend(struct qed_hyper *hyper, const uint8_t *digests, const uint64_t *counts,
                     size_t groups, uint8_t *roots)
{
    struct qed_hyper_plan all = {
        .digests = digests, .first_version = hyper->size, .size = hyper->size};
    uint8_t (*hashes)[32] = NULL;
    int code = QED_NO_MEMORY;

    for (size_t group = 0; group < groups; group++)
        all.size += counts[group];
    if (all.size > QED_HYPER_MAX_VERSION)
        return QED_FULL;
    if (groups == 0)
        return QED_OK;
    if (qed_may_take(&hyper->half[0]))
        hashes = malloc(2 * groups * sizeof *hashes);
    if (hashes != NULL)
        code = run_halves(hyper, &all, counts, groups, hashes);
    if (code == QED_OK) {
        for (size_t group = 0; group < groups; group++)
            qed_hash_root(hashes[group], hashes[groups + group], roots + 32 * group);
        memcpy(hyper->root, roots + 32 * (groups - 1), 32);
        hyper->size = all.size;
        hyper->state = ++hyper->last_state;
    } else {
        /* The halves may have come to different groups. */
        qed_hyper_reset(hyper);
    }
    free(hashes);
    return code;
}
