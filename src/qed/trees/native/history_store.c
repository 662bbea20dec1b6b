/* What the history tree keeps, chunk by chunk. */

#include "history.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_NODES = (1 << QED_CHUNK_BITS) + 3840, /* digests, then 2048 + 1024 + 512 + 256 nodes */
    UPPER_NODES = 255,                          /* 128 + 64 + ... + 1, heights 8 to 15 */
    FREEZE_PART = 8192,
};
#define BLOCK_BYTES ((size_t)BLOCK_NODES * 32)

void qed_history_init(struct qed_history *history)
{
    memset(history, 0, sizeof *history);
    history->memory_bytes = sizeof *history;
}

void qed_history_free(struct qed_history *history)
{
    for (size_t i = 0; i < history->chunk_count; i++) {
        free(history->chunks[i].block);
        free(history->chunks[i].upper);
    }
    free(history->chunks);
    qed_history_init(history);
}

/* --- room ----------------------------------------------------------------------------------- */

/* The nodes that are kept for good for a chunk: above height 15 those that end where it ends, one
 * for each time that 2 divides its number counted from 1. */
static size_t upper_bytes(size_t chunk)
{
    return (UPPER_NODES + (size_t)__builtin_ctzll((uint64_t)chunk + 1)) * 32;
}

static bool add_chunk(struct qed_history *history)
{
    if (history->chunk_count == history->chunk_capacity) {
        size_t capacity = history->chunk_capacity ? 2 * history->chunk_capacity : 16;
        if (capacity > SIZE_MAX / sizeof *history->chunks)
            return false;
        struct qed_chunk *chunks = qed_take(&history->takings, capacity * sizeof *chunks);
        if (chunks == NULL)
            return false;
        if (history->chunk_count != 0)
            memcpy(chunks, history->chunks, history->chunk_count * sizeof *chunks);
        free(history->chunks);
        history->chunks = chunks;
        history->memory_bytes += (capacity - history->chunk_capacity) * sizeof *history->chunks;
        history->chunk_capacity = capacity;
    }
    struct qed_chunk chunk;
    chunk.block = qed_take(&history->takings, BLOCK_BYTES);
    chunk.upper = qed_take(&history->takings, upper_bytes(history->chunk_count));
    if (chunk.block == NULL || chunk.upper == NULL) {
        free(chunk.block);
        free(chunk.upper);
        return false;
    }
    history->memory_bytes += BLOCK_BYTES + upper_bytes(history->chunk_count);
    history->chunks[history->chunk_count++] = chunk;
    return true;
}

/* The chunks that so many versions need. */
static uint64_t chunks_of(uint64_t size)
{
    return (size >> QED_CHUNK_BITS) + ((size & (QED_CHUNK - 1)) != 0);
}

bool qed_history_reserve(struct qed_history *history, uint64_t count)
{
    uint64_t size = history->frontier.size;
    if (count > QED_MAX_SIZE - size)
        return false;
    while (history->chunk_count < chunks_of(size + count)) {
        if (!add_chunk(history)) {
            qed_history_trim(history);
            return false;
        }
    }
    return true;
}

void qed_history_trim(struct qed_history *history)
{
    while (history->chunk_count > chunks_of(history->frontier.size)) {
        struct qed_chunk *chunk = &history->chunks[--history->chunk_count];
        free(chunk->block);
        free(chunk->upper);
        history->memory_bytes -= BLOCK_BYTES + upper_bytes(history->chunk_count);
    }
}

size_t qed_history_forget(struct qed_history *history, size_t keep_bytes)
{
    size_t before = history->memory_bytes;
    while (history->memory_bytes > keep_bytes && history->first_held + 1 < history->chunk_count) {
        struct qed_chunk *chunk = &history->chunks[history->first_held++];
        free(chunk->block);
        chunk->block = NULL;
        history->memory_bytes -= BLOCK_BYTES;
    }
    return before - history->memory_bytes;
}

