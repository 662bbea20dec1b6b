/* Which implementation is used, how messages are padded, and how pairs of them are found. */
#include "sha256.h"
#include "sha256_internal.h"

#include <stdlib.h>
#include <string.h>

/* The only mutable state of the native code: written once, by qed_sha256_setup. */
static const struct qed_sha256_implementation *chosen = &qed_sha256_portable;

void qed_sha256_setup(void)
{
    const char *forced = getenv("QED_SHA256");
    const struct qed_sha256_implementation *found = NULL;

    if (forced == NULL || strcmp(forced, qed_sha256_portable.name) != 0) {
        found = qed_sha256_find_x86();
        if (found == NULL)
            found = qed_sha256_find_arm();
    }
    chosen = found != NULL ? found : &qed_sha256_portable;
}

const char *qed_sha256_name(void)
{
    return chosen->name;
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
static void hash_padded(const uint8_t *messages, size_t blocks, size_t count, uint8_t *const out[])
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

void qed_sha256_padded1(const uint8_t (*messages)[64], size_t count, uint8_t *const out[])
{
    hash_padded((const uint8_t *)messages, 1, count, out);
}

void qed_sha256_padded2(const uint8_t (*messages)[128], size_t count, uint8_t *const out[])
{
    hash_padded((const uint8_t *)messages, 2, count, out);
}
