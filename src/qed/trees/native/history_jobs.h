/* The hashes of the history tree, many at a time (SPEC 2).
 *
 * A node is hashed with its position, so every message has one of two lengths: a leaf or a partial
 * node is 32 + 10 bytes, one block of SHA-256; a node with both children is 64 + 10, two blocks.
 * Jobs are gathered as padded messages and hashed together, two streams at once. The caller
 * promises that no message of a batch needs the result of another one that still waits. */

#ifndef QED_HISTORY_JOBS_H
#define QED_HISTORY_JOBS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"

#define QED_HASH 32       /* bytes of a digest */
#define QED_JOBS 32       /* messages that wait at most, of each length: they stay in the L1 cache */
#define QED_ONE_BYTES 42  /* digest || position */
#define QED_TWO_BYTES 74  /* left || right || position */

struct qed_history_jobs {
    size_t ones, twos;               /* messages that wait */
    size_t ones_padded, twos_padded; /* slots whose padding is written already */
    uint8_t *one_out[QED_JOBS];
    uint8_t *two_out[QED_JOBS];
    uint8_t one[QED_JOBS][64];
    uint8_t two[QED_JOBS][128];
};

static inline void qed_jobs_begin(struct qed_history_jobs *jobs)
{
    jobs->ones = jobs->twos = 0;
    jobs->ones_padded = jobs->twos_padded = 0;
}

static inline void qed_jobs_end(struct qed_history_jobs *jobs)
{
    if (jobs->ones != 0)
        qed_sha256_padded1((const uint8_t(*)[64])jobs->one, jobs->ones, jobs->one_out);
    if (jobs->twos != 0)
        qed_sha256_padded2((const uint8_t(*)[128])jobs->two, jobs->twos, jobs->two_out);
    jobs->ones = jobs->twos = 0;
}

/* u64(index) || u16(height), big-endian: the form in which a position is hashed. */
static inline void qed_put_position(uint8_t *at, uint64_t index, unsigned height)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(index >> (56 - 8 * i));
    at[8] = (uint8_t)(height >> 8);
    at[9] = (uint8_t)height;
}

/* Pads a message of `length` bytes up to `blocks` bytes: 0x80, zeros, the length in bits. */
static inline void qed_pad(uint8_t *message, size_t length, size_t blocks)
{
    memset(message + length, 0, blocks - length);
    message[length] = 0x80;
    message[blocks - 2] = (uint8_t)(8 * length >> 8);
    message[blocks - 1] = (uint8_t)(8 * length);
}

/* out = H(child || position): a leaf (of an event digest), or a node whose right child is not there
 * yet. `child` is copied at once; `out` is written at the latest by qed_jobs_end. */
static inline void qed_jobs_one(struct qed_history_jobs *jobs, const uint8_t *child, uint64_t index,
                                unsigned height, uint8_t *out)
{
    uint8_t *message = jobs->one[jobs->ones];
    if (jobs->ones == jobs->ones_padded)
        qed_pad(jobs->one[jobs->ones_padded++], QED_ONE_BYTES, 64);
    memcpy(message, child, QED_HASH);
    qed_put_position(message + QED_HASH, index, height);
    jobs->one_out[jobs->ones++] = out;
    if (jobs->ones == QED_JOBS) {
        qed_sha256_padded1((const uint8_t(*)[64])jobs->one, QED_JOBS, jobs->one_out);
        jobs->ones = 0;
    }
}

/* out = H(left || right || position), likewise. */
static inline void qed_jobs_two(struct qed_history_jobs *jobs, const uint8_t *left,
                                const uint8_t *right, uint64_t index, unsigned height, uint8_t *out)
{
    uint8_t *message = jobs->two[jobs->twos];
    if (jobs->twos == jobs->twos_padded)
        qed_pad(jobs->two[jobs->twos_padded++], QED_TWO_BYTES, 128);
    memcpy(message, left, QED_HASH);
    memcpy(message + QED_HASH, right, QED_HASH);
    qed_put_position(message + 2 * QED_HASH, index, height);
    jobs->two_out[jobs->twos++] = out;
    if (jobs->twos == QED_JOBS) {
        qed_sha256_padded2((const uint8_t(*)[128])jobs->two, QED_JOBS, jobs->two_out);
        jobs->twos = 0;
    }
}

#endif
