/* Pages: small sub-trees for which memory has no room. One is written for good when a group touches
 * it: the members with their first bits, the hash of the sub-tree, and a seal over all of it, so
 * that what is read back is what was written, and by this process. That it is the newest is told by
 * the hash, which the node above holds too. A page is never written over while a tree or a plan
 * leads to it. */
#include "hyper_parts.h"
#include "sha256.h"

#include <string.h>

/* seal 32 | hash of the sub-tree 32 | number of members 8 | members: first 64 bits 8, version 8 */
#define HASH_AT 32
#define COUNT_AT 64
#define MEMBERS_AT 72
#define MEMBER_BYTES 16
#define NODE_BYTES 72 /* of an inner node */

uint32_t qed_page_most(size_t page_bytes)
{
    size_t most;

    if (page_bytes < QED_HYPER_LEAST_PAGE)
        return 0;
    most = (page_bytes - MEMBERS_AT) / MEMBER_BYTES;
    return most < QED_PAGE_MOST ? (uint32_t)most : QED_PAGE_MOST;
}

/* A hash that only this process can make, over the page's number and all that it says. */
static void seal(const struct qed_hyper *hyper, uint32_t number, const uint8_t *page,
                 uint64_t count, uint8_t out[32])
{
    uint8_t message[32 + 8 + 32];

    memcpy(message, hyper->owner.secret, 32);
    qed_store64(message + 32, number);
    qed_sha256(page + HASH_AT, MEMBERS_AT - HASH_AT + (size_t)count * MEMBER_BYTES, message + 40);
    qed_sha256(message, sizeof message, out);
}

uint32_t qed_check_page(const struct qed_trie *trie, uint32_t number, const uint8_t hash[32],
                        const uint8_t *page)
{
    uint64_t count = qed_load64(page + COUNT_AT);
    uint8_t expected[32];

    if (memcmp(page + HASH_AT, hash, 32) != 0 || count == 0 || count > trie->page_most)
        return 0;
    seal(trie->hyper, number, page, count, expected);
    return memcmp(page, expected, 32) == 0 ? (uint32_t)count : 0;
}

struct qed_member qed_page_member(const uint8_t *page, uint32_t at)
{
    const uint8_t *member = page + MEMBERS_AT + (size_t)at * MEMBER_BYTES;

    return (struct qed_member){.prefix = qed_load64(member), .version = qed_load64(member + 8)};
}

/* Takes the members out of an old page, which will be given back. */
int qed_open_page(struct qed_trie *trie, struct qed_item *item)
{
    struct qed_work *work = &trie->work;
    const struct qed_hyper_owner *owner = &trie->hyper->owner;
    uint32_t number = QED_INDEX(item->old), count;
    struct qed_member *loose;
    int code;

    if (owner->read_page(owner->self, number, trie->page) != 0)
        return QED_CALLBACK;
    /* Until the new hash is computed, the place for it holds the old one. */
    count = qed_check_page(trie, number, item->out, trie->page);
    if (count == 0) {
        work->damaged = number;
        return QED_DAMAGED;
    }
    code = qed_record(trie, &work->replaced, item->old);
    if (code != QED_OK)
        return code;
    if (!qed_room(trie, &work->loose, sizeof *loose, count))
        return QED_NO_MEMORY;
    loose = (struct qed_member *)work->loose.items + work->loose.count;
    for (uint32_t i = 0; i < count; i++)
        loose[i] = qed_page_member(trie->page, i);
    work->loose.count += count;
    qed_keep_loose(work, item, work->loose.count - count);
    return QED_OK;
}

/* Adds the members below a node to the loose ones, up to `most`, and what holds them to those that
 * are replaced. Sets `fits` to false, leaving some of both, where there are more or a page. */
