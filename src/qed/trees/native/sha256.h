/* SHA-256, and nothing else: what the native kernel and the native verifier hash with.
 *
 * A tree is millions of short messages, so the calls take many at once and keep two of them in work
 * at a time: the instructions for one wait for each other, those for two fill the gaps.
 *
 * Threads: any, at the same time, once qed_sha256_setup has returned. Nothing is allocated.
 * Source: FIPS 180-4.
 */
#ifndef QED_SHA256_H
#define QED_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Choose the fastest implementation that this machine has. Called once, when the module is loaded;
 * before that, and with QED_SHA256=portable in the environment, the portable one is used.
 * QED_SHA256=pairs never hashes sixteen messages at once, =sixteen does wherever it can. */
void qed_sha256_setup(void);

/* The one in use: "sha_ni", "armv8" or "portable"; "sha_ni + avx512" or "avx512" where whole batches
 * go sixteen at once. */
const char *qed_sha256_name(void);

void qed_sha256(const uint8_t *data, size_t length, uint8_t out[32]);

/* Hash `count` messages of any lengths; out[i] is that of data[i]. */
void qed_sha256_many(const uint8_t *const data[], const size_t length[], size_t count,
                     uint8_t (*out)[32]);

/* Hash `count` messages that are padded already (0x80, zeros, the length in bits as u64): of one
 * block each, or of two. out[i] receives 32 bytes. It may lie in a message that was hashed before
 * or is hashed now, not in a later one. */
void qed_sha256_padded1(const uint8_t (*messages)[64], size_t count, uint8_t *const out[]);
void qed_sha256_padded2(const uint8_t (*messages)[128], size_t count, uint8_t *const out[]);

#endif
