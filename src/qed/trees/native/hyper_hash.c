/* The hashes of SPEC 3: leaves first, then the nodes of one depth after the other, upward. All of
 * one depth are independent of each other, which is what two streams want. */
#include "hyper_parts.h"
#include "sha256.h"

#include <string.h>

/* Where things are in the two padded blocks of a message: right || left || height || index of an
 * inner node (98 bytes), version || height || index of a leaf (66 bytes). */
#define INNER_POSITION 64
#define INNER_BYTES 98
#define LEAF_POSITION 32
#define LEAF_BYTES 66

static void pad(uint8_t message[128], unsigned length)
{
    memset(message, 0, 128);
    message[length] = 0x80;
    message[126] = (uint8_t)(length * 8 >> 8);
    message[127] = (uint8_t)(length * 8);
}

void qed_batch_init(struct qed_work *work)
{
    for (unsigned i = 0; i < QED_BATCH; i++) {
        pad(work->batch.messages[i], INNER_BYTES);
        pad(work->leaf_batch.messages[i], LEAF_BYTES);
    }
}

/* Height and index of the node of a depth that leads to a digest: 34 bytes. */
static void put_position(uint8_t *to, unsigned depth, const uint8_t *digest)
{
    unsigned height = 256 - depth, whole = depth >> 3;
    uint8_t *index = to + 2;

    to[0] = (uint8_t)(height >> 8);
    to[1] = (uint8_t)height;
    if (depth < 64) {
        qed_store64(index, qed_load64(digest) & ~(UINT64_MAX >> depth));
        memset(index + 8, 0, 24);
        return;
    }
    memcpy(index, digest, whole);
    memset(index + whole, 0, 32 - whole);
    if (depth & 7)
        index[whole] = (uint8_t)(digest[whole] & 0xff00 >> (depth & 7));
}

#define ITEMS_BESIDE 12 /* placed while a batch is hashed: then both come to their end together */

static void flush(struct qed_work *work, struct qed_batch *batch, struct qed_trie *beside)
{
    if (beside != NULL && beside->work.placing)
        qed_place_some(beside, ITEMS_BESIDE);
    qed_sha256_padded2((const uint8_t(*)[128])batch->messages, batch->count, batch->out);
    work->hashes += batch->count;
    batch->count = 0;
}

static inline void add_inner(struct qed_work *work, const uint8_t *block, uint8_t *out,
                             const uint8_t *digest, unsigned depth, struct qed_trie *beside)
{
    struct qed_batch *batch = &work->batch;
    uint8_t *message = batch->messages[batch->count];

    memcpy(message, block, 64);
    put_position(message + INNER_POSITION, depth, digest);
    batch->out[batch->count++] = out;
    if (batch->count == QED_BATCH)
        flush(work, batch, beside);
}

static void hash_leaves(struct qed_work *work, struct qed_trie *beside)
{
    const struct qed_leaf *leaves = work->leaves.items;
    struct qed_batch *batch = &work->leaf_batch;

    for (size_t i = 0; i < work->leaves.count; i++) {
        uint8_t *message = batch->messages[batch->count];
        qed_store64(message + 24, leaves[i].version);
        put_position(message + LEAF_POSITION, leaves[i].depth, leaves[i].digest);
        batch->out[batch->count++] = leaves[i].out;
        if (batch->count == QED_BATCH)
            flush(work, batch, beside);
    }
    flush(work, batch, NULL);
}

void qed_hash_work(struct qed_work *work, struct qed_trie *beside)
{
    const struct qed_item *items = work->items.items;
    const struct qed_member *keys = work->keys.items;

    hash_leaves(work, beside);
    for (unsigned depth = work->deepest + 1; depth-- > 0;) {
        const struct qed_job *jobs = work->jobs[depth].items;
        for (size_t i = 0; i < work->jobs[depth].count; i++)
            add_inner(work, jobs[i].block, jobs[i].out, jobs[i].digest, depth, beside);
        for (size_t i = work->level[depth]; i < work->level[depth + 1]; i++)
            if (items[i].block != NULL)
                add_inner(work, items[i].block, items[i].out, keys[items[i].low].lead, depth,
                          beside);
        flush(work, &work->batch, NULL);
    }
}

void qed_hash_inner(const uint8_t block[64], unsigned depth, const uint8_t *digest,
                    uint8_t out[32])
{
    uint8_t message[INNER_BYTES];

    memcpy(message, block, 64);
    put_position(message + INNER_POSITION, depth, digest);
    qed_sha256(message, sizeof message, out);
}

void qed_hash_leaf(uint64_t version, unsigned depth, const uint8_t *digest, uint8_t out[32])
{
    uint8_t message[LEAF_BYTES] = {0};

    qed_store64(message + 24, version);
    put_position(message + LEAF_POSITION, depth, digest);
    qed_sha256(message, sizeof message, out);
}

void qed_hash_defaults(uint8_t defaults[QED_DEPTHS][32])
{
    uint8_t both[64] = {0};

    qed_sha256(both, 2, defaults[256]);
    for (unsigned depth = 256; depth-- > 0;) {
        memcpy(both, defaults[depth + 1], 32);
        memcpy(both + 32, defaults[depth + 1], 32);
        qed_sha256(both, 64, defaults[depth]);
    }
}
