/* Reading proofs: the values are taken in the order in which they stand, then put in the order of
 * their positions; whether the keys and all else are right is seen by writing the proof again. */
#include "base64.h"
#include "proof_text.h"
#include "text.h"

/* Read a map of digests, its keys unseen. Returns how many there are, at most `most`. */
static size_t take_values(struct qed_reader *reader, uint8_t (*values)[32], size_t most)
{
    size_t count = 0, chars;
    const char *text;

    QED_TAKE(reader, "{");
    if (QED_TAKE_IF(reader, "}"))
        return 0;
    do {
        QED_TAKE(reader, "\"");
        qed_take_quoted(reader, &text, &chars);
        QED_TAKE(reader, ":\"");
        if (count == most || !qed_take_quoted(reader, &text, &chars) ||
            chars != QED_DIGEST_CHARS || !qed_base64_read_digest(text, values[count])) {
            reader->at = NULL;
            return 0;
        }
        count++;
    } while (QED_TAKE_IF(reader, ","));
    QED_TAKE(reader, "}");
    return count;
}

static int take_digest(struct qed_reader *reader, uint8_t digest[32])
{
    const char *text;
    size_t chars;

    if (QED_TAKE(reader, "\"") && qed_take_quoted(reader, &text, &chars) &&
        chars == QED_DIGEST_CHARS && qed_base64_read_digest(text, digest))
        return 1;
    reader->at = NULL;
    return 0;
}

/* Put the values of a map, which are sorted by their keys, where their positions are. */
static void arrange(uint8_t (*hashes)[32], const uint8_t (*sorted)[32], const uint8_t *order,
                    size_t count)
{
    for (size_t at = 0; at < count; at++)
        memcpy(hashes[order[at]], sorted[at], 32);
}

/* The same for the path of a leaf; 0 when it has not as many values as it must. */
static int arrange_history(struct qed_proof_room *room, uint64_t leaf, uint64_t version,
                           size_t count)
{
    struct qed_history_path path;
    uint8_t order[QED_HISTORY_ENTRIES];
    uint8_t sorted[QED_HISTORY_ENTRIES][32];

    if (leaf > version || count > QED_HISTORY_ENTRIES)
        return 0;
    qed_membership_positions(leaf, version, &path);
    if (path.count != count)
        return 0;
    qed_order_history(&path, order);
    memcpy(sorted, room->history, 32 * count);
    arrange(room->history, (const uint8_t(*)[32])sorted, order, count);
    return 1;
}

static void take_leaf(struct qed_reader *reader, struct qed_membership *proof,
                      struct qed_proof_room *room)
{
    QED_TAKE(reader, ",\"HyperLeaf\":");
    if (QED_TAKE_IF(reader, "null"))
        return;
    QED_TAKE(reader, "{\"KeyDigest\":");
    take_digest(reader, room->leaf_digest);
    QED_TAKE(reader, ",\"Version\":");
    qed_take_u64(reader, &proof->leaf_version);
    QED_TAKE(reader, ",\"History\":");
    proof->leaf_history_count = take_values(reader, room->history, QED_HISTORY_ENTRIES);
    proof->leaf_history = room->history[0];
    proof->leaf_digest = room->leaf_digest;
    QED_TAKE(reader, "}");
}

/* Take all fields in their order; afterwards the reader is at the end, or the proof is none. */
static int take_membership(struct qed_reader *reader, struct qed_membership *proof,
                           struct qed_proof_room *room)
{
    proof->exists = QED_TAKE_IF(reader, "{\"Exists\":true,\"Hyper\":");
    if (!proof->exists)
        QED_TAKE(reader, "{\"Exists\":false,\"Hyper\":");
    proof->hyper_count = take_values(reader, room->sorted, QED_HYPER_HEIGHT);
    proof->hyper = room->hyper[0];
    QED_TAKE(reader, ",\"History\":");
    if (proof->exists) {
        proof->history_count = take_values(reader, room->history, QED_HISTORY_ENTRIES);
        proof->history = room->history[0];
    } else {
        QED_TAKE(reader, "null");
    }
    QED_TAKE(reader, ",\"CurrentVersion\":");
    qed_take_u64(reader, &proof->current_version);
    QED_TAKE(reader, ",\"QueryVersion\":");
    qed_take_u64(reader, &proof->query_version);
    QED_TAKE(reader, ",\"ActualVersion\":");
    qed_take_u64(reader, &proof->actual_version);
    QED_TAKE(reader, ",\"KeyDigest\":");
    take_digest(reader, room->key_digest);
    proof->key_digest = room->key_digest;
    QED_TAKE(reader, ",\"Key\":null");
    if (!proof->exists)
        take_leaf(reader, proof, room);
    return QED_TAKE(reader, "}") && qed_left(reader) == 0;
}

static int is_the_same(const char *text, size_t chars, const struct qed_proof_room *room,
                       size_t chars_again)
{
    return chars == chars_again && memcmp(text, room->again, chars) == 0;
}

int qed_read_membership(const char *text, size_t chars, struct qed_membership *proof,
                        struct qed_proof_room *room)
{
    struct qed_reader reader = {text, text + chars};
    uint8_t order[QED_HYPER_HEIGHT];

    memset(proof, 0, sizeof *proof);
    if (chars > QED_PROOF_CHARS || !take_membership(&reader, proof, room))
        return 0;
    qed_order_hyper(room->key_digest, proof->hyper_count, order);
    arrange(room->hyper, (const uint8_t(*)[32])room->sorted, order, proof->hyper_count);
    uint64_t asked = proof->query_version, current = proof->current_version;
    if (proof->exists && !arrange_history(room, proof->actual_version,
                                          asked < current ? asked : current, proof->history_count))
        return 0;
    if (proof->leaf_digest != NULL &&
        !arrange_history(room, proof->leaf_version, current, proof->leaf_history_count))
        return 0;
    return is_the_same(text, chars, room, qed_write_membership(room->again, proof, NULL, 0));
}

int qed_read_incremental(const char *text, size_t chars, struct qed_incremental *proof,
                         struct qed_proof_room *room)
{
    struct qed_reader reader = {text, text + chars};
    struct qed_history_path path;
    uint8_t order[QED_HISTORY_ENTRIES];

    memset(proof, 0, sizeof *proof);
    if (chars > QED_PROOF_CHARS)
        return 0;
    QED_TAKE(&reader, "{\"Start\":");
    qed_take_u64(&reader, &proof->start);
    QED_TAKE(&reader, ",\"End\":");
    qed_take_u64(&reader, &proof->end);
    QED_TAKE(&reader, ",\"AuditPath\":");
    proof->count = take_values(&reader, room->sorted, QED_HISTORY_ENTRIES);
    proof->hashes = room->history[0];
    if (!QED_TAKE(&reader, "}") || qed_left(&reader) != 0 || !qed_incremental_fits(proof))
        return 0;
    qed_incremental_positions(proof->start, proof->end, &path);
    qed_order_history(&path, order);
    arrange(room->history, (const uint8_t(*)[32])room->sorted, order, proof->count);
    return is_the_same(text, chars, room, qed_write_incremental(room->again, proof));
}
