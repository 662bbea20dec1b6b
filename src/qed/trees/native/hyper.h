/* The hyper tree of one log in memory: SPEC 3 and the hyper walk of SPEC 4.
 *
 * An uncompressed binary trie over the digests' bits, persistent: a plan copies the nodes on the
 * ways that it changes and shares the rest, so whoever reads the accepted tree meanwhile is not
 * disturbed. Where few members are left below a node they are kept as a bucket, and the hashes
 * below it are computed again whenever they are needed.
 *
 * Nothing here knows Python. Threads: one thread plans, accepts, extends and builds; whoever
 * accepts, drops or reads holds a lock that the caller provides (Python's), planning does not.
 * A function that returns a code may fail; then nothing has changed and nothing was lost.
 */
#ifndef QED_HYPER_H
#define QED_HYPER_H

#include "digests.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum qed_hyper_code {
    QED_OK = 0,
    QED_NO_MEMORY = -1,
    QED_FULL = -2,     /* more nodes than a reference can name */
    QED_CALLBACK = -3, /* a callback failed, and knows why */
    QED_STALE = -4,    /* the plan does not stand on this tree */
    QED_DAMAGED = -5,  /* a page is not the one that was written; see qed_hyper_damaged */
};

#define QED_HYPER_MAX_VERSION ((uint64_t)1 << 48)
#define QED_HYPER_MAX_PATH 256
#define QED_HYPER_LEAST_PAGE 256 /* bytes */

/* Callbacks into the owner; each returns 0, or anything else when it failed and knows why. They
 * may be called by any thread that is inside a call of this file, several at once. */
struct qed_hyper_owner {
    void *self;
    struct qed_digests digests; /* asked first; may be NULL functions */
    /* The digests of versions in a row, end to end. */
    int (*read_digests)(void *self, uint64_t version, uint64_t count, uint8_t *out);
    /* Pages, where the tree has them: `page_bytes` each. */
    int (*read_page)(void *self, uint32_t number, uint8_t *page);
    int (*write_page)(void *self, uint32_t number, const uint8_t *page);
    size_t page_bytes;  /* 0 without pages */
    uint8_t secret[32]; /* with which pages are sealed */
    /* How far qed_hyper_build is; called by the caller's own thread. */
    int (*report)(void *self, uint64_t done, uint64_t total);
};

struct qed_hyper;
struct qed_hyper_plan;

struct qed_hyper *qed_hyper_new(const struct qed_hyper_owner *owner);
void qed_hyper_free(struct qed_hyper *hyper);

uint64_t qed_hyper_size(const struct qed_hyper *hyper);
const uint8_t *qed_hyper_root(const struct qed_hyper *hyper);
size_t qed_hyper_memory(const struct qed_hyper *hyper);
uint64_t qed_hyper_members(const struct qed_hyper *hyper);

/* What a group of `count` digests would make of the tree, or of `base`, a plan that is not accepted
 * yet. `digests` and `base` stay alive until the plan is accepted or dropped. */
int qed_hyper_make_plan(struct qed_hyper *hyper, const uint8_t *digests, size_t count,
                        const struct qed_hyper_plan *base, struct qed_hyper_plan **plan);
const uint8_t *qed_hyper_plan_root(const struct qed_hyper_plan *plan);
/* QED_STALE when it does not stand on the tree as it is. Never fails otherwise. */
int qed_hyper_accept(struct qed_hyper *hyper, struct qed_hyper_plan *plan);
/* Frees a plan, accepted or not, and what it took. No plan may be made on it any more. */
void qed_hyper_drop(struct qed_hyper *hyper, struct qed_hyper_plan *plan);
/* The same while the writer is inside a call: it is dropped by the next qed_hyper_sweep. */
void qed_hyper_drop_later(struct qed_hyper *hyper, struct qed_hyper_plan *plan);
void qed_hyper_sweep(struct qed_hyper *hyper);

/* The plans that are neither accepted nor dropped. */
size_t qed_hyper_open_plans(const struct qed_hyper *hyper);

/* Adds groups one after the other, the events of each in `counts` (none is 0); writes the root
 * after each. No plan may be open and nobody may read. Uses two threads where that pays. When it
 * fails the tree is empty. */
int qed_hyper_extend(struct qed_hyper *hyper, const uint8_t *digests, const uint64_t *counts,
                     size_t groups, uint8_t *roots);

/* Makes the tree of the log's first `size` events on an empty tree; bit v & 7 of byte v >> 3 of
 * `ends` is set where version v ends a group. Otherwise like qed_hyper_extend. */
int qed_hyper_build(struct qed_hyper *hyper, uint64_t size, const uint8_t *ends);

struct qed_hyper_way {
    uint64_t size; /* of the tree that this is about */
    unsigned count;
    bool found; /* whether it ends at a leaf */
    uint64_t version;
    uint32_t page; /* after QED_DAMAGED */
    uint8_t siblings[QED_HYPER_MAX_PATH][32]; /* from height 255 down */
};
int qed_hyper_walk(struct qed_hyper *hyper, const uint8_t digest[32], struct qed_hyper_way *way);

/* Memory above this is not grown where a page can take what would be added; SIZE_MAX at first. */
void qed_hyper_budget(struct qed_hyper *hyper, size_t bytes);
/* The page that a plan found to be another than was written, after QED_DAMAGED. */
uint32_t qed_hyper_damaged_page(const struct qed_hyper *hyper);

/* For tests and benchmarks. */
struct qed_hyper_counts {
    uint64_t inner, buckets, slots; /* in use: nodes, buckets, and places for members in them */
    uint64_t pages;
    uint64_t hashes;                /* computed since the start, of two blocks each */
};
void qed_hyper_count(const struct qed_hyper *hyper, struct qed_hyper_counts *counts);
/* The n-th taking of memory from now on fails (0: none does), and so do all after it. */
void qed_hyper_fail_after(struct qed_hyper *hyper, uint64_t takings);
/* No half of the tree shall have more inner nodes or places for members than this. */
void qed_hyper_limit(struct qed_hyper *hyper, uint32_t limit);

#endif
