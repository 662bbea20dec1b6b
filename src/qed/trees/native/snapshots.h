/* The snapshot log: an RFC 6962 Merkle tree over the snapshots of a log (SPEC 10).
 *
 * A leaf is H(0 || "qed/snap/v1\n" || u64 version || event digest || history digest || hyper
 * digest), 117 bytes; a node is H(1 || left || right), 65 bytes: two blocks of SHA-256 each. They are
 * hashed level by level, many at a time. Nothing here keeps anything, and nothing knows Python. */

#ifndef QED_SNAPSHOTS_H
#define QED_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QED_SNAPSHOTS_MAX ((uint64_t)1 << 63)
#define QED_TILE_HEIGHT 8  /* the nodes of every eighth height are kept */
#define QED_TILE_LEVELS 8  /* heights 0, 8, ... 56 */

/* The kept nodes that some leaves complete: of level L (height 8 * L), those with the numbers
 * [first[L], first[L] + count[L]), end to end in `hashes` from offset[L]. Level 0 is never kept. */
struct qed_tile_nodes {
    uint64_t first[QED_TILE_LEVELS];
    size_t count[QED_TILE_LEVELS], offset[QED_TILE_LEVELS];
    uint8_t (*hashes)[32];
};

/* The leaf hashes of `count` versions that share a hyper digest: 32 bytes each, to `out`. */
void qed_snapshots_hash_leaves(uint64_t first_version, const uint8_t *digests,
                               const uint8_t *history_digests, const uint8_t *hyper_digest,
                               size_t count, uint8_t *out);

/* Room for what `count` leaves after `size` complete; their sum is at most QED_SNAPSHOTS_MAX.
 * False: no memory. */
bool qed_tile_nodes_reserve(struct qed_tile_nodes *nodes, uint64_t size, size_t count);
void qed_tile_nodes_free(struct qed_tile_nodes *nodes);

/* Goes on from `size` leaves with the hashes of `count` more. peaks[h] is the node of height h that
 * ends the first size >> h << h leaves, where bit h of the size is set; it becomes that of the new
 * size. The nodes completed on the way are written to `nodes`. */
void qed_snapshots_extend(uint64_t size, uint8_t (*peaks)[32], const uint8_t *hashes, size_t count,
                          struct qed_tile_nodes *nodes);

#endif
