/* What the files hyper_*.c share: how the tree lies in memory. Only they include this. */
#ifndef QED_HYPER_PARTS_H
#define QED_HYPER_PARTS_H

#include "hyper.h"

#include <stdatomic.h>

/* A reference to a node: 0 is the empty one, else two bits say what it is and 30 where. */
typedef uint32_t qed_ref;
#define QED_INNER ((qed_ref)1 << 30)
#define QED_BUCKET ((qed_ref)2 << 30)
#define QED_PAGE ((qed_ref)3 << 30)
#define QED_KIND(ref) ((ref) & QED_PAGE)
#define QED_INDEX(ref) ((ref) & ~QED_PAGE)
#define QED_MOST_NODES ((uint32_t)1 << 30)
#define QED_NOWHERE UINT32_MAX

#define QED_DEPTHS 257         /* depth 0 is the root at height 256 */
#define QED_SHORTCUT_DEPTH 24u /* a lone member hangs here or deeper */
#define QED_BUCKET_MOST 4u     /* members of a bucket */
#define QED_PAGE_MOST 50u      /* members of a page */

/* The most members of a bucket, by depth. A bucket saves the memory of the nodes below it and costs
 * their hashes whenever it is touched. */
static inline uint32_t qed_bucket_most(unsigned depth)
{
    return depth < 20 ? 1 : depth < 21 ? 2 : QED_BUCKET_MOST;
}

/* Items of one size in chunks of 2 MiB that never move: an item keeps its address for good, so a
 * reader needs no lock against growth. */
struct qed_region {
    uint8_t **chunks;
    uint32_t chunk_count;
    size_t item_bytes;
    unsigned bits; /* 2^bits items a chunk */
    bool huge;     /* chunks but the first are worth huge pages */
};
#define QED_CHUNK_BYTES ((size_t)2 << 20)

struct qed_vector {
    void *items;
    size_t count, capacity;
};

/* A member as a bucket holds it. The count of the bucket is in the top byte of `version` of its
 * first one. */
struct qed_slot {
    uint64_t prefix; /* the first 64 bits of its digest */
    uint64_t version;
};
#define QED_COUNT_SHIFT 56
#define QED_VERSION_MASK (((uint64_t)1 << QED_COUNT_SHIFT) - 1)

struct qed_member {
    uint64_t prefix;
    uint64_t version;
    const uint8_t *digest; /* all of it; NULL until it is needed */
    const uint8_t *lead;   /* at least its first 8 bytes; NULL until they are needed */
};

/* A place where the group changes the tree: what is there, and what is to come there. Those of one
 * depth lie one after the other in `items`. */
struct qed_item {
    uint32_t low, stop;            /* the group's keys below */
    uint32_t members, member_count; /* of the bucket above that was split: in `loose` */
    qed_ref old;
    bool paged; /* what comes there goes to pages, where it is small enough */
    uint8_t *out; /* where its hash goes, in the node above */
    union {
        qed_ref *link;  /* where the reference to it goes */
        uint8_t *block; /* then: the two hashes below it, or NULL if it is no inner node */
    };
};

/* A node that is hashed but not kept, below a bucket. */
struct qed_job {
    const uint8_t *block;
    uint8_t *out;
    const uint8_t *digest; /* of any member below it */
};
struct qed_leaf {
    uint64_t version;
    uint8_t *out;
    const uint8_t *digest;
    unsigned depth;
};

#define QED_BATCH 16
struct qed_batch {
    uint8_t messages[QED_BATCH][128];
    uint8_t *out[QED_BATCH];
    size_t count;
};

/* What planning one group needs; kept from one group to the next. */
struct qed_work {
    struct qed_vector keys, sorted; /* struct qed_member: the group, by digest, each once */
    struct qed_vector starts;       /* uint32_t, of the sort */
    struct qed_vector items;
    size_t level[QED_DEPTHS + 2]; /* where the items of a depth begin */
    unsigned deepest;
    unsigned depth; /* where placing is: this depth and item are next */
    size_t at;
    bool placing;
    int code; /* how placing went so far */
    struct qed_vector loose;             /* struct qed_member */
    struct qed_vector leaves;            /* struct qed_leaf */
    struct qed_vector jobs[QED_DEPTHS];  /* struct qed_job */
    struct qed_vector slabs;             /* uint8_t *, of short-lived blocks of 64 bytes */
    size_t slab, slab_used;
    struct qed_vector made, replaced; /* qed_ref */
    int64_t new_members;
    struct qed_batch batch, leaf_batch;
    uint64_t hashes;
    bool spilling;        /* small sub-trees that the group touches go to pages */
    unsigned spill_depth; /* above it none is expected to be small enough */
    uint32_t damaged;     /* the page that was not what had been written */
    /* The digests of the group, and the plans below it. */
    const struct qed_hyper_plan *plan;
};

