/* The memory of a hyper tree: chunks that never move, free lists, and what is short-lived. */
#define _DEFAULT_SOURCE
#include "hyper_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define SLAB_BLOCKS 1024u /* of 64 bytes */
#define PAGE_BYTES 4096u
#define AHEAD 8u /* free nodes whose memory is on its way before they are taken */

/* Counts the takings of memory down to the one that a test wants to fail. */
bool qed_may_take(struct qed_trie *trie)
{
    if (trie->fail_after == 0)
        return true;
    if (trie->fail_after > 1)
        trie->fail_after--;
    return trie->fail_after > 1;
}

bool qed_grow(struct qed_trie *trie, struct qed_vector *vector, size_t item_bytes, size_t more)
{
    size_t capacity = vector->capacity * 2 > 64 ? vector->capacity * 2 : 64;
    void *items;

    while (capacity < vector->count + more)
        capacity *= 2;
    if (!qed_may_take(trie))
        return false;
    items = realloc(vector->items, capacity * item_bytes);
    if (items == NULL)
        return false;
    vector->items = items;
    vector->capacity = capacity;
    return true;
}

/* A chunk at an address that is a multiple of its size, so that it can be one huge page. */
static uint8_t *map_chunk(bool huge)
{
    size_t size = QED_CHUNK_BYTES;
    uint8_t *start = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
    size_t before;

    if (start == MAP_FAILED)
        return NULL;
    before = (size - (uintptr_t)start % size) % size;
    if (before > 0)
        munmap(start, before);
    munmap(start + before + size, size - before);
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(start + before, size, MADV_HUGEPAGE);
#else
    (void)huge;
#endif
    return start + before;
}

bool qed_region_init(struct qed_region *region, size_t item_bytes, bool huge)
{
    region->item_bytes = item_bytes;
    region->huge = huge;
    while ((item_bytes << (region->bits + 1)) <= QED_CHUNK_BYTES)
        region->bits++;
    /* For as many chunks as references can name: never moved, and resident only where it is used. */
    region->chunks = calloc(QED_MOST_NODES >> region->bits, sizeof *region->chunks);
    return region->chunks != NULL;
}

void qed_region_free(struct qed_region *region)
{
    for (uint32_t i = 0; i < region->chunk_count; i++)
        munmap(region->chunks[i], QED_CHUNK_BYTES);
    free(region->chunks);
}

/* Makes room for an item of this index; those below it have it. */
static bool region_reach(struct qed_trie *trie, struct qed_region *region, uint32_t index)
{
    uint8_t *chunk;

    if (index >> region->bits < region->chunk_count)
        return true;
    if (!qed_may_take(trie))
        return false;
    /* The first chunk stays on small pages: a small log touches little of it. */
    chunk = map_chunk(region->huge && region->chunk_count > 0);
    if (chunk == NULL)
        return false;
    region->chunks[region->chunk_count++] = chunk;
    return true;
}

/* The bytes that are resident when `used` items have ever been used. */
size_t qed_region_memory(const struct qed_region *region, uint32_t used)
{
    size_t bytes = (size_t)used * region->item_bytes;
    size_t unit = region->huge && bytes > QED_CHUNK_BYTES ? QED_CHUNK_BYTES : PAGE_BYTES;

    return (bytes + unit - 1) / unit * unit;
}

static uint32_t *spare_at(const struct qed_trie *trie, uint32_t top)
{
    return (uint32_t *)(void *)trie->spare.chunks[top >> 19] + (top & 0x7ffff);
}