static int gather(struct qed_trie *trie, qed_ref ref, size_t most, bool *fits)
{
    struct qed_work *work = &trie->work;
    const qed_ref *links;
    int code;

    if (ref == 0 || !*fits)
        return QED_OK;
    if (QED_KIND(ref) == QED_PAGE) {
        *fits = false;
        return QED_OK;
    }
    if (QED_KIND(ref) != QED_INNER) {
        if (work->loose.count + qed_bucket_count(qed_slots(trie, QED_INDEX(ref))) <= most)
            return qed_loosen(trie, ref);
        *fits = false;
        return QED_OK;
    }
    code = qed_record(trie, &work->replaced, ref);
    links = qed_links(trie, QED_INDEX(ref));
    if (code == QED_OK)
        code = gather(trie, links[0], most, fits);
    return code == QED_OK ? gather(trie, links[1], most, fits) : code;
}

int qed_gather(struct qed_trie *trie, struct qed_item *item, bool *gathered)
{
    struct qed_work *work = &trie->work;
    size_t loose = work->loose.count, replaced = work->replaced.count;
    bool fits = true;
    int code = gather(trie, item->old, loose + trie->page_most, &fits);

    if (code == QED_OK && fits) {
        qed_keep_loose(work, item, loose);
    } else {
        work->loose.count = loose;
        work->replaced.count = replaced;
    }
    *gathered = fits;
    return code;
}

/* Writes a page in the place of an item. Its hashes are computed at once: what they need is much
 * for its size, and would be kept for each page of the group. */
int qed_make_page(struct qed_trie *trie, struct qed_item *item, struct qed_member *merged,
                  uint32_t count, unsigned depth)
{
    const struct qed_hyper_owner *owner = &trie->hyper->owner;
    struct qed_work *work = &trie->work;
    uint8_t *page = trie->page;
    uint32_t number;
    int code;

    if (!qed_room(trie, &work->made, sizeof(qed_ref), 1))
        return QED_NO_MEMORY;
    code = qed_take_page(trie, &number);
    if (code != QED_OK)
        return code;
    ((qed_ref *)work->made.items)[work->made.count++] = QED_PAGE | number;
    qed_start_over(&trie->page_work);
    code = qed_leave_jobs(trie, &trie->page_work, merged, count, depth, item->out);
    if (code != QED_OK)
        return code;
    qed_hash_work(&trie->page_work, NULL);
    memset(page, 0, owner->page_bytes);
    memcpy(page + HASH_AT, item->out, 32);
    qed_store64(page + COUNT_AT, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *member = page + MEMBERS_AT + (size_t)i * MEMBER_BYTES;
        qed_store64(member, merged[i].prefix);
        qed_store64(member + 8, merged[i].version);
    }
    seal(trie->hyper, number, page, count, page);
    if (owner->write_page(owner->self, number, page) != 0)
        return QED_CALLBACK;
    work->new_members += count;
    *item->link = QED_PAGE | number;
    item->block = NULL;
    return QED_OK;
}

static unsigned bits(uint64_t value)
{
    unsigned count = 0;

    for (; value > 0; value >>= 1)
        count++;
    return count;
}

/* The group's ways need new nodes before the old ones become free. Where that would take memory
 * beyond the budget, what the group touches goes to pages, until enough is free again. */
void qed_decide_spilling(struct qed_trie *trie)
{
    struct qed_work *work = &trie->work;
    uint64_t keys = work->keys.count, members = trie->members;
    uint64_t levels = 4 + (members > keys ? bits(members / keys) : 0);
    uint64_t need = keys * levels * NODE_BYTES;
    uint64_t have = (uint64_t)trie->spare_count * NODE_BYTES;
    size_t budget = trie->hyper->budget / 2;

    work->spilling = false;
    if (trie->page_most == 0 || budget > SIZE_MAX / 4)
        return;
    if (qed_trie_memory(trie) + (need > have ? need - have : 0) <= budget)
        return;
    work->spilling = true;
    work->spill_depth = bits(members / trie->page_most);
}
