/* Writing proofs. */
#include "base64.h"
#include "proof_text.h"
#include "text.h"

#include <assert.h>

/* 256 hyper and 64 + 64 history entries, or 128; each with quotes, colon, comma and its hash. */
#define ENTRY_CHARS (QED_DIGEST_CHARS + 6)
static_assert(QED_HYPER_HEIGHT * (QED_HYPER_KEY_CHARS + ENTRY_CHARS) +
                      QED_HISTORY_ENTRIES * (QED_HISTORY_KEY_CHARS + ENTRY_CHARS) + 1024 <=
                  QED_PROOF_CHARS,
              "there is room for the largest proof");

static int history_fits(uint64_t leaf, uint64_t version, size_t count)
{
    struct qed_history_path path;

    if (leaf > version)
        return 0;
    qed_membership_positions(leaf, version, &path);
    return path.count == count;
}

static uint64_t as_of(const struct qed_membership *proof)
{
    return proof->query_version < proof->current_version ? proof->query_version
                                                         : proof->current_version;
}

int qed_membership_fits(const struct qed_membership *proof)
{
    if (proof->hyper_count > QED_HYPER_HEIGHT)
        return 0;
    if (proof->exists)
        return proof->history != NULL && proof->leaf_digest == NULL &&
               history_fits(proof->actual_version, as_of(proof), proof->history_count);
    if (proof->history != NULL)
        return 0;
    return proof->leaf_digest == NULL || history_fits(proof->leaf_version, proof->current_version,
                                                      proof->leaf_history_count);
}

int qed_incremental_fits(const struct qed_incremental *proof)
{
    struct qed_history_path path;

    if (proof->start > proof->end)
        return 0;
    qed_incremental_positions(proof->start, proof->end, &path);
    return path.count == proof->count;
}

static char *put_digest(char *out, const uint8_t digest[32])
{
    *out++ = '"';
    out = qed_base64_write(out, digest, QED_DIGEST_BYTES);
    *out++ = '"';
    return out;
}

static char *put_hyper(char *out, const uint8_t digest[32], const uint8_t *hashes, size_t count)
{
    uint8_t order[QED_HYPER_HEIGHT];
    char hex[64];

    qed_put_hex(hex, digest);
    qed_order_hyper(digest, count, order);
    *out++ = '{';
    for (size_t at = 0; at < count; at++) {
        *out = ',';
        out += at > 0;
        *out++ = '"';
        out = qed_put_hyper_key(out, hex, order[at]);
        out = QED_PUT(out, "\":");
        out = put_digest(out, hashes + 32 * (size_t)order[at]);
    }
    *out++ = '}';
    return out;
}

static char *put_history(char *out, const struct qed_history_path *path, const uint8_t *hashes)
{
    uint8_t order[QED_HISTORY_ENTRIES];

    qed_order_history(path, order);
    *out++ = '{';
    for (size_t at = 0; at < path->count; at++) {
        size_t place = order[at];

        *out = ',';
        out += at > 0;
        *out++ = '"';
        out = qed_put_history_key(out, path->index[place], path->height[place]);
        out = QED_PUT(out, "\":");
        out = put_digest(out, hashes + 32 * place);
    }
    *out++ = '}';
    return out;
}

static char *put_membership_history(char *out, uint64_t leaf, uint64_t version,
                                    const uint8_t *hashes)
{
    struct qed_history_path path;

    qed_membership_positions(leaf, version, &path);
    return put_history(out, &path, hashes);
}

static char *put_leaf(char *out, const struct qed_membership *proof)
{
    if (proof->leaf_digest == NULL)
        return QED_PUT(out, "null");
    out = QED_PUT(out, "{\"KeyDigest\":");
    out = put_digest(out, proof->leaf_digest);
    out = QED_PUT(out, ",\"Version\":");
    out = qed_put_u64(out, proof->leaf_version);
    out = QED_PUT(out, ",\"History\":");
    out = put_membership_history(out, proof->leaf_version, proof->current_version,
                                 proof->leaf_history);
    *out++ = '}';
    return out;
}

size_t qed_write_membership(char *out, const struct qed_membership *proof, const uint8_t *key,
                            size_t key_size)
{
    const char *begin = out;

    out = proof->exists ? QED_PUT(out, "{\"Exists\":true,\"Hyper\":")
                        : QED_PUT(out, "{\"Exists\":false,\"Hyper\":");
    out = put_hyper(out, proof->key_digest, proof->hyper, proof->hyper_count);
    out = QED_PUT(out, ",\"History\":");
    out = proof->exists ? put_membership_history(out, proof->actual_version, as_of(proof),
                                                 proof->history)
                        : QED_PUT(out, "null");
    out = QED_PUT(out, ",\"CurrentVersion\":");
    out = qed_put_u64(out, proof->current_version);
    out = QED_PUT(out, ",\"QueryVersion\":");
    out = qed_put_u64(out, proof->query_version);
    out = QED_PUT(out, ",\"ActualVersion\":");
    out = qed_put_u64(out, proof->actual_version);
    out = QED_PUT(out, ",\"KeyDigest\":");
    out = put_digest(out, proof->key_digest);
    out = QED_PUT(out, ",\"Key\":");
    if (key == NULL) {
        out = QED_PUT(out, "null");
    } else {
        *out++ = '"';
        out = qed_base64_write(out, key, key_size);
        *out++ = '"';
    }
    if (!proof->exists) {
        out = QED_PUT(out, ",\"HyperLeaf\":");
        out = put_leaf(out, proof);
    }
    *out++ = '}';
    return (size_t)(out - begin);
}

size_t qed_write_incremental(char *out, const struct qed_incremental *proof)
{
    const char *begin = out;
    struct qed_history_path path;

    out = QED_PUT(out, "{\"Start\":");
    out = qed_put_u64(out, proof->start);
    out = QED_PUT(out, ",\"End\":");
    out = qed_put_u64(out, proof->end);
    out = QED_PUT(out, ",\"AuditPath\":");
    qed_incremental_positions(proof->start, proof->end, &path);
    out = put_history(out, &path, proof->hashes);
    *out++ = '}';
    return (size_t)(out - begin);
}