int qed_take_inner(struct qed_trie *trie, uint32_t *index)
{
    if (!qed_may_take(trie))
        return QED_NO_MEMORY;
    if (trie->spare_count > 0) {
        uint32_t top = --trie->spare_count;
        *index = *spare_at(trie, top);
        if (top >= AHEAD) {
            uint32_t soon = *spare_at(trie, top - AHEAD);
            __builtin_prefetch(qed_block(trie, soon), 1);
            __builtin_prefetch(qed_links(trie, soon), 1);
        }
        return QED_OK;
    }
    if (trie->node_count >= trie->limit)
        return QED_FULL;
    /* The stack of free nodes gets its room together with the nodes: giving back cannot fail. */
    if (!region_reach(trie, &trie->blocks, trie->node_count) ||
        !region_reach(trie, &trie->links, trie->node_count) ||
        !region_reach(trie, &trie->spare, trie->node_count))
        return QED_NO_MEMORY;
    *index = trie->node_count++;
    return QED_OK;
}

static void push_slots(struct qed_trie *trie, uint32_t index, uint32_t count)
{
    qed_slots(trie, index)->prefix = trie->free_slots[count];
    trie->free_slots[count] = index;
    trie->free_counts[count]++;
}

static uint32_t pop_slots(struct qed_trie *trie, uint32_t count)
{
    uint32_t index = trie->free_slots[count];

    trie->free_slots[count] = (uint32_t)qed_slots(trie, index)->prefix;
    trie->free_counts[count]--;
    return index;
}

/* Takes `count` places side by side, within one chunk. */
int qed_take_slots(struct qed_trie *trie, uint32_t count, uint32_t *index)
{
    uint32_t rest;

    if (!qed_may_take(trie))
        return QED_NO_MEMORY;
    for (uint32_t length = count; length <= QED_BUCKET_MOST; length++) {
        if (trie->free_slots[length] == QED_NOWHERE)
            continue;
        *index = pop_slots(trie, length);
        if (length > count)
            push_slots(trie, *index + count, length - count);
        return QED_OK;
    }
    rest = (uint32_t)(-(int64_t)trie->slot_count & 0x1ffff);
    if (trie->slot_count + (uint64_t)count + QED_BUCKET_MOST > trie->limit)
        return QED_FULL;
    if (rest > 0 && rest < count) {
        push_slots(trie, trie->slot_count, rest);
        trie->slot_count += rest;
    }
    if (!region_reach(trie, &trie->slots, trie->slot_count))
        return QED_NO_MEMORY;
    *index = trie->slot_count;
    trie->slot_count += count;
    return QED_OK;
}

int qed_take_page(struct qed_trie *trie, uint32_t *number)
{
    uint32_t *free_pages = trie->free_pages.items;

    if (trie->free_pages.count > 0) {
        *number = free_pages[--trie->free_pages.count];
        return QED_OK;
    }
    if (trie->page_count >= QED_MOST_NODES / 2)
        return QED_FULL;
    /* Room to take all of them back, which cannot fail. */
    if (trie->page_count >= trie->free_pages.capacity &&
        !qed_grow(trie, &trie->free_pages, sizeof(uint32_t), trie->page_count + 1))
        return QED_NO_MEMORY;
    trie->page_count++;
    *number = atomic_fetch_add(&trie->hyper->page_count, 1);
    return QED_OK;
}

/* Takes back nodes that nobody can reach any more. */
void qed_give_back(struct qed_trie *trie, const qed_ref *refs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t index = QED_INDEX(refs[i]);
        if (QED_KIND(refs[i]) == QED_INNER) {
            uint32_t top = trie->spare_count++;
            *spare_at(trie, top) = index;
        } else if (QED_KIND(refs[i]) == QED_PAGE) {
            ((uint32_t *)trie->free_pages.items)[trie->free_pages.count++] = index;
        } else {
            push_slots(trie, index, qed_bucket_count(qed_slots(trie, index)));
            trie->buckets--;
        }
    }
    if (trie->spare_count > trie->spare_high)
        trie->spare_high = trie->spare_count;
}

