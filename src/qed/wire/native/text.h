/* Small pieces of text: literals and numbers, written and read at a place that moves on.
 *
 * A writer trusts that there is room: whoever calls it has counted. A reader never looks at or
 * beyond its end, and once something does not fit it has failed for good: its place is NULL.
 */
#ifndef QED_TEXT_H
#define QED_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define QED_U64_CHARS 20 /* of 2^64 - 1 */

/* Write a literal; its length is a constant, so this is a few moves. */
#define QED_PUT(out, literal)                                                                      \
    (memcpy((out), (literal), sizeof(literal) - 1), (out) + (sizeof(literal) - 1))

/* Write an unsigned number in decimal; returns the place behind it. */
static inline char *qed_put_u64(char *out, uint64_t number)
{
    char digits[QED_U64_CHARS];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    memcpy(out, digits + at, sizeof digits - at);
    return out + (sizeof digits - at);
}

struct qed_reader {
    const char *at; /* NULL: failed */
    const char *end;
};

/* The number of characters left, none after a failure. */
static inline size_t qed_left(const struct qed_reader *reader)
{
    return reader->at == NULL ? 0 : (size_t)(reader->end - reader->at);
}

/* Pass over exactly these characters. */
static inline int qed_take(struct qed_reader *reader, const char *text, size_t chars)
{
    if (qed_left(reader) < chars || memcmp(reader->at, text, chars) != 0) {
        reader->at = NULL;
        return 0;
    }
    reader->at += chars;
    return 1;
}

#define QED_TAKE(reader, literal) qed_take((reader), (literal), sizeof(literal) - 1)

/* Pass over these characters where they stand next; says whether they did, and never fails. */
static inline int qed_take_if(struct qed_reader *reader, const char *text, size_t chars)
{
    if (qed_left(reader) < chars || memcmp(reader->at, text, chars) != 0)
        return 0;
    reader->at += chars;
    return 1;
}

#define QED_TAKE_IF(reader, literal) qed_take_if((reader), (literal), sizeof(literal) - 1)

/* Read 0 to 2^64 - 1 without sign, leading zeros, point or exponent. What follows the digits is the
 * caller's to check: no digit does. */
int qed_take_u64(struct qed_reader *reader, uint64_t *number);

/* Pass over the white space of JSON. */
void qed_skip_space(struct qed_reader *reader);

/* Read the characters up to the next quote, which is passed over. A backslash or a control
 * character among them is no failure here: neither is base64. */
int qed_take_quoted(struct qed_reader *reader, const char **text, size_t *chars);

#endif
