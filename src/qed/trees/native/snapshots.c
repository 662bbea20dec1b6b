/* The snapshot log, level by level. */

#include "snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "sha256.h"

enum {
    HASH = 32,
    BATCH = 32,       /* messages hashed together: they stay in the L1 cache */
    SEGMENT = 2048,   /* leaves that climb together: their nodes stay in the L2 cache */
    TAG_BYTES = 12,
    VERSION_AT = 1 + TAG_BYTES, /* after the byte that says it is a leaf */
    EVENT_AT = VERSION_AT + 8,
    HISTORY_AT = EVENT_AT + HASH,
    HYPER_AT = HISTORY_AT + HASH,
    LEAF_BYTES = HYPER_AT + HASH,
    NODE_BYTES = 1 + 2 * HASH,
    MESSAGE = 128
};

struct batch {
    uint8_t message[BATCH][MESSAGE];
    uint8_t *out[BATCH];
};

/* Pads messages of `length` bytes, at most 119, to two blocks. */
static void pad(struct batch *batch, size_t length)
{
    for (size_t i = 0; i < BATCH; i++) {
        memset(batch->message[i] + length, 0, MESSAGE - length);
        batch->message[i][length] = 0x80;
        batch->message[i][MESSAGE - 2] = (uint8_t)(8 * length >> 8);
        batch->message[i][MESSAGE - 1] = (uint8_t)(8 * length);
    }
}

static void hash_batch(struct batch *batch, size_t count)
{
    qed_sha256_padded2((const uint8_t(*)[MESSAGE])batch->message, count, batch->out);
}

void qed_snapshots_hash_leaves(uint64_t first_version, const uint8_t *digests,
                               const uint8_t *history_digests, const uint8_t *hyper_digest,
                               size_t count, uint8_t *out)
{
    struct batch batch;
    size_t slots = count < BATCH ? count : BATCH;
    pad(&batch, LEAF_BYTES);
    for (size_t i = 0; i < slots; i++) {
        batch.message[i][0] = 0;
        memcpy(batch.message[i] + 1, "qed/snap/v1\n", TAG_BYTES);
        memcpy(batch.message[i] + HYPER_AT, hyper_digest, HASH);
    }
    for (size_t done = 0; done < count; done += slots) {
        if (slots > count - done)
            slots = count - done;
        for (size_t i = 0; i < slots; i++) {
            uint64_t version = first_version + done + i;
            uint8_t *message = batch.message[i];
            for (int byte = 0; byte < 8; byte++)
                message[VERSION_AT + byte] = (uint8_t)(version >> (56 - 8 * byte));
            memcpy(message + EVENT_AT, digests + (done + i) * HASH, HASH);
            memcpy(message + HISTORY_AT, history_digests + (done + i) * HASH, HASH);
            batch.out[i] = out + (done + i) * HASH;
        }
        hash_batch(&batch, slots);
    }
}

bool qed_tile_nodes_reserve(struct qed_tile_nodes *nodes, uint64_t size, size_t count)
{
    size_t all = 0;
    for (unsigned level = 0; level < QED_TILE_LEVELS; level++) {
        unsigned h = level * QED_TILE_HEIGHT;
        nodes->first[level] = size >> h;
        nodes->count[level] = level == 0 ? 0 : (size_t)(((size + count) >> h) - (size >> h));
        nodes->offset[level] = all;
        all += nodes->count[level];
    }
    nodes->hashes = malloc((all + 1) * HASH); /* one more, never malloc(0) */
    return nodes->hashes != NULL;
}

void qed_tile_nodes_free(struct qed_tile_nodes *nodes)
{
    free(nodes->hashes);
    nodes->hashes = NULL;
}

/* `level` holds the complete nodes of height h with the numbers [size >> h, stop >> h); they become
 * those of height h + 1, in place: a result lands where only what was read before it lies. */
static void pair_level(struct batch *batch, const uint8_t *peak, uint8_t *level, uint64_t size,
                       uint64_t stop, unsigned h)
{
    uint64_t start = size >> h, above = start >> 1;
    size_t slots = 0;
    for (uint64_t j = above; j < stop >> h >> 1; j++) {
        uint8_t *message = batch->message[slots];
        const uint8_t *left = 2 * j < start ? peak : level + (2 * j - start) * HASH;
        memcpy(message + 1, left, HASH);
        memcpy(message + 1 + HASH, level + (2 * j + 1 - start) * HASH, HASH);
        batch->out[slots++] = level + (j - above) * HASH;
        if (slots == BATCH) {
            hash_batch(batch, slots);
            slots = 0;
        }
    }
    if (slots != 0)
        hash_batch(batch, slots);
}

static void keep_level(struct qed_tile_nodes *nodes, const uint8_t *level, uint64_t start,
                       uint64_t end, unsigned tile_level)
{
    size_t at = nodes->offset[tile_level] + (size_t)(start - nodes->first[tile_level]);
    memcpy(nodes->hashes + at, level, (size_t)(end - start) * HASH);
}

static void extend_segment(struct batch *batch, uint8_t (*peaks)[32], uint8_t *level, uint64_t size,
                           uint64_t stop, struct qed_tile_nodes *nodes)
{
    for (unsigned h = 0; h < 64 && stop >> h != size >> h; h++) {
        uint64_t start = size >> h, end = stop >> h;
        uint8_t peak[HASH];
        if (h != 0 && h % QED_TILE_HEIGHT == 0)
            keep_level(nodes, level, start, end, h / QED_TILE_HEIGHT);
        if (end & 1)
            memcpy(peak, level + (end - 1 - start) * HASH, HASH);
        if (h < 63)
            pair_level(batch, peaks[h], level, size, stop, h);
        if (end & 1)
            memcpy(peaks[h], peak, HASH);
    }
}

void qed_snapshots_extend(uint64_t size, uint8_t (*peaks)[32], const uint8_t *hashes, size_t count,
                          struct qed_tile_nodes *nodes)
{
    struct batch batch;
    uint8_t level[SEGMENT * HASH];
    pad(&batch, NODE_BYTES);
    for (size_t i = 0; i < BATCH; i++)
        batch.message[i][0] = 1;
    while (count != 0) {
        size_t part = count < SEGMENT ? count : SEGMENT;
        memcpy(level, hashes, part * HASH);
        extend_segment(&batch, peaks, level, size, size + part, nodes);
        size += part;
        hashes += part * HASH;
        count -= part;
    }
}
