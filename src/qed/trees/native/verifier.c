/* Proofs of membership and of absence. */
#include "verifier.h"

#include "sha256.h"
#include "verifier_chain.h"

#include <string.h>

#define NO_VERSION UINT64_MAX
#define HYPER_HEIGHT 256
#define SHORTCUT_HEIGHT 232

/* Claims climbed together: two chains each, enough to keep two hashes in work at every step. */
#define CLAIMS_AT_ONCE 8
#define CHAINS_AT_ONCE (2 * CLAIMS_AT_ONCE)

void qed_compute_empty_nodes(struct qed_empty_nodes *empty)
{
    uint8_t pair[64] = {0};

    qed_sha256(pair, 2, empty->hash[0]);
    for (size_t height = 1; height < QED_VERIFIER_HEIGHTS; height++) {
        memcpy(pair, empty->hash[height - 1], 32);
        memcpy(pair + 32, empty->hash[height - 1], 32);
        qed_sha256(pair, 64, empty->hash[height]);
    }
}

/* One claim in work. */
struct climb {
    struct qed_hyper_chain hyper;
    struct qed_history_chain history;
    uint8_t hyper_node[32], history_node[32];
    int has_history;
};

static int same(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

/* Is the answer one to the question, and are the roots those that it needs? On yes, `asked` is the
 * version that it answers for. */
static int answers_question(const struct qed_claim *claim, uint64_t *asked)
{
    uint64_t current = claim->current_version;
    uint64_t query = claim->has_version ? claim->version : current;

    if (current == NO_VERSION || claim->hyper_root.version != current)
        return 0;
    if (claim->query_version != query || !same(claim->key_digest, claim->digest))
        return 0;
    *asked = query < current ? query : current;
    return 1;
}

/* Does the path end where a leaf may hang? At height 232, or lower beside somebody: below 232 a
 * node with one member is a leaf itself, so a sibling there is not empty. */
static int ends_at_leaf(const struct qed_claim *claim, const struct qed_empty_nodes *empty)
{
    size_t count = claim->hyper_count;

    if (count > HYPER_HEIGHT || count < HYPER_HEIGHT - SHORTCUT_HEIGHT)
        return 0;
    return count == HYPER_HEIGHT - SHORTCUT_HEIGHT ||
           !same(claim->hyper + 32 * (count - 1), empty->hash[HYPER_HEIGHT - count]);
}

/* Does it end where an empty node may be? Below the root, above height 0, beside somebody. */
static int ends_at_empty(const struct qed_claim *claim, const struct qed_empty_nodes *empty)
{
    size_t count = claim->hyper_count;

    return count > 0 && count < HYPER_HEIGHT &&
           !same(claim->hyper + 32 * (count - 1), empty->hash[HYPER_HEIGHT - count]);
}

static void open_hyper(struct climb *climb, const struct qed_claim *claim, const uint8_t *key)
{
    struct qed_hyper_chain *chain = &climb->hyper;

    chain->siblings = claim->hyper;
    chain->key = key;
    chain->height = (unsigned)(HYPER_HEIGHT - claim->hyper_count);
    chain->leaf_next = 0;
    memcpy(chain->index, key, 32);
    for (unsigned bit = 0; bit < chain->height; bit++)
        chain->index[31 - bit / 8] &= (uint8_t)~(1u << bit % 8);
}

static void open_leaf(struct climb *climb, const struct qed_claim *claim, const uint8_t *key,
                      uint64_t version)
{
    open_hyper(climb, claim, key);
    climb->hyper.leaf_next = 1;
    climb->hyper.version = version;
}

static int open_history(struct climb *climb, const uint8_t *digest, uint64_t leaf, uint64_t version,
                        const uint8_t *siblings, size_t count)
{
    struct qed_history_chain *chain = &climb->history;

    if (leaf > version || count != qed_history_siblings(leaf, version))
        return 0;
    chain->siblings = siblings;
    chain->left = count;
    chain->digest = digest;
    chain->leaf = leaf;
    chain->version = version;
    chain->height = 0;
    chain->top = qed_bit_length(version);
    chain->leaf_next = 1;
    climb->has_history = 1;
    return 1;
}

static int open_presence(struct climb *climb, const struct qed_claim *claim, uint64_t asked,
                         const struct qed_empty_nodes *empty)
{
    uint64_t actual = claim->actual_version;

    if (claim->has_leaf || !claim->has_history || !claim->has_history_root || actual > asked ||
        claim->history_root.version != asked || !ends_at_leaf(claim, empty))
        return 0;
    open_leaf(climb, claim, claim->digest, actual);
    return open_history(climb, claim->digest, actual, asked, claim->history, claim->history_count);
}

/* Do two digests share their first `bits` bits? */
static int share(const uint8_t a[32], const uint8_t b[32], size_t bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return 0;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

static int open_absence(struct climb *climb, const struct qed_claim *claim, uint64_t asked,
                        const struct qed_empty_nodes *empty)
{
    uint64_t current = claim->current_version;

    if (claim->has_history || claim->actual_version != asked)
        return 0;
    if (claim->has_history_root && claim->history_root.version != current)
        return 0;
    if (!claim->has_leaf) {
        if (!ends_at_empty(claim, empty))
            return 0;
        open_hyper(climb, claim, claim->digest);
        memcpy(climb->hyper_node, empty->hash[HYPER_HEIGHT - claim->hyper_count], 32);
        return 1;
    }
    if (!claim->has_history_root || !ends_at_leaf(claim, empty) ||
        same(claim->leaf_digest, claim->digest) ||
        !share(claim->leaf_digest, claim->digest, claim->hyper_count))
        return 0;
    /* The leaf's hash holds no digest: only its history, as of the current version, says whose it
     * is. */
    open_leaf(climb, claim, claim->leaf_digest, claim->leaf_version);
    return open_history(climb, claim->leaf_digest, claim->leaf_version, current,
                        claim->leaf_history, claim->leaf_history_count);
}

static int open_climb(struct climb *climb, const struct qed_claim *claim,
                      const struct qed_empty_nodes *empty)
{
    uint64_t asked;

    climb->has_history = 0;
    if (!answers_question(claim, &asked))
        return 0;
    return claim->exists ? open_presence(climb, claim, asked, empty)
                         : open_absence(climb, claim, asked, empty);
}

/* Messages that wait for their hashes, by their number of blocks. */
struct round {
    uint8_t one[CHAINS_AT_ONCE][64];
    uint8_t two[CHAINS_AT_ONCE][128];
    uint8_t *out_one[CHAINS_AT_ONCE], *out_two[CHAINS_AT_ONCE];
    size_t ones, twos;
};

/* Where the next message is written: as one of two blocks, which nearly all are. A chain has one
 * message a round, so there is a place for each. */
static uint8_t *next_message(struct round *round)
{
    return round->two[round->twos];
}

/* Let the message that was written there wait for its hash, if it is one. */
static void wait_for(struct round *round, unsigned blocks, uint8_t *out)
{
    if (blocks == 1) {
        memcpy(round->one[round->ones], next_message(round), 64);
        round->out_one[round->ones++] = out;
    } else if (blocks == 2) {
        round->out_two[round->twos++] = out;
    }
}

/* Climb all chains to their roots, one step of each at a time. */
static void climb_all(struct climb *climbs, size_t count)
{
    struct round round;

    do {
        round.ones = round.twos = 0;
        for (size_t i = 0; i < count; i++) {
            struct climb *climb = &climbs[i];
            unsigned blocks =
                qed_hyper_step(&climb->hyper, climb->hyper_node, next_message(&round));
            wait_for(&round, blocks, climb->hyper_node);
            if (!climb->has_history)
                continue;
            blocks = qed_history_step(&climb->history, climb->history_node, next_message(&round));
            wait_for(&round, blocks, climb->history_node);
        }
        qed_sha256_padded1((const uint8_t(*)[64])round.one, round.ones, round.out_one);
        qed_sha256_padded2((const uint8_t(*)[128])round.two, round.twos, round.out_two);
    } while (round.ones > 0 || round.twos > 0);
}

static int reaches_roots(const struct climb *climb, const struct qed_claim *claim)
{
    return same(climb->hyper_node, claim->hyper_root.digest) &&
           (!climb->has_history || same(climb->history_node, claim->history_root.digest));
}

void qed_verify_claims(struct qed_claim *claims, size_t count, const struct qed_empty_nodes *empty)
{
    struct climb climbs[CLAIMS_AT_ONCE];
    struct qed_claim *judged[CLAIMS_AT_ONCE];

    for (size_t next = 0; next < count;) {
        size_t open = 0;

        for (; next < count && open < CLAIMS_AT_ONCE; next++) {
            struct qed_claim *claim = &claims[next];
            int ready = claim->verdict == 1 && open_climb(&climbs[open], claim, empty);

            claim->verdict = 0; /* until both of its roots have been reached */
            if (ready)
                judged[open++] = claim;
        }
        climb_all(climbs, open);
        for (size_t i = 0; i < open; i++)
            judged[i]->verdict = (uint8_t)reaches_roots(&climbs[i], judged[i]);
    }
}
