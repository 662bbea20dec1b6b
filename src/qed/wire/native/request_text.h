/* Requests in their usual spelling, as every client of ours and QED's own writes them.
 *
 * Usual: one object with exactly the fields of SPEC 5 under their exact names in their order, white
 * space anywhere JSON allows it, byte strings in canonical base64 without escapes, numbers from 0 to
 * 2^64 - 1. Whatever else a server has to understand (other letter cases, unknown fields, repeated
 * ones) or has to refuse with a sentence is not read here: the functions return 0, which says
 * nothing about the body, and the slow reader of `wire.requests` decides. They never read what it
 * refuses and never read it differently.
 */
#ifndef QED_REQUEST_TEXT_H
#define QED_REQUEST_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* An event or a digest in a request, and a version. */
struct qed_query {
    const char *text; /* base64, in the body */
    size_t chars;
    int has_version; /* 0: null or missing */
    uint64_t version;
};

/* `{"<name>": b64}`; the text is read as base64 by who wants the bytes. */
int qed_read_text_request(const char *body, size_t size, const char *name, struct qed_query *query);

/* `{"<name>": b64, "Version": n or null}`; the version may be missing. */
int qed_read_query(const char *body, size_t size, const char *name, struct qed_query *query);

/* `{"Start": n, "End": n}` */
int qed_read_incremental_query(const char *body, size_t size, uint64_t *start, uint64_t *end);

/* H(event) of `{"Event": b64}`. `scratch` has room for `size` bytes. */
int qed_hash_add(const char *body, size_t size, uint8_t *scratch, uint8_t digest[32]);

/* How many events a bulk has if it is one; an upper bound of what qed_hash_bulk can find. 0 when it
 * cannot be one. */
size_t qed_count_bulk(const char *body, size_t size);

/* The hashes of `{"Events": [b64, ...]}`, exactly `count` of them. `scratch` has room for `size`
 * bytes. */
int qed_hash_bulk(const char *body, size_t size, size_t count, uint8_t *scratch,
                  uint8_t (*digests)[32]);

#endif
