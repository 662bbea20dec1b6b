/* Base64, three bytes and four characters at a time. */
#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define XX 0xff /* no character of base64; its high bits survive an OR with any other value */

static const uint8_t values[256] = {
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
    XX, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
};

static inline uint8_t value_of(char character)
{
    return values[(uint8_t)character];
}

char *qed_base64_write(char *out, const uint8_t *data, size_t size)
{
    for (; size >= 3; size -= 3, data += 3, out += 4) {
        uint32_t bits = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | (uint32_t)data[2];
        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 63];
        out[2] = alphabet[bits >> 6 & 63];
        out[3] = alphabet[bits & 63];
    }
    if (size == 0)
        return out;
    uint32_t bits = (uint32_t)data[0] << 16 | (size == 2 ? (uint32_t)data[1] << 8 : 0);
    out[0] = alphabet[bits >> 18];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = size == 2 ? alphabet[bits >> 6 & 63] : '=';
    out[3] = '=';
    return out + 4;
}

/* Read whole groups of four. Returns 0 when a character is not of the alphabet: one bad value marks
 * all that follows, so it is looked at once, at the end. */
static int read_groups(const char *text, size_t groups, uint8_t *out)
{
    uint32_t marks = 0;

    for (; groups > 0; groups--, text += 4, out += 3) {
        uint32_t a = value_of(text[0]), b = value_of(text[1]);
        uint32_t c = value_of(text[2]), d = value_of(text[3]);
        uint32_t bits = a << 18 | b << 12 | c << 6 | d;

        marks |= a | b | c | d;
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
    }
    return marks < 64;
}

/* Read the last group, which may be padded; returns the number of its bytes, 0 when it is bad. */
static size_t read_last(const char *text, uint8_t *out)
{
    uint32_t a = value_of(text[0]), b = value_of(text[1]);
    uint32_t c = value_of(text[2]), d = value_of(text[3]);

    if ((a | b) >= 64)
        return 0;
    if (text[3] != '=') {
        if ((c | d) >= 64)
            return 0;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        out[1] = (uint8_t)(b << 4 | c >> 2);
        out[2] = (uint8_t)(c << 6 | d);
        return 3;
    }
    out[0] = (uint8_t)(a << 2 | b >> 4);
    if (text[2] == '=')
        return (b & 15) == 0 ? 1 : 0;
    if (c >= 64 || (c & 3) != 0)
        return 0;
    out[1] = (uint8_t)(b << 4 | c >> 2);
    return 2;
}

int qed_base64_read(const char *text, size_t chars, uint8_t *out, size_t *size)
{
    if (chars == 0 || chars % 4 != 0)
        return 0;
    size_t groups = chars / 4 - 1;
    size_t last = read_last(text + 4 * groups, out + 3 * groups);
    *size = 3 * groups + last;
    return last != 0 && read_groups(text, groups, out);
}

int qed_base64_read_digest(const char *text, uint8_t out[QED_DIGEST_BYTES])
{
    return read_groups(text, 10, out) && text[43] == '=' && read_last(text + 40, out + 30) == 2;
}