/* --- places --------------------------------------------------------------------------------- */

/* The place of a node of height 4 or more in its chunk; NULL where it is forgotten. Its last leaf
 * is in the chunk: for heights above 15 the chunk is the last of those below. */
static uint8_t *place(const struct qed_history *history, uint64_t number, unsigned height)
{
    uint64_t last = ((number + 1) << height) - 1;
    const struct qed_chunk *chunk = &history->chunks[last >> QED_CHUNK_BITS];
    if (height > QED_CHUNK_BITS)
        return chunk->upper[UPPER_NODES + (height - QED_CHUNK_BITS - 1)];
    size_t width = QED_CHUNK >> height, within = (size_t)number & (width - 1);
    if (height >= QED_UPPER_HEIGHT)
        return chunk->upper[256 - 2 * width + within];
    return chunk->block == NULL ? NULL : chunk->block[QED_CHUNK + 4096 - 2 * width + within];
}

bool qed_history_holds(const struct qed_history *history, uint64_t version)
{
    return version >> QED_CHUNK_BITS >= history->first_held;
}

const uint8_t *qed_history_digest(const struct qed_history *history, uint64_t version)
{
    if (version >= history->frontier.size || !qed_history_holds(history, version))
        return NULL;
    return history->chunks[version >> QED_CHUNK_BITS].block[version & (QED_CHUNK - 1)];
}

int qed_history_fetch(void *history, uint64_t version, uint8_t out[32])
{
    const uint8_t *digest = qed_history_digest(history, version);
    if (digest == NULL)
        return 1;
    memcpy(out, digest, 32);
    return 0;
}

const uint8_t *qed_history_node(const struct qed_history *history, uint64_t index, unsigned height)
{
    /* The peaks first: proofs as of the newest version end in them. */
    uint64_t size = history->frontier.size;
    if (size >> height & 1 && index == size >> height >> 1 << 1 << height)
        return history->frontier.peaks[height];
    return height < QED_LOW_HEIGHT ? NULL : place(history, index >> height, height);
}

/* --- writing -------------------------------------------------------------------------------- */

/* Writes a group's digests and frozen nodes to their places, which are reserved. */
static void write_group(struct qed_history *history, const uint8_t *digests,
                        const struct qed_frozen *frozen)
{
    for (uint64_t at = frozen->first; at < frozen->stop;) {
        uint64_t within = at & (QED_CHUNK - 1), count = QED_CHUNK - within;
        if (count > frozen->stop - at)
            count = frozen->stop - at;
        memcpy(history->chunks[at >> QED_CHUNK_BITS].block[within], digests, (size_t)count * 32);
        digests += count * 32;
        at += count;
    }
    for (unsigned h = QED_LOW_HEIGHT; frozen->stop >> h != 0; h++) {
        const uint8_t(*nodes)[32] = (const uint8_t(*)[32])frozen->hashes + frozen->offset[h];
        for (uint64_t j = frozen->first >> h; j < frozen->stop >> h; j++)
            memcpy(place(history, j, h), nodes[j - (frozen->first >> h)], 32);
    }
}

void qed_history_accept(struct qed_history *history, const struct qed_frontier *after,
                        const uint8_t *digests, const struct qed_frozen *frozen)
{
    write_group(history, digests, frozen);
    history->frontier = *after;
}

bool qed_history_freeze(struct qed_history *history, struct qed_frontier *ahead,
                        const uint8_t *digests, size_t count)
{
    while (count != 0) {
        size_t part = count < FREEZE_PART ? count : FREEZE_PART;
        struct qed_frozen frozen;
        if (!qed_frozen_reserve(&frozen, ahead->size, part, &history->takings))
            return false;
        qed_frontier_freeze(ahead, digests, part, &frozen);
        write_group(history, digests, &frozen);
        qed_frozen_free(&frozen);
        digests += part * 32;
        count -= part;
    }
    qed_frontier_spine(ahead);
    return true;
}
