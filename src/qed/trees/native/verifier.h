/* The native verifier: says yes, or that it does not know.
 *
 * Yes means that `qed.trees.verify` would accept the same proof for the same question. Anything else,
 * were it only unusual, is 0, and the readable verifier judges. Written from SPEC 2 to 4 and from
 * what `verify` checks; it shares nothing with the prover but SHA-256.
 *
 * Threads: any. Nothing is allocated and nothing is kept.
 */
#ifndef QED_VERIFIER_H
#define QED_VERIFIER_H

#include <stddef.h>
#include <stdint.h>

#define QED_VERIFIER_HEIGHTS 257

/* The hash of an empty node by its height; computed once, by the caller, and given to each call. */
struct qed_empty_nodes {
    uint8_t hash[QED_VERIFIER_HEIGHTS][32];
};

void qed_compute_empty_nodes(struct qed_empty_nodes *empty);

/* A digest of a trusted snapshot, with the version of that snapshot. */
struct qed_root {
    uint64_t version;
    uint8_t digest[32];
};

/* An answer about a digest, and the question that it must answer. Hashes stand end to end from the
 * root down and counts are of hashes; pointers without hashes may be anything. */
struct qed_claim {
    /* the answer */
    int exists;
    uint64_t current_version, query_version, actual_version;
    const uint8_t *key_digest;
    const uint8_t *hyper;
    size_t hyper_count;
    int has_history;
    const uint8_t *history;
    size_t history_count;
    int has_leaf;
    const uint8_t *leaf_digest;
    uint64_t leaf_version;
    const uint8_t *leaf_history;
    size_t leaf_history_count;
    /* the question; without a version it is about the current one */
    uint8_t digest[32];
    int has_version;
    uint64_t version;
    struct qed_root hyper_root;
    int has_history_root;
    struct qed_root history_root;
    /* the verdict, written by qed_verify_claims: 1 for yes */
    uint8_t verdict;
};

/* Judge `count` claims. Those whose `verdict` is not 1 when this is called are passed over. */
void qed_verify_claims(struct qed_claim *claims, size_t count, const struct qed_empty_nodes *empty);

/* An answer about two versions, and the question that it must answer. */
struct qed_increment {
    uint64_t start, end;
    const uint8_t *hashes;
    size_t count;
    struct qed_root start_root, end_root;
};

/* Returns 1 for yes. */
int qed_verify_increment(const struct qed_increment *increment);

#endif
