/* SHA-256 with the cryptographic instructions of 64-bit ARM processors, one stream or two.
 *
 * Two messages at once for the same reason as in sha256_x86.c: each instruction waits for the one
 * before it.
 * Source: Arm C Language Extensions, "SHA-256 intrinsics".
 */
#include "sha256_internal.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && \
    (defined(__APPLE__) || (defined(__linux__) && (!defined(__clang__) || __clang_major__ >= 16)))

#include <arm_neon.h>
#include <string.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__clang__)
#define WITH_SHA __attribute__((target("sha2")))
#else
#define WITH_SHA __attribute__((target("+crypto")))
#endif
#define INLINE_WITH_SHA WITH_SHA __attribute__((always_inline)) static inline

struct stream {
    uint32x4_t abcd, efgh;
    uint32x4_t message[4]; /* the last sixteen words of the message schedule */
};

INLINE_WITH_SHA void stream_load(struct stream *stream, const uint32_t state[8])
{
    stream->abcd = vld1q_u32(state);
    stream->efgh = vld1q_u32(state + 4);
}

INLINE_WITH_SHA void stream_store(const struct stream *stream, uint32_t state[8])
{
    vst1q_u32(state, stream->abcd);
    vst1q_u32(state + 4, stream->efgh);
}

/* Rounds 4 * group to 4 * group + 3; the loop around it is unrolled. */
INLINE_WITH_SHA void stream_step(struct stream *stream, unsigned group)
{
    uint32x4_t *message = stream->message;
    unsigned now = group % 4;
    uint32x4_t before = stream->abcd;

    uint32x4_t sum = vaddq_u32(message[now], vld1q_u32(qed_sha256_rounds + 4 * group));
    if (group < 12)
        message[now] =
            vsha256su1q_u32(vsha256su0q_u32(message[now], message[(group + 1) % 4]),
                            message[(group + 2) % 4], message[(group + 3) % 4]);
    stream->abcd = vsha256hq_u32(stream->abcd, stream->efgh, sum);
    stream->efgh = vsha256h2q_u32(stream->efgh, before, sum);
}

INLINE_WITH_SHA void load_block(struct stream *stream, const uint8_t *block)
{
    for (unsigned i = 0; i < 4; i++)
        stream->message[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block + 16 * i)));
}

INLINE_WITH_SHA void stream_add(struct stream *stream, uint32x4_t abcd, uint32x4_t efgh)
{
    stream->abcd = vaddq_u32(stream->abcd, abcd);
    stream->efgh = vaddq_u32(stream->efgh, efgh);
}

WITH_SHA static void compress(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    struct stream a;

    stream_load(&a, state);
    for (; blocks > 0; blocks--, data += 64) {
        uint32x4_t abcd = a.abcd, efgh = a.efgh;
        load_block(&a, data);
#pragma GCC unroll 16
        for (unsigned group = 0; group < 16; group++)
            stream_step(&a, group);
        stream_add(&a, abcd, efgh);
    }
    stream_store(&a, state);
}

WITH_SHA static void compress_two(uint32_t state_a[8], const uint8_t *data_a, uint32_t state_b[8],
                                  const uint8_t *data_b, size_t blocks)
{
    struct stream a, b;

    stream_load(&a, state_a);
    stream_load(&b, state_b);
    for (; blocks > 0; blocks--, data_a += 64, data_b += 64) {
        uint32x4_t abcd_a = a.abcd, efgh_a = a.efgh, abcd_b = b.abcd, efgh_b = b.efgh;
        load_block(&a, data_a);
        load_block(&b, data_b);
#pragma GCC unroll 16
        for (unsigned group = 0; group < 16; group++) {
            stream_step(&a, group);
            stream_step(&b, group);
        }
        stream_add(&a, abcd_a, efgh_a);
        stream_add(&b, abcd_b, efgh_b);
    }
    stream_store(&a, state_a);
    stream_store(&b, state_b);
}

WITH_SHA static void hash_two(const uint8_t *data_a, const uint8_t *data_b, size_t blocks,
                              uint8_t *out_a, uint8_t *out_b)
{
    uint32_t a[8], b[8];

    memcpy(a, qed_sha256_initial, sizeof a);
    memcpy(b, qed_sha256_initial, sizeof b);
    compress_two(a, data_a, b, data_b, blocks);
    qed_sha256_store(a, out_a);
    qed_sha256_store(b, out_b);
}

static const struct qed_sha256_implementation armv8 = {
    .name = "armv8",
    .compress = compress,
    .compress_two = compress_two,
    .hash_two = hash_two,
};

const struct qed_sha256_implementation *qed_sha256_find_arm(void)
{
#if defined(__linux__)
    if (!(getauxval(AT_HWCAP) & HWCAP_SHA2))
        return NULL;
#endif
    return &armv8; /* every 64-bit Apple processor has them */
}

#else

const struct qed_sha256_implementation *qed_sha256_find_arm(void)
{
    return NULL;
}

#endif
