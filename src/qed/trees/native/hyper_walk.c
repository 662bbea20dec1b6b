/* The hyper walk of SPEC 4, and the hashes below a bucket that it needs. */
#include "hyper_parts.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 16 /* of a way that leads to a page which is written anew meanwhile */

struct walker {
    struct qed_hyper *hyper;
    const uint8_t *digest;
    struct qed_hyper_way *way;
    /* The members at the end of the way: copied, since the tree may change while a digest is
     * read. */
    struct qed_member members[QED_PAGE_MOST];
    uint8_t digests[QED_PAGE_MOST][32];
    uint32_t count;
};

static void collect(struct qed_hyper_way *way, const uint8_t *hash)
{
    memcpy(way->siblings[way->count++], hash, 32);
}

/* Members that part only beyond 64 bits need their digests. */
static int know_digests(struct walker *walker)
{
    struct qed_member *members = walker->members;

    for (uint32_t i = 0; i < walker->count; i++) {
        int code;
        if ((i == 0 || members[i].prefix != members[i - 1].prefix) &&
            (i + 1 == walker->count || members[i].prefix != members[i + 1].prefix))
            continue;
        code = qed_find_digest(walker->hyper, NULL, members[i].version, walker->digests[i]);
        if (code != QED_OK)
            return code;
        members[i].digest = walker->digests[i];
    }
    return QED_OK;
}

/* How many of some members go left at a depth; those of a node are next to each other. */
static uint32_t part(const struct qed_member *members, uint32_t count, unsigned depth)
{
    uint32_t left = 0;

    while (left < count && !qed_side(members[left].prefix, members[left].digest, depth))
        left++;
    return left;
}

/* The hash of the node of a depth with these members below it. */
static void hash_members(const struct walker *walker, const struct qed_member *members,
                         uint32_t count, unsigned depth, uint8_t *out)
{
    uint8_t lead[32] = {0}, block[64];
    uint32_t left;

    if (members[0].digest != NULL)
        memcpy(lead, members[0].digest, 32);
    else
        qed_store64(lead, members[0].prefix);
    if (count == 1 && depth >= QED_SHORTCUT_DEPTH) {
        qed_hash_leaf(members[0].version, depth, lead, out);
        return;
    }
    left = part(members, count, depth);
    for (unsigned side = 0; side < 2; side++) {
        uint32_t first = side ? left : 0, stop = side ? count : left;
        if (first == stop)
            memcpy(qed_half_block(block, side), walker->hyper->defaults[depth + 1], 32);
        else
            hash_members(walker, members + first, stop - first, depth + 1,
                         qed_half_block(block, side));
    }
    qed_hash_inner(block, depth, lead, out);
}

static int walk_members(struct walker *walker, unsigned depth)
{
    struct qed_member *members = walker->members;
    uint64_t key = qed_load64(walker->digest);
    uint32_t count = walker->count;
    uint8_t hash[32];

    int code = know_digests(walker);
    if (code != QED_OK)
        return code;
    for (; count > 1 || (count == 1 && depth < QED_SHORTCUT_DEPTH); depth++) {
        uint32_t left = part(members, count, depth);
        unsigned side = qed_side(key, walker->digest, depth);
        const struct qed_member *others = side ? members : members + left;
        uint32_t other_count = side ? left : count - left;
        if (other_count > 0) {
            hash_members(walker, others, other_count, depth + 1, hash);
            collect(walker->way, hash);
        } else {
            collect(walker->way, walker->hyper->defaults[depth + 1]);
        }
        members += side ? left : 0;
        count -= other_count;
    }
    walker->way->found = count == 1;
    if (count == 1)
        walker->way->version = members->version;
    return QED_OK;
}

/* Reads the members of a page. While it is read the tree may change, and then another group may
 * have written there: QED_DAMAGED, and the way is to be walked again. */
static int read_page(struct walker *walker, const struct qed_trie *trie, uint32_t number,
                     const uint8_t *kept_hash)
{
    const struct qed_hyper_owner *owner = &walker->hyper->owner;
    uint8_t hash[32];
    uint8_t *page = malloc(owner->page_bytes);
    int code = QED_OK;

    if (page == NULL)
        return QED_NO_MEMORY;
    memcpy(hash, kept_hash, 32);
    if (owner->read_page(owner->self, number, page) != 0)
        code = QED_CALLBACK;
    else
        walker->count = qed_check_page(trie, number, hash, page);
    if (code == QED_OK && walker->count == 0) {
        walker->way->page = number;
        code = QED_DAMAGED;
    }
    for (uint32_t i = 0; code == QED_OK && i < walker->count; i++)
        walker->members[i] = qed_page_member(page, i);
    free(page);
    return code;
}

static void copy_bucket(struct walker *walker, const struct qed_slot *slots)
{
    walker->count = qed_bucket_count(slots);
    for (uint32_t i = 0; i < walker->count; i++)
        walker->members[i] = qed_bucket_member(slots, i);
}

static int walk_half(struct walker *walker, const struct qed_trie *trie)
{
    const uint8_t *hash = trie->hash;
    qed_ref ref = trie->root;
    unsigned depth = 1;

    for (; QED_KIND(ref) == QED_INNER; depth++) {
        unsigned side = walker->digest[depth >> 3] >> (7 - (depth & 7)) & 1u;
        uint8_t *block = qed_block(trie, QED_INDEX(ref));
        collect(walker->way, qed_half_block(block, !side));
        hash = qed_half_block(block, side);
        ref = qed_links(trie, QED_INDEX(ref))[side];
    }
    if (ref == 0)
        return QED_OK;
    if (QED_KIND(ref) == QED_BUCKET) {
        copy_bucket(walker, qed_slots(trie, QED_INDEX(ref)));
    } else {
        int code = read_page(walker, trie, QED_INDEX(ref), hash);
        if (code != QED_OK)
            return code;
    }
    return walk_members(walker, depth);
}

int qed_hyper_walk(struct qed_hyper *hyper, const uint8_t digest[32], struct qed_hyper_way *way)
{
    struct walker walker = {.hyper = hyper, .digest = digest, .way = way};
    unsigned side = digest[0] >> 7;
    int code = QED_DAMAGED;

    for (unsigned tries = 0; code == QED_DAMAGED && tries < TRIES; tries++) {
        way->size = hyper->size;
        way->count = 0;
        way->found = false;
        if (hyper->size == 0)
            return QED_OK;
        collect(way, hyper->half[!side].hash);
        code = walk_half(&walker, &hyper->half[side]);
    }
    return code;
}
