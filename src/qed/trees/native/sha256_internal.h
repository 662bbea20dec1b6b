/* What an implementation of SHA-256 has to offer. Only the files sha256*.c include this. */
#ifndef QED_SHA256_INTERNAL_H
#define QED_SHA256_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

struct qed_sha256_implementation {
    const char *name;
    /* Take `blocks` blocks of 64 bytes into a state. */
    void (*compress)(uint32_t state[8], const uint8_t *data, size_t blocks);
    /* The same for two states at once. */
    void (*compress_two)(uint32_t a[8], const uint8_t *data_a, uint32_t b[8],
                         const uint8_t *data_b, size_t blocks);
    /* Hash two padded messages of `blocks` blocks each, from the initial state to the bytes. Both
     * are read to the end before anything is written. */
    void (*hash_two)(const uint8_t *data_a, const uint8_t *data_b, size_t blocks, uint8_t *out_a,
                     uint8_t *out_b);
};

/* Hash sixteen padded messages of `blocks` blocks each, which lie one after the other. All of them
 * are read to the end before anything is written. */
typedef void qed_sha256_sixteen(const uint8_t *data, size_t blocks, uint8_t *const out[16]);

extern const uint32_t qed_sha256_initial[8];
extern const uint32_t qed_sha256_rounds[64];

extern const struct qed_sha256_implementation qed_sha256_portable;

/* Each is NULL where the compiler or the processor does not have it. */
const struct qed_sha256_implementation *qed_sha256_find_x86(void);
const struct qed_sha256_implementation *qed_sha256_find_arm(void);
qed_sha256_sixteen *qed_sha256_find_sixteen(void);

static inline uint32_t qed_sha256_load(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

static inline void qed_sha256_store(const uint32_t state[8], uint8_t *out)
{
    for (size_t i = 0; i < 8; i++) {
        out[4 * i] = (uint8_t)(state[i] >> 24);
        out[4 * i + 1] = (uint8_t)(state[i] >> 16);
        out[4 * i + 2] = (uint8_t)(state[i] >> 8);
        out[4 * i + 3] = (uint8_t)state[i];
    }
}

#endif
