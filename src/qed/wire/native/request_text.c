/* Reading requests. */
#include "request_text.h"

#include "../../trees/native/sha256.h"
#include "base64.h"
#include "text.h"

/* Events whose hashes are computed together, so that two are in work at a time. */
#define EVENTS_AT_ONCE 64

/* A single character between white space. */
static int take_mark(struct qed_reader *reader, char mark)
{
    qed_skip_space(reader);
    if (qed_left(reader) == 0 || *reader->at != mark) {
        reader->at = NULL;
        return 0;
    }
    reader->at++;
    qed_skip_space(reader);
    return 1;
}

static int take_name(struct qed_reader *reader, const char *name)
{
    return QED_TAKE(reader, "\"") && qed_take(reader, name, strlen(name)) &&
           QED_TAKE(reader, "\"") && take_mark(reader, ':');
}

/* A text, which may be base64 or anything: reading it as such is the check. */
static int take_text(struct qed_reader *reader, const char **text, size_t *chars)
{
    return QED_TAKE(reader, "\"") && qed_take_quoted(reader, text, chars);
}

static int take_end(struct qed_reader *reader)
{
    return take_mark(reader, '}') && qed_left(reader) == 0;
}

static int take_version(struct qed_reader *reader, struct qed_query *query)
{
    query->has_version = !QED_TAKE_IF(reader, "null");
    return !query->has_version || qed_take_u64(reader, &query->version);
}

int qed_read_text_request(const char *body, size_t size, const char *name, struct qed_query *query)
{
    struct qed_reader reader = {body, body + size};

    query->has_version = 0;
    return take_mark(&reader, '{') && take_name(&reader, name) &&
           take_text(&reader, &query->text, &query->chars) && take_end(&reader);
}

int qed_read_query(const char *body, size_t size, const char *name, struct qed_query *query)
{
    struct qed_reader reader = {body, body + size};

    query->has_version = 0;
    if (!take_mark(&reader, '{') || !take_name(&reader, name) ||
        !take_text(&reader, &query->text, &query->chars))
        return 0;
    qed_skip_space(&reader);
    if (qed_left(&reader) > 0 && *reader.at == ',' &&
        !(take_mark(&reader, ',') && take_name(&reader, "Version") && take_version(&reader, query)))
        return 0;
    return take_end(&reader);
}

int qed_read_incremental_query(const char *body, size_t size, uint64_t *start, uint64_t *end)
{
    struct qed_reader reader = {body, body + size};

    return take_mark(&reader, '{') && take_name(&reader, "Start") && qed_take_u64(&reader, start) &&
           take_mark(&reader, ',') && take_name(&reader, "End") && qed_take_u64(&reader, end) &&
           take_end(&reader);
}

int qed_hash_add(const char *body, size_t size, uint8_t *scratch, uint8_t digest[32])
{
    struct qed_query query;
    size_t event_size;

    if (!qed_read_text_request(body, size, "Event", &query) ||
        !qed_base64_read(query.text, query.chars, scratch, &event_size))
        return 0;
    qed_sha256(scratch, event_size, digest);
    return 1;
}

size_t qed_count_bulk(const char *body, size_t size)
{
    size_t quotes = 0;

    for (size_t i = 0; i < size; i++)
        quotes += body[i] == '"';
    return quotes < 4 || quotes % 2 != 0 ? 0 : (quotes - 2) / 2;
}

/* Some events of a bulk, decoded one behind the other in the scratch. */
struct batch {
    const uint8_t *data[EVENTS_AT_ONCE];
    size_t sizes[EVENTS_AT_ONCE];
    size_t count;
    uint8_t *free;
};

static int take_event(struct qed_reader *reader, struct batch *batch)
{
    const char *text;
    size_t chars;

    if (!take_text(reader, &text, &chars) ||
        !qed_base64_read(text, chars, batch->free, &batch->sizes[batch->count]))
        return 0;
    batch->data[batch->count] = batch->free;
    batch->free += batch->sizes[batch->count];
    batch->count++;
    return 1;
}

/* Hash what the batch holds into digests[*done], and begin it anew. */
static void flush(struct batch *batch, uint8_t *scratch, uint8_t (*digests)[32], size_t *done)
{
    qed_sha256_many(batch->data, batch->sizes, batch->count, digests + *done);
    *done += batch->count;
    batch->count = 0;
    batch->free = scratch;
}

int qed_hash_bulk(const char *body, size_t size, size_t count, uint8_t *scratch,
                  uint8_t (*digests)[32])
{
    struct qed_reader reader = {body, body + size};
    struct batch batch = {.count = 0, .free = scratch};
    size_t done = 0;

    if (!take_mark(&reader, '{') || !take_name(&reader, "Events") || !take_mark(&reader, '['))
        return 0;
    for (;;) {
        if (done + batch.count == count || !take_event(&reader, &batch))
            return 0;
        if (batch.count == EVENTS_AT_ONCE)
            flush(&batch, scratch, digests, &done);
        qed_skip_space(&reader);
        if (qed_left(&reader) == 0)
            return 0;
        if (*reader.at != ',')
            break;
        take_mark(&reader, ',');
    }
    flush(&batch, scratch, digests, &done);
    return take_mark(&reader, ']') && take_end(&reader) && done == count;
}
