/* Standard base64 with padding, on one line: the form in which byte strings stand in every body.
 *
 * Only the canonical spelling is read: no line breaks, no missing padding, no bits that belong to no
 * byte. Nothing is allocated. Source: RFC 4648, sections 3.5 and 4.
 */
#ifndef QED_BASE64_H
#define QED_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define QED_DIGEST_BYTES 32
#define QED_DIGEST_CHARS 44

/* How many characters `size` bytes take. `size` is that of something in memory: no overflow. */
static inline size_t qed_base64_chars(size_t size)
{
    return (size / 3 + (size % 3 != 0)) * 4;
}

/* Write qed_base64_chars(size) characters; returns the place behind them. */
char *qed_base64_write(char *out, const uint8_t *data, size_t size);

/* Read `chars` characters. Returns 1 and the number of bytes written, at most chars / 4 * 3, when
 * they are canonical base64 of at least one byte; else 0, `out` having any content. */
int qed_base64_read(const char *text, size_t chars, uint8_t *out, size_t *size);

/* Read a digest, which is always QED_DIGEST_CHARS long. */
int qed_base64_read_digest(const char *text, uint8_t out[QED_DIGEST_BYTES]);

#endif