/* One half of the tree, below the root: the two know nothing of each other, so that two threads
 * can work on them. */
struct qed_trie {
    struct qed_hyper *hyper;
    unsigned side; /* the first bit of its digests */
    qed_ref root;
    uint8_t hash[32];
    uint64_t members;

    struct qed_region blocks; /* of inner nodes: the hashes of the right and the left child */
    struct qed_region links;  /* qed_ref[2]: left, right */
    struct qed_region spare;  /* uint32_t: a stack of inner nodes that are free */
    uint32_t node_count, spare_count, spare_high;
    struct qed_region slots;
    uint32_t slot_count;
    uint32_t free_slots[QED_BUCKET_MOST + 1]; /* lists of free places, by length */
    uint32_t free_counts[QED_BUCKET_MOST + 1];
    uint64_t buckets;
    uint32_t limit;
    uint64_t fail_after;

    uint32_t page_most; /* members of a page; 0 without pages */
    uint32_t page_count;
    struct qed_vector free_pages; /* uint32_t */
    uint8_t *page;                /* what is written or read */

    struct qed_work work;
    struct qed_work page_work; /* for the hashes below one page */
};

struct qed_hyper {
    struct qed_hyper_owner owner;
    struct qed_trie half[2];
    uint8_t root[32];
    uint64_t size;
    size_t open_plans;
    struct qed_hyper_plan *dropped;
    uint64_t state, last_state; /* each tree that there was or is planned has a number */
    size_t budget;
    _Atomic uint32_t page_count; /* the numbers that are taken or free, of both halves */
    uint8_t defaults[QED_DEPTHS][32]; /* by depth */
};

/* What a plan makes of one half. */
struct qed_change {
    qed_ref root;
    uint8_t hash[32];
    uint64_t members;
    qed_ref *refs; /* the nodes made, then those replaced */
    size_t made, replaced;
};

struct qed_hyper_plan {
    const struct qed_hyper_plan *base; /* NULL once it is accepted */
    const uint8_t *digests;
    uint64_t first_version, size;
    uint64_t parent_state, state;
    bool accepted;
    uint8_t root[32];
    struct qed_change change[2];
    struct qed_hyper_plan *next; /* to be dropped as well */
};

/* hyper_arena.c */
bool qed_region_init(struct qed_region *region, size_t item_bytes, bool huge);
void qed_region_free(struct qed_region *region);
size_t qed_region_memory(const struct qed_region *region, uint32_t used);
bool qed_trie_init(struct qed_trie *trie);
void qed_trie_free(struct qed_trie *trie);
/* Empties it; no plan may be open. */
void qed_trie_reset(struct qed_trie *trie);
size_t qed_trie_memory(const struct qed_trie *trie);
/* Each takes memory: NULL or a code when there is none. */
int qed_take_inner(struct qed_trie *trie, uint32_t *index);
int qed_take_page(struct qed_trie *trie, uint32_t *number);
int qed_take_slots(struct qed_trie *trie, uint32_t count, uint32_t *index);
void *qed_take_block(struct qed_trie *trie, struct qed_work *work);
void qed_work_free(struct qed_work *work);
size_t qed_work_memory(const struct qed_work *work);
bool qed_grow(struct qed_trie *trie, struct qed_vector *vector, size_t item_bytes, size_t more);
bool qed_may_take(struct qed_trie *trie);
void qed_give_back(struct qed_trie *trie, const qed_ref *refs, size_t count);

/* hyper_sort.c: the group's digests of this half, into work.keys. */
int qed_sort_group(struct qed_trie *trie, const uint8_t *digests, size_t count,
                   uint64_t first_version);

/* hyper_extend.c: adds the group in work.keys to the tree itself, which nobody reads. When it fails
 * the tree is in pieces. */
int qed_add_keys(struct qed_trie *trie);

/* hyper_place.c: the new nodes of a group, without their hashes. */
/* Forgets the group before; its short-lived memory is used again. */
void qed_start_over(struct qed_work *work);
/* The group is in work.keys. `root` holds the half's root before and after; its hash will go to
 * `hash`, which holds the one before. Then places up to so many items at a time; work.code says how
 * it went, and work.made what must be given back when it failed. */
void qed_place_begin(struct qed_trie *trie, qed_ref *root, uint8_t *hash);
void qed_place_some(struct qed_trie *trie, size_t items);
int qed_record(struct qed_trie *trie, struct qed_vector *list, qed_ref ref);

/* hyper_bucket.c */
int qed_know_digest(struct qed_trie *trie, struct qed_work *work, struct qed_member *member);
/* The keys and the members of an item as one, in order, each digest once. */
int qed_merge(struct qed_trie *trie, const struct qed_item *item, struct qed_member *merged,
              uint32_t *count);
