/* Sixteen messages at once on x86 with AVX-512: one message in each 32-bit lane of a register.
 *
 * Word t of all sixteen is one vector, so a round is the one of FIPS 180-4 written down; only the
 * way in and out turns rows into columns. Where the processor has SHA instructions as well, which
 * of the two is faster differs from one to the next: qed_sha256_setup asks the clock. */
#include "sha256_internal.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>
#include <string.h>

#define WITH_AVX512 __attribute__((target("avx512f,avx512bw")))
#define INLINE WITH_AVX512 __attribute__((always_inline)) static inline

#define ADD(a, b) _mm512_add_epi32(a, b)
#define TURN(x, n) _mm512_ror_epi32(x, n)
#define XOR(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MAJORITY(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)

/* Turn 16 rows of 16 words into columns. */
INLINE void transpose(__m512i r[16])
{
    __m512i t[16];

    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* Quarter q of r[i + k] holds word 4 q + k of the rows i to i + 3. */
    for (int k = 0; k < 4; k++) {
        __m512i even_low = _mm512_shuffle_i32x4(r[k], r[4 + k], 0x88);
        __m512i odd_low = _mm512_shuffle_i32x4(r[k], r[4 + k], 0xdd);
        __m512i even_high = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0x88);
        __m512i odd_high = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0xdd);
        t[k] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        t[4 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        t[8 + k] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        t[12 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
    for (int i = 0; i < 16; i++)
        r[i] = t[i];
}

/* The bytes of each word the other way round. */
INLINE __m512i swap(__m512i x)
{
    return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(_mm_set_epi8(
                                      12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3)));
}

/* One round; s[(64 - t + i) % 8] is variable i of the standard, so that nothing moves. */
INLINE void turn_round(__m512i s[8], __m512i w, uint32_t constant, unsigned t)
{
    __m512i a = s[(64 - t) % 8], b = s[(65 - t) % 8], c = s[(66 - t) % 8];
    __m512i e = s[(68 - t) % 8], f = s[(69 - t) % 8], g = s[(70 - t) % 8], h = s[(71 - t) % 8];
    __m512i one = ADD(ADD(ADD(h, XOR(TURN(e, 6), TURN(e, 11), TURN(e, 25))), CHOOSE(e, f, g)),
                      ADD(_mm512_set1_epi32((int)constant), w));

    s[(67 - t) % 8] = ADD(s[(67 - t) % 8], one);
    s[(71 - t) % 8] =
        ADD(ADD(one, XOR(TURN(a, 2), TURN(a, 13), TURN(a, 22))), MAJORITY(a, b, c));
}

/* Word t + 16 of the schedule takes the place of word t. */
INLINE void turn_schedule(__m512i w[16], unsigned t)
{
    __m512i x = w[(t + 1) % 16], y = w[(t + 14) % 16];
    __m512i zero = XOR(TURN(x, 7), TURN(x, 18), _mm512_srli_epi32(x, 3));
    __m512i one = XOR(TURN(y, 17), TURN(y, 19), _mm512_srli_epi32(y, 10));

    w[t % 16] = ADD(ADD(w[t % 16], w[(t + 9) % 16]), ADD(zero, one));
}

#define EIGHT(STEP, t) STEP(t) STEP(t + 1) STEP(t + 2) STEP(t + 3) STEP(t + 4) STEP(t + 5) \
    STEP(t + 6) STEP(t + 7)
#define ROUND(t) turn_round(s, w[(t) % 16], constants[t], t);
#define SCHEDULE(t) turn_schedule(w, t);

INLINE void compress(__m512i state[8], __m512i w[16])
{
    const uint32_t *constants = qed_sha256_rounds;
    __m512i s[8];

    for (int i = 0; i < 8; i++)
        s[i] = state[i];
    EIGHT(ROUND, 0)
    EIGHT(ROUND, 8)
    for (int part = 1; part < 4; part++) {
        constants += 16;
        EIGHT(SCHEDULE, 0)
        EIGHT(ROUND, 0)
        EIGHT(SCHEDULE, 8)
        EIGHT(ROUND, 8)
    }
    for (int i = 0; i < 8; i++)
        state[i] = ADD(state[i], s[i]);
}

WITH_AVX512 static void hash_sixteen(const uint8_t *data, size_t blocks, uint8_t *const out[16])
{
    __m512i state[16];

    for (int i = 0; i < 8; i++)
        state[i] = _mm512_set1_epi32((int)qed_sha256_initial[i]);
    for (size_t block = 0; block < blocks; block++) {
        __m512i w[16];
        for (size_t i = 0; i < 16; i++)
            w[i] = swap(_mm512_loadu_si512(data + 64 * (i * blocks + block)));
        transpose(w);
        compress(state, w);
    }
    for (int i = 8; i < 16; i++)
        state[i] = _mm512_setzero_si512();
    transpose(state);
    for (int i = 0; i < 16; i++) {
        __m256i hash = _mm512_castsi512_si256(swap(state[i]));
        memcpy(out[i], &hash, sizeof hash);
    }
}

qed_sha256_sixteen *qed_sha256_find_sixteen(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw"))
        return NULL;
    return hash_sixteen;
}

#else

qed_sha256_sixteen *qed_sha256_find_sixteen(void)
{
    return NULL;
}

#endif
