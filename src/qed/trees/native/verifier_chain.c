/* Messages, one a step. What is hashed, and in which order, is SPEC 2 and 3. */
#include "verifier_chain.h"

#include <string.h>

static void put_u64(uint8_t *out, uint64_t number)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static void put_u16(uint8_t *out, unsigned number)
{
    out[0] = (uint8_t)(number >> 8);
    out[1] = (uint8_t)number;
}

/* Pad a message of `length` bytes, of which those behind are zeros already; returns its blocks. */
static unsigned pad(uint8_t message[128], size_t length)
{
    unsigned blocks = length < 56 ? 1 : 2;

    message[length] = 0x80;
    put_u16(message + 64 * blocks - 2, (unsigned)(8 * length));
    return blocks;
}

unsigned qed_bit_length(uint64_t number)
{
    unsigned length = 0;

    for (; number != 0; number >>= 1)
        length++;
    return length;
}

/* Position of the hyper tree: u16(height) || u256(index). */
static void put_hyper_position(uint8_t *out, const struct qed_hyper_chain *chain)
{
    put_u16(out, chain->height);
    memcpy(out + 2, chain->index, 32);
}

unsigned qed_hyper_step(struct qed_hyper_chain *chain, const uint8_t node[32], uint8_t message[128])
{
    memset(message, 0, 128);
    if (chain->leaf_next) {
        chain->leaf_next = 0;
        put_u64(message + 24, chain->version); /* u256(version) */
        put_hyper_position(message + 32, chain);
        return pad(message, 66);
    }
    if (chain->height == 256)
        return 0;
    size_t byte = 31 - chain->height / 8;
    uint8_t bit = (uint8_t)(1u << chain->height % 8);
    const uint8_t *sibling = chain->siblings + 32 * (size_t)(255 - chain->height);
    int is_right = (chain->key[byte] & bit) != 0;

    /* Right first. */
    memcpy(message, is_right ? node : sibling, 32);
    memcpy(message + 32, is_right ? sibling : node, 32);
    chain->height++;
    chain->index[byte] &= (uint8_t)~bit;
    put_hyper_position(message + 64, chain);
    return pad(message, 98);
}

/* Position of the history tree: u64(index) || u16(height). */
static void put_history_position(uint8_t *out, uint64_t index, unsigned height)
{
    put_u64(out, index);
    put_u16(out + 8, height);
}

unsigned qed_history_inner(const uint8_t left[32], const uint8_t *right, uint64_t index,
                           unsigned height, uint8_t message[128])
{
    size_t length = 32;

    memset(message, 0, 128);
    memcpy(message, left, 32);
    if (right != NULL) {
        memcpy(message + 32, right, 32);
        length = 64;
    }
    put_history_position(message + length, index, height);
    return pad(message, length + 10);
}

unsigned qed_history_step(struct qed_history_chain *chain, const uint8_t node[32],
                          uint8_t message[128])
{
    if (chain->leaf_next) {
        chain->leaf_next = 0;
        memset(message, 0, 128);
        memcpy(message, chain->digest, 32);
        put_history_position(message + 32, chain->leaf, 0);
        return pad(message, 42);
    }
    if (chain->height == chain->top)
        return 0;
    /* At height 63 the parent is the root of all there can be, at index 0. */
    uint64_t sibling = (chain->leaf >> chain->height ^ 1) << chain->height;
    uint64_t parent = chain->height == 63 ? 0 : chain->leaf >> (chain->height + 1)
                                                    << (chain->height + 1);

    chain->height++;
    if (sibling > chain->version) /* the right child starts after the version */
        return qed_history_inner(node, NULL, parent, chain->height, message);
    const uint8_t *hash = chain->siblings + 32 * --chain->left;
    if (sibling > chain->leaf)
        return qed_history_inner(node, hash, parent, chain->height, message);
    return qed_history_inner(hash, node, parent, chain->height, message);
}

size_t qed_history_siblings(uint64_t leaf, uint64_t version)
{
    size_t count = 0;

    for (unsigned height = 0; height < qed_bit_length(version); height++)
        count += ((leaf >> height ^ 1) << height) <= version;
    return count;
}