int qed_make_bucket(struct qed_trie *trie, struct qed_item *item, struct qed_member *merged,
                    uint32_t count, unsigned depth);
/* Adds the members of an old bucket to the loose ones, and the bucket to what is replaced. */
int qed_loosen(struct qed_trie *trie, qed_ref bucket);
/* Gives an item the loose members from `first` on, in the place of what it was. */
void qed_keep_loose(struct qed_work *work, struct qed_item *item, size_t first);
/* Leaves the hashes of a sub-tree with these members to be computed; its own goes to `out`. */
int qed_leave_jobs(struct qed_trie *trie, struct qed_work *work, struct qed_member *members,
                   uint32_t count, unsigned depth, uint8_t *out);

/* hyper_pages.c */
/* Whether the group in work.keys has to move something to pages. */
void qed_decide_spilling(struct qed_trie *trie);
/* Takes the members out of an old sub-tree in memory, when they fit into a page. */
int qed_gather(struct qed_trie *trie, struct qed_item *item, bool *gathered);
int qed_open_page(struct qed_trie *trie, struct qed_item *item);
int qed_make_page(struct qed_trie *trie, struct qed_item *item, struct qed_member *merged,
                  uint32_t count, unsigned depth);
/* Checks a page, whose sub-tree has this hash, and returns how many members it has; 0 when it is
 * not the one that was written. */
uint32_t qed_check_page(const struct qed_trie *trie, uint32_t number, const uint8_t hash[32],
                        const uint8_t *page);
struct qed_member qed_page_member(const uint8_t *page, uint32_t at);
/* How many members a page of this size has room for; 0 when it is too small to be one. */
uint32_t qed_page_most(size_t page_bytes);

/* hyper_hash.c */
void qed_batch_init(struct qed_work *work);
/* Computes all that is left to be hashed. The time that the memory needs is not lost meanwhile: the
 * other half, if one is given that is being placed, goes on with that. */
void qed_hash_work(struct qed_work *work, struct qed_trie *beside);
void qed_hash_defaults(uint8_t defaults[QED_DEPTHS][32]);
void qed_hash_inner(const uint8_t block[64], unsigned depth, const uint8_t *digest,
                    uint8_t out[32]);
void qed_hash_leaf(uint64_t version, unsigned depth, const uint8_t *digest, uint8_t out[32]);

/* hyper_plan.c */
/* Empties the tree; no plan may be open. */
void qed_hyper_reset(struct qed_hyper *hyper);
void qed_hash_root(const uint8_t left[32], const uint8_t right[32], uint8_t out[32]);
/* The digest of a version among the plans that are not accepted yet, and the log's. */
int qed_find_digest(struct qed_hyper *hyper, const struct qed_hyper_plan *plan, uint64_t version,
                    uint8_t out[32]);

static inline uint8_t *qed_block(const struct qed_trie *trie, uint32_t index)
{
    return trie->blocks.chunks[index >> 15] + (size_t)(index & 0x7fff) * 64;
}

static inline qed_ref *qed_links(const struct qed_trie *trie, uint32_t index)
{
    return (qed_ref *)(void *)trie->links.chunks[index >> 18] + (size_t)(index & 0x3ffff) * 2;
}

static inline struct qed_slot *qed_slots(const struct qed_trie *trie, uint32_t index)
{
    return (struct qed_slot *)(void *)trie->slots.chunks[index >> 17] + (index & 0x1ffff);
}

/* In a block the right hash comes first, as in what is hashed. */
static inline uint8_t *qed_half_block(uint8_t *block, unsigned side)
{
    return block + (side ? 0 : 32);
}

static inline uint32_t qed_bucket_count(const struct qed_slot *slots)
{
    return (uint32_t)(slots->version >> QED_COUNT_SHIFT);
}

static inline struct qed_member qed_bucket_member(const struct qed_slot *slots, uint32_t at)
{
    return (struct qed_member){.prefix = slots[at].prefix,
                               .version = slots[at].version & QED_VERSION_MASK};
}

static inline bool qed_room(struct qed_trie *trie, struct qed_vector *vector, size_t item_bytes,
                            size_t more)
{
    return vector->count + more <= vector->capacity || qed_grow(trie, vector, item_bytes, more);
}

static inline uint64_t qed_load64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static inline void qed_store64(uint8_t *bytes, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* Bit `depth` of a digest, the highest being 0: the side to go from a node of that depth. Beyond
 * 64 the digest must be known. */
static inline unsigned qed_side(uint64_t prefix, const uint8_t *digest, unsigned depth)
{
    if (depth < 64)
        return (unsigned)(prefix >> (63 - depth)) & 1;
    return digest[depth >> 3] >> (7 - (depth & 7)) & 1u;
}

#endif
