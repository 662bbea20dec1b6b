/* Proofs of increments: one walk over the path, left to right, makes both roots. */
#include "verifier.h"

#include "sha256.h"
#include "verifier_chain.h"

#include <string.h>

struct walk {
    uint64_t start, end;
    const uint8_t *next; /* the next hash of the path */
    size_t left;         /* hashes of it that are left */
    unsigned start_top;  /* height of the root as of `start` */
    uint8_t start_root[32];
};

/* A node as of both versions; that as of `start` is right only where the node begins by then. */
struct node {
    uint8_t as_of_start[32], as_of_end[32];
};

static int take(struct walk *walk, struct node *node)
{
    if (walk->left == 0)
        return 0;
    memcpy(node->as_of_start, walk->next, 32);
    memcpy(node->as_of_end, walk->next, 32);
    walk->next += 32;
    walk->left--;
    return 1;
}

static void hash(unsigned blocks, const uint8_t message[128], uint8_t *out)
{
    if (blocks == 1)
        qed_sha256_padded1((const uint8_t(*)[64])message, 1, &out);
    else
        qed_sha256_padded2((const uint8_t(*)[128])message, 1, &out);
}

/* Make a node of its children; `right` is NULL where it starts after `end`. */
static void join(const struct walk *walk, uint64_t index, unsigned height, const struct node *left,
                 const struct node *right, struct node *node)
{
    uint8_t messages[2][128];
    uint8_t *outs[2] = {node->as_of_end, node->as_of_start};
    uint64_t middle = index + ((uint64_t)1 << (height - 1));
    int begins = index <= walk->start && height <= walk->start_top;
    const uint8_t *start_right =
        right != NULL && middle <= walk->start ? right->as_of_start : NULL;
    unsigned blocks = qed_history_inner(
        left->as_of_end, right == NULL ? NULL : right->as_of_end, index, height, messages[0]);

    if (!begins) {
        hash(blocks, messages[0], outs[0]);
        return;
    }
    unsigned start_blocks =
        qed_history_inner(left->as_of_start, start_right, index, height, messages[1]);
    if (blocks == 2 && start_blocks == 2) {
        qed_sha256_padded2((const uint8_t(*)[128])messages, 2, outs);
        return;
    }
    hash(blocks, messages[0], outs[0]);
    hash(start_blocks, messages[1], outs[1]);
}

/* Take a node from the path where it holds neither version or is a leaf, else make it. Goes at most
 * 64 deep. Returns 0 when the path is too short. */
static int make(struct walk *walk, uint64_t index, unsigned height, struct node *node)
{
    struct node left, right;
    int has_right = 0;
    /* A node of height 64 holds all there can be; shifting by 64 is undefined. */
    int holds = height == 64 || index >> height == walk->start >> height ||
                index >> height == walk->end >> height;

    if (height == 0 || !holds) {
        if (!take(walk, node))
            return 0;
    } else {
        uint64_t middle = index + ((uint64_t)1 << (height - 1));

        if (!make(walk, index, height - 1, &left))
            return 0;
        has_right = middle <= walk->end;
        if (has_right && !make(walk, middle, height - 1, &right))
            return 0;
        join(walk, index, height, &left, has_right ? &right : NULL, node);
    }
    if (index == 0 && height == walk->start_top)
        memcpy(walk->start_root, node->as_of_start, 32);
    return 1;
}

int qed_verify_increment(const struct qed_increment *increment)
{
    struct walk walk = {.start = increment->start,
                        .end = increment->end,
                        .next = increment->hashes,
                        .left = increment->count,
                        .start_top = qed_bit_length(increment->start)};
    struct node root;

    if (increment->start > increment->end || increment->end == UINT64_MAX ||
        increment->start_root.version != increment->start ||
        increment->end_root.version != increment->end)
        return 0;
    /* The root of `start` is on the way: everything at index 0 down to it holds `start`. */
    if (!make(&walk, 0, qed_bit_length(increment->end), &root) || walk.left != 0)
        return 0;
    return memcmp(walk.start_root, increment->start_root.digest, 32) == 0 &&
           memcmp(root.as_of_end, increment->end_root.digest, 32) == 0;
}
