/* Which implementation is used, how messages are padded, and what goes through it together. */
#include "sha256.h"
#include "sha256_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The only mutable state of the native code: written once, by qed_sha256_setup. */
static const struct qed_sha256_implementation *chosen = &qed_sha256_portable;
static qed_sha256_sixteen *sixteen; /* for whole batches, where it is faster than pairs; or NULL */

static void hash_pairs(const uint8_t *messages, size_t blocks, size_t count, uint8_t *const out[]);

static double seconds(void)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Whether sixteen at once beat eight pairs, on this processor, now. Takes some 20 microseconds. */
static int is_faster(qed_sha256_sixteen *wide)
{
    static const uint8_t messages[16 * 128];
    uint8_t hashes[16][32], *out[16];
    double best[2] = {1, 1};

    for (size_t i = 0; i < 16; i++)
        out[i] = hashes[i];
    for (int turn = 0; turn < 8; turn++) {
        double start = seconds();
        hash_pairs(messages, 2, 16, out);
        double middle = seconds();
        wide(messages, 2, out);
        double end = seconds();
        best[0] = middle - start < best[0] ? middle - start : best[0];
        best[1] = end - middle < best[1] ? end - middle : best[1];
    }
    return best[1] < best[0];
}

void qed_sha256_setup(void)
{
    const char *forced = getenv("QED_SHA256");
    const struct qed_sha256_implementation *found = NULL;
    qed_sha256_sixteen *wide;

    if (forced == NULL)
        forced = "";
    if (strcmp(forced, qed_sha256_portable.name) == 0)
        return;
    found = qed_sha256_find_x86();
    if (found == NULL)
        found = qed_sha256_find_arm();
    if (found != NULL)
        chosen = found;
    wide = qed_sha256_find_sixteen();
    if (wide == NULL || strcmp(forced, "pairs") == 0)
        return;
    if (strcmp(forced, "sixteen") == 0 || is_faster(wide))
        sixteen = wide;
}

const char *qed_sha256_name(void)
{
    if (sixteen == NULL)
        return chosen->name;
    return chosen == &qed_sha256_portable ? "avx512" : "sha_ni + avx512";
}

/* One of the two messages in work: first its whole blocks where they lie, then its padded end. */
struct lane {
    uint32_t state[8];
    const uint8_t *next;
    size_t blocks;     /* left at `next` */
    size_t end_blocks; /* of `end`, not begun yet; 0 once it has */
    uint8_t end[128];
    uint8_t *out;
};

static void lane_open(struct lane *lane, const uint8_t *data, size_t length, uint8_t *out)
{
    size_t rest = length % 64;
    uint64_t bits = (uint64_t)length * 8;

    memcpy(lane->state, qed_sha256_initial, sizeof lane->state);
    lane->next = data;
    lane->blocks = length / 64;
    lane->end_blocks = rest < 56 ? 1 : 2;
    memset(lane->end, 0, sizeof lane->end);
    if (rest > 0)
        memcpy(lane->end, data + (length - rest), rest);
    lane->end[rest] = 0x80;
    for (size_t i = 0; i < 8; i++)
        lane->end[64 * lane->end_blocks - 1 - i] = (uint8_t)(bits >> 8 * i);
    lane->out = out;
}

/* Go on to the end of the message when its whole blocks are done. Returns 0 when all is hashed,
 * which is when the hash has been written. */
static int lane_has_blocks(struct lane *lane)
{
    if (lane->blocks > 0)
        return 1;
    if (lane->end_blocks > 0) {
        lane->next = lane->end;
        lane->blocks = lane->end_blocks;
        lane->end_blocks = 0;
        return 1;
    }
    qed_sha256_store(lane->state, lane->out);
    return 0;
}

static void lane_advance(struct lane *lane, size_t blocks)
{
    lane->next += 64 * blocks;
    lane->blocks -= blocks;
}

static void lane_finish(struct lane *lane)
{
    while (lane_has_blocks(lane)) {
        chosen->compress(lane->state, lane->next, lane->blocks);
        lane_advance(lane, lane->blocks);
    }
}

void qed_sha256(const uint8_t *data, size_t length, uint8_t out[32])
{
    struct lane lane;

    lane_open(&lane, data, length, out);
    lane_finish(&lane);
}

void qed_sha256_many(const uint8_t *const data[], const size_t length[], size_t count,
                     uint8_t (*out)[32])
{
    struct lane a, b;
    size_t next = 0;
    int a_busy = 0, b_busy = 0;

    for (;;) {
        while (!(a_busy = a_busy && lane_has_blocks(&a)) && next < count) {
            lane_open(&a, data[next], length[next], out[next]);
            a_busy = 1;
            next++;
        }
        while (!(b_busy = b_busy && lane_has_blocks(&b)) && next < count) {
            lane_open(&b, data[next], length[next], out[next]);
            b_busy = 1;
            next++;
        }
        if (!a_busy || !b_busy)
            break;
        size_t blocks = a.blocks < b.blocks ? a.blocks : b.blocks;
        chosen->compress_two(a.state, a.next, b.state, b.next, blocks);
        lane_advance(&a, blocks);
        lane_advance(&b, blocks);
    }
    if (a_busy)
        lane_finish(&a);
    if (b_busy)
        lane_finish(&b);
}

/* Hash padded messages that lie one after the other, `blocks` blocks each. */
static void hash_pairs(const uint8_t *messages, size_t blocks, size_t count, uint8_t *const out[])
{
    size_t size = 64 * blocks, i = 0;
    uint32_t state[8];

    for (; i + 2 <= count; i += 2)
        chosen->hash_two(messages + i * size, messages + (i + 1) * size, blocks, out[i],
                         out[i + 1]);
    if (i < count) {
        memcpy(state, qed_sha256_initial, sizeof state);
        chosen->compress(state, messages + i * size, blocks);
        qed_sha256_store(state, out[i]);
    }
}

/* So many left over are worth a turn of sixteen, the places to spare hashing nothing of use. */
enum { WORTH_SIXTEEN = 12 };

static void hash_padded(const uint8_t *messages, size_t blocks, size_t count, uint8_t *const out[])
{
    if (sixteen != NULL) {
        size_t size = 64 * blocks;
        for (; count >= 16; count -= 16, messages += 16 * size, out += 16)
            sixteen(messages, blocks, out);
        if (count >= WORTH_SIXTEEN) {
            uint8_t copies[16 * 128], unused[32], *all[16];
            memcpy(copies, messages, count * size);
            memset(copies + count * size, 0, (16 - count) * size);
            for (size_t i = 0; i < 16; i++)
                all[i] = i < count ? out[i] : unused;
            sixteen(copies, blocks, all);
            return;
        }
    }
    hash_pairs(messages, blocks, count, out);
}

void qed_sha256_padded1(const uint8_t (*messages)[64], size_t count, uint8_t *const out[])
{
    hash_padded((const uint8_t *)messages, 1, count, out);
}

void qed_sha256_padded2(const uint8_t (*messages)[128], size_t count, uint8_t *const out[])
{
    hash_padded((const uint8_t *)messages, 2, count, out);
}
