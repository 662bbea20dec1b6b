/* The history tree of one log in memory: SPEC 2 and the history paths of SPEC 4.
 *
 * What is kept, for each chunk of 32,768 versions: the event digests and the frozen nodes of
 * heights 4 to 7, in one allocation that never moves and that `forget` lets go of, oldest chunk
 * first; and, for good, the frozen nodes of heights 8 and up, a quarter of a byte an event. Every
 * lower node is computed again from the digests of its block of 16 versions, or of 256 where the
 * chunk was forgotten and the caller has read the digests back.
 *
 * Nothing here knows Python or threads. A function that says so may fail for lack of memory; then
 * nothing has changed. What is needed for versions below the size never changes. */

#ifndef QED_HISTORY_H
#define QED_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QED_CHUNK_BITS 15
#define QED_CHUNK ((uint64_t)1 << QED_CHUNK_BITS) /* versions in a chunk */
#define QED_LOW_HEIGHT 4   /* the frozen nodes from here on are kept beside the digests */
#define QED_UPPER_HEIGHT 8 /* the frozen nodes from here on are kept for good */
#define QED_BLOCK 256      /* versions in a block that is read back */
#define QED_MAX_SIZE ((uint64_t)1 << 63)
#define QED_MAX_PATH 64      /* hashes in a path of membership, at most */
#define QED_MAX_INCREMENT 130 /* hashes of an increment, at most */

/* What is needed to go on: all that a group's plan reads, and all that it leaves to the next. */
struct qed_frontier {
    uint64_t size;
    /* peaks[h]: where bit h of size is set, the frozen node of height h that ends the first
     * size >> h << h versions. */
    uint8_t peaks[64][32];
    /* spine[h]: the node of height h above the last version, as of the last version; from the last
     * peak up to the root. Meaningless while size is 0. */
    uint8_t spine[64][32];
};

/* The frozen nodes of height 4 and up that a group makes. */
struct qed_frozen {
    uint64_t first, stop;   /* the group's versions */
    size_t offset[65];      /* those of height h are hashes[offset[h] .. offset[h + 1]) */
    uint8_t (*hashes)[32];
};

struct qed_chunk {
    uint8_t (*block)[32]; /* digests, then heights 4 to 7; NULL once forgotten */
    uint8_t (*upper)[32]; /* heights 8 to 15, then those above that end with this chunk */
};

struct qed_history {
    struct qed_frontier frontier;
    struct qed_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    size_t first_held; /* chunks before it are forgotten */
    size_t memory_bytes;
    uint64_t takings; /* for tests, see qed_take */
};

/* history_plan.c: hashing groups. `digests`, `roots` and `paths` are 32-byte items end to end. */
unsigned qed_bit_length(uint64_t value);
/* malloc. So that tests see each failure: where *takings is not 0, it counts down, and the taking
 * that finds it at 1 fails, as do all after it. */
void *qed_take(uint64_t *takings, size_t bytes);
/* Room for what a group of `count` versions from `first` freezes. False: no memory. */
bool qed_frozen_reserve(struct qed_frozen *frozen, uint64_t first, size_t count,
                        uint64_t *takings);
void qed_frozen_free(struct qed_frozen *frozen);
/* Moves the frontier past a group; writes one root a version, and the group's frozen nodes. */
void qed_frontier_extend(struct qed_frontier *frontier, const uint8_t *digests, size_t count,
                         uint8_t *roots, struct qed_frozen *frozen);
/* The same without the roots: two hashes an event. The spine is left to qed_frontier_spine. */
void qed_frontier_freeze(struct qed_frontier *frontier, const uint8_t *digests, size_t count,
                         struct qed_frozen *frozen);
/* Computes the spine from the peaks. */
void qed_frontier_spine(struct qed_frontier *frontier);

/* history_store.c: what is kept. */
void qed_history_init(struct qed_history *history);
void qed_history_free(struct qed_history *history);
/* Room for `count` more versions. False: no memory, or more versions than there can be. */
bool qed_history_reserve(struct qed_history *history, uint64_t count);
/* Gives back the room that the size does not need, after a reserve that was not used. */
void qed_history_trim(struct qed_history *history);
/* Appends a planned group; its room is reserved. */
void qed_history_accept(struct qed_history *history, const struct qed_frontier *after,
                        const uint8_t *digests, const struct qed_frozen *frozen);
/* Hashes and writes a group into reserved room beyond the size, which stays as it is for readers;
 * `ahead` is the frontier from which it goes on. The caller sets history->frontier at the end.
 * False: no memory. */
bool qed_history_freeze(struct qed_history *history, struct qed_frontier *ahead,
                        const uint8_t *digests, size_t count);
bool qed_history_holds(const struct qed_history *history, uint64_t version);
/* The event digest of a version in memory, else NULL. */
const uint8_t *qed_history_digest(const struct qed_history *history, uint64_t version);
/* The same as a `struct qed_digests` wants it: 0, or 1 when it is not in memory. */
int qed_history_fetch(void *history, uint64_t version, uint8_t out[32]);
/* A frozen node that is kept, else NULL. */
const uint8_t *qed_history_node(const struct qed_history *history, uint64_t index, unsigned height);
size_t qed_history_forget(struct qed_history *history, size_t keep_bytes);

/* history_prove.c: roots and paths of versions below the size. The QED_BLOCK digests around each of
 * the two versions are needed where they are not in memory (see qed_history_holds), else NULL.
 * Returns the number of hashes, or one of these. */
#define QED_NOT_THOSE (-1) /* digests that were read back are not those of this log */
#define QED_FORGOTTEN (-2) /* digests are needed, and not given */
int qed_history_root(const struct qed_history *history, const uint8_t *near_version,
                     uint64_t version, uint8_t *out);
/* The largest frozen nodes of `size` versions, left to right, at most 64; the block is that around
 * the version before `size`, which is at least 1. */
int qed_history_peaks(const struct qed_history *history, const uint8_t *near_version, uint64_t size,
                      uint8_t *out);
int qed_history_membership(const struct qed_history *history, const uint8_t *near_leaf,
                           const uint8_t *near_version, uint64_t leaf, uint64_t version,
                           uint8_t *out);
int qed_history_incremental(const struct qed_history *history, const uint8_t *near_start,
                            const uint8_t *near_end, uint64_t start, uint64_t end, uint8_t *out);

#endif
