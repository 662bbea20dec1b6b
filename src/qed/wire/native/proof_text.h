/* Proofs as the JSON of SPEC 5, written from their hashes alone and read back to them.
 *
 * Reading is: bound, parse, write again, compare. So what is read is exactly what would have been
 * written, and everything else, however harmless, is for the slow reader of `wire.proofs`.
 * Nothing is allocated and nothing is kept between calls: any thread may call.
 */
#ifndef QED_PROOF_TEXT_H
#define QED_PROOF_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "positions.h"

#define QED_NO_VERSION UINT64_MAX

/* A proof with pointers to its parts; hashes stand end to end. Counts are of hashes. */
struct qed_membership {
    int exists;
    uint64_t current_version, query_version, actual_version;
    const uint8_t *key_digest;
    const uint8_t *hyper;
    size_t hyper_count;
    const uint8_t *history; /* NULL exactly where it does not exist */
    size_t history_count;
    const uint8_t *leaf_digest; /* NULL: no HyperLeaf */
    uint64_t leaf_version;
    const uint8_t *leaf_history;
    size_t leaf_history_count;
};

struct qed_incremental {
    uint64_t start, end;
    const uint8_t *hashes;
    size_t count;
};

/* A proof has some hundred entries at most; this is room for any without its key. */
#define QED_PROOF_CHARS 65536

/* Does a proof have as many hashes as its digest and its versions say? Only such is written. */
int qed_membership_fits(const struct qed_membership *proof);
int qed_incremental_fits(const struct qed_incremental *proof);

/* Write a proof that fits. `key` is the event, NULL where it was not given; the room needed is
 * QED_PROOF_CHARS and the key's base64. Returns the number of characters. */
size_t qed_write_membership(char *out, const struct qed_membership *proof, const uint8_t *key,
                            size_t key_size);
size_t qed_write_incremental(char *out, const struct qed_incremental *proof);

/* Where the bytes of a proof that is read are put. */
struct qed_proof_room {
    char again[QED_PROOF_CHARS]; /* what it says, written again */
    uint8_t hyper[QED_HYPER_HEIGHT][32];
    uint8_t history[QED_HISTORY_ENTRIES][32];
    uint8_t sorted[QED_HYPER_HEIGHT][32];
    uint8_t key_digest[32], leaf_digest[32];
};

/* Read a proof without a key. Returns 1 when `text` is to the byte what is written for `proof`,
 * whose pointers are into `room`. */
int qed_read_membership(const char *text, size_t chars, struct qed_membership *proof,
                        struct qed_proof_room *room);
int qed_read_incremental(const char *text, size_t chars, struct qed_incremental *proof,
                         struct qed_proof_room *room);

#endif
