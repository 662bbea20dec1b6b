/* SHA-256 with the SHA extensions of x86-64 processors, one stream or two.
 *
 * sha256rnds2 takes two rounds, and the next one has to wait for it; two independent messages fill
 * the wait. The instructions hold the state as (A B E F) and (C D G H), highest word first.
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, "SHA extensions".
 */
#include "sha256_internal.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE_WITH_SHA WITH_SHA __attribute__((always_inline)) static inline

struct stream {
    __m128i abef, cdgh;
    __m128i message[4]; /* the last sixteen words of the message schedule */
};

INLINE_WITH_SHA __m128i load(const uint8_t *bytes)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes), order);
}

INLINE_WITH_SHA void stream_initial(struct stream *stream)
{
    stream->abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    stream->cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
}

INLINE_WITH_SHA void stream_load(struct stream *stream, const uint32_t state[8])
{
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1b);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);

    stream->abef = _mm_unpackhi_epi64(efgh, abcd);
    stream->cdgh = _mm_unpacklo_epi64(efgh, abcd);
}

/* The state as eight words in memory, or, with their bytes turned, as the hash. */
INLINE_WITH_SHA void stream_store(const struct stream *stream, void *out, int as_hash)
{
    __m128i abcd = _mm_shuffle_epi32(_mm_unpackhi_epi64(stream->cdgh, stream->abef), 0x1b);
    __m128i efgh = _mm_shuffle_epi32(_mm_unpacklo_epi64(stream->cdgh, stream->abef), 0x1b);
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    if (as_hash) {
        abcd = _mm_shuffle_epi8(abcd, order);
        efgh = _mm_shuffle_epi8(efgh, order);
    }
    _mm_storeu_si128((__m128i *)out, abcd);
    _mm_storeu_si128((__m128i *)out + 1, efgh);
}

/* Rounds 4 * group to 4 * group + 3, and what they let the message schedule do. The loop around it
 * is unrolled, so that the indices are constants and the words stay in registers. */
INLINE_WITH_SHA void stream_step(struct stream *stream, const uint8_t *block, unsigned group)
{
    __m128i *message = stream->message;
    unsigned now = group % 4, next = (group + 1) % 4, before = (group + 3) % 4;

    if (group < 4)
        message[now] = load(block + 16 * group);
    __m128i sum = _mm_add_epi32(
        message[now], _mm_loadu_si128((const __m128i *)(qed_sha256_rounds + 4 * group)));
    stream->cdgh = _mm_sha256rnds2_epu32(stream->cdgh, stream->abef, sum);
    if (group >= 3 && group < 15) {
        __m128i middle = _mm_alignr_epi8(message[now], message[before], 4);
        message[next] =
            _mm_sha256msg2_epu32(_mm_add_epi32(message[next], middle), message[now]);
    }
    stream->abef = _mm_sha256rnds2_epu32(stream->abef, stream->cdgh, _mm_shuffle_epi32(sum, 0x0e));
    if (group >= 1 && group < 13)
        message[before] = _mm_sha256msg1_epu32(message[before], message[now]);
}

INLINE_WITH_SHA void stream_add(struct stream *stream, __m128i abef, __m128i cdgh)
{
    stream->abef = _mm_add_epi32(stream->abef, abef);
    stream->cdgh = _mm_add_epi32(stream->cdgh, cdgh);
}

INLINE_WITH_SHA void run_one(struct stream *a, const uint8_t *data, size_t blocks)
{
    for (; blocks > 0; blocks--, data += 64) {
        __m128i abef = a->abef, cdgh = a->cdgh;
#pragma GCC unroll 16
        for (unsigned group = 0; group < 16; group++)
            stream_step(a, data, group);
        stream_add(a, abef, cdgh);
    }
}

INLINE_WITH_SHA void run_two(struct stream *a, const uint8_t *data_a, struct stream *b,
                             const uint8_t *data_b, size_t blocks)
{
    for (; blocks > 0; blocks--, data_a += 64, data_b += 64) {
        __m128i abef_a = a->abef, cdgh_a = a->cdgh, abef_b = b->abef, cdgh_b = b->cdgh;
#pragma GCC unroll 16
        for (unsigned group = 0; group < 16; group++) {
            stream_step(a, data_a, group);
            stream_step(b, data_b, group);
        }
        stream_add(a, abef_a, cdgh_a);
        stream_add(b, abef_b, cdgh_b);
    }
}

WITH_SHA static void compress(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    struct stream a;

    stream_load(&a, state);
    run_one(&a, data, blocks);
    stream_store(&a, state, 0);
}

WITH_SHA static void compress_two(uint32_t state_a[8], const uint8_t *data_a, uint32_t state_b[8],
                                  const uint8_t *data_b, size_t blocks)
{
    struct stream a, b;

    stream_load(&a, state_a);
    stream_load(&b, state_b);
    run_two(&a, data_a, &b, data_b, blocks);
    stream_store(&a, state_a, 0);
    stream_store(&b, state_b, 0);
}

WITH_SHA static void hash_two(const uint8_t *data_a, const uint8_t *data_b, size_t blocks,
                              uint8_t *out_a, uint8_t *out_b)
{
    struct stream a, b;

    stream_initial(&a);
    stream_initial(&b);
    run_two(&a, data_a, &b, data_b, blocks);
    stream_store(&a, out_a, 1);
    stream_store(&b, out_b, 1);
}

static const struct qed_sha256_implementation sha_ni = {
    .name = "sha_ni",
    .compress = compress,
    .compress_two = compress_two,
    .hash_two = hash_two,
};

const struct qed_sha256_implementation *qed_sha256_find_x86(void)
{
    unsigned eax, ebx, ecx, edx;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_SSSE3) || !(ecx & bit_SSE4_1))
        return NULL;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(ebx & bit_SHA))
        return NULL;
    return &sha_ni;
}

#else

const struct qed_sha256_implementation *qed_sha256_find_x86(void)
{
    return NULL;
}

#endif