/* 64 bytes that live until the end of the group; they do not move. */
void *qed_take_block(struct qed_trie *trie, struct qed_work *work)
{
    uint8_t *slab;

    if (work->slab_used == SLAB_BLOCKS) {
        work->slab++;
        work->slab_used = 0;
    }
    if (work->slab == work->slabs.count) {
        if (!qed_room(trie, &work->slabs, sizeof slab, 1) || !qed_may_take(trie))
            return NULL;
        slab = aligned_alloc(64, SLAB_BLOCKS * 64);
        if (slab == NULL)
            return NULL;
        ((uint8_t **)work->slabs.items)[work->slabs.count++] = slab;
    }
    slab = ((uint8_t **)work->slabs.items)[work->slab];
    return slab + 64 * work->slab_used++;
}

void qed_work_free(struct qed_work *work)
{
    struct qed_vector *vectors[] = {&work->keys,   &work->sorted, &work->starts,
                                    &work->items,  &work->loose,  &work->leaves,
                                    &work->slabs,  &work->made,   &work->replaced};

    for (size_t i = 0; i < work->slabs.count; i++)
        free(((uint8_t **)work->slabs.items)[i]);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        free(vectors[i]->items);
    for (unsigned depth = 0; depth < QED_DEPTHS; depth++)
        free(work->jobs[depth].items);
}

size_t qed_work_memory(const struct qed_work *work)
{
    size_t bytes = work->slabs.count * SLAB_BLOCKS * 64;

    bytes += (work->keys.capacity + work->sorted.capacity + work->loose.capacity) *
             sizeof(struct qed_member);
    bytes += work->items.capacity * sizeof(struct qed_item);
    bytes += work->leaves.capacity * sizeof(struct qed_leaf);
    bytes += (work->made.capacity + work->replaced.capacity) * sizeof(qed_ref);
    bytes += work->starts.capacity * sizeof(uint32_t);
    for (unsigned depth = 0; depth < QED_DEPTHS; depth++)
        bytes += work->jobs[depth].capacity * sizeof(struct qed_job);
    return bytes;
}

void qed_trie_reset(struct qed_trie *trie)
{
    trie->root = 0;
    trie->members = trie->buckets = 0;
    memcpy(trie->hash, trie->hyper->defaults[1], 32);
    trie->node_count = trie->spare_count = trie->slot_count = 0;
    trie->page_count = 0;
    trie->free_pages.count = 0;
    for (unsigned length = 0; length <= QED_BUCKET_MOST; length++) {
        trie->free_slots[length] = QED_NOWHERE;
        trie->free_counts[length] = 0;
    }
}

bool qed_trie_init(struct qed_trie *trie)
{
    size_t page_bytes = trie->hyper->owner.page_bytes;

    trie->limit = QED_MOST_NODES;
    qed_trie_reset(trie);
    qed_batch_init(&trie->work);
    qed_batch_init(&trie->page_work);
    trie->page_most = qed_page_most(page_bytes);
    if (trie->page_most > 0 && (trie->page = malloc(page_bytes)) == NULL)
        return false;
    return qed_region_init(&trie->blocks, 64, true) &&
           qed_region_init(&trie->links, 2 * sizeof(qed_ref), true) &&
           qed_region_init(&trie->spare, sizeof(uint32_t), false) &&
           qed_region_init(&trie->slots, sizeof(struct qed_slot), true);
}

void qed_trie_free(struct qed_trie *trie)
{
    qed_work_free(&trie->work);
    qed_work_free(&trie->page_work);
    qed_region_free(&trie->blocks);
    qed_region_free(&trie->links);
    qed_region_free(&trie->spare);
    qed_region_free(&trie->slots);
    free(trie->free_pages.items);
    free(trie->page);
}

size_t qed_trie_memory(const struct qed_trie *trie)
{
    size_t bytes = sizeof *trie + qed_work_memory(&trie->work) + qed_work_memory(&trie->page_work);

    bytes += qed_region_memory(&trie->blocks, trie->node_count);
    bytes += qed_region_memory(&trie->links, trie->node_count);
    bytes += qed_region_memory(&trie->spare, trie->spare_high);
    bytes += qed_region_memory(&trie->slots, trie->slot_count);
    bytes += trie->free_pages.capacity * sizeof(uint32_t);
    return bytes;
}
