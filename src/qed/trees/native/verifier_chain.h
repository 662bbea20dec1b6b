/* A way up a tree, hash by hash, as messages to hash: the verifier's own, for its two files.
 *
 * Each step of a chain needs the hash of the step before it, so many chains are climbed together,
 * one step of each at a time.
 */
#ifndef QED_VERIFIER_CHAIN_H
#define QED_VERIFIER_CHAIN_H

#include <stddef.h>
#include <stdint.h>

/* The hyper tree: from a leaf or an empty node at `height` to the root. */
struct qed_hyper_chain {
    const uint8_t *siblings; /* from the root down: that at height h is number 255 - h */
    const uint8_t *key;      /* whose bits are the way */
    unsigned height;         /* of the node reached */
    int leaf_next;           /* the leaf itself is still to be hashed */
    uint64_t version;        /* of the leaf */
    uint8_t index[32];       /* the node's position: the key without its lowest `height` bits */
};

/* The history tree: from a leaf to the root as of a version. */
struct qed_history_chain {
    const uint8_t *siblings; /* from the root down */
    size_t left;             /* of them; the next one is the last of these */
    const uint8_t *digest;
    uint64_t leaf, version;
    unsigned height, top;
    int leaf_next;
};

/* Write the next message, padded, from the hash of the node reached. Returns its blocks, 1 or 2, or
 * 0 at the root. A message of one block takes the first 64 bytes. */
unsigned qed_hyper_step(struct qed_hyper_chain *chain, const uint8_t node[32], uint8_t message[128]);
unsigned qed_history_step(struct qed_history_chain *chain, const uint8_t node[32],
                          uint8_t message[128]);

/* The message of an inner node of the history tree; `right` is NULL where it does not exist yet. */
unsigned qed_history_inner(const uint8_t left[32], const uint8_t *right, uint64_t index,
                           unsigned height, uint8_t message[128]);

/* How many siblings tie a leaf to the root as of a version; leaf <= version. */
size_t qed_history_siblings(uint64_t leaf, uint64_t version);

/* How many bits a number has, 0 for 0: the height of the root as of a version. */
unsigned qed_bit_length(uint64_t number);

#endif
