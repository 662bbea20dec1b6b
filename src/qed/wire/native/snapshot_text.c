/* Writing snapshots; of a group the text of the hyper digest is made once. */
#include "snapshot_text.h"

#include "base64.h"
#include "text.h"

#define EVENT_DIGEST "{\"EventDigest\":\""
#define HISTORY_DIGEST "\",\"HistoryDigest\":\""
#define HYPER_DIGEST "\",\"HyperDigest\":\""
#define VERSION "\",\"Version\":"
#define END "}"

#define CHARS_WITHOUT_VERSION                                                                      \
    (sizeof(EVENT_DIGEST HISTORY_DIGEST HYPER_DIGEST VERSION END) - 1 + 3 * QED_DIGEST_CHARS)

size_t qed_snapshot_chars(uint64_t version)
{
    size_t chars = CHARS_WITHOUT_VERSION + 1;

    for (; version > 9; version /= 10)
        chars++;
    return chars;
}

size_t qed_snapshots_chars(uint64_t first_version, size_t count)
{
    size_t chars = count == 0 ? 2 : count + 1; /* brackets and commas */

    for (size_t i = 0; i < count; i++)
        chars += qed_snapshot_chars(first_version + i);
    return chars;
}

static char *put_snapshot(char *out, uint64_t version, const uint8_t *digest, const uint8_t *root,
                          const char hyper_text[QED_DIGEST_CHARS])
{
    out = QED_PUT(out, EVENT_DIGEST);
    out = qed_base64_write(out, digest, QED_DIGEST_BYTES);
    out = QED_PUT(out, HISTORY_DIGEST);
    out = qed_base64_write(out, root, QED_DIGEST_BYTES);
    out = QED_PUT(out, HYPER_DIGEST);
    memcpy(out, hyper_text, QED_DIGEST_CHARS);
    out += QED_DIGEST_CHARS;
    out = QED_PUT(out, VERSION);
    out = qed_put_u64(out, version);
    return QED_PUT(out, END);
}

void qed_write_snapshot(char *out, uint64_t version, const uint8_t *digest, const uint8_t *root,
                        const uint8_t *hyper_digest)
{
    char hyper_text[QED_DIGEST_CHARS];

    qed_base64_write(hyper_text, hyper_digest, QED_DIGEST_BYTES);
    put_snapshot(out, version, digest, root, hyper_text);
}

void qed_write_snapshots(char *out, uint64_t first_version, const uint8_t *digests,
                           const uint8_t *roots, size_t count, const uint8_t *hyper_digest)
{
    char hyper_text[QED_DIGEST_CHARS];

    qed_base64_write(hyper_text, hyper_digest, QED_DIGEST_BYTES);
    *out++ = '[';
    for (size_t i = 0; i < count; i++) {
        *out = ',';
        out += i > 0;
        out = put_snapshot(out, first_version + i, digests + 32 * i, roots + 32 * i, hyper_text);
    }
    *out = ']';
}
