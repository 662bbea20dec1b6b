/* The readers of text.h that are more than a comparison. */
#include "text.h"

int qed_take_u64(struct qed_reader *reader, uint64_t *number)
{
    size_t left = qed_left(reader), digits = 0;
    uint64_t value = 0;
    int fits = 1;

    for (; digits < left && digits <= QED_U64_CHARS; digits++) {
        char character = reader->at[digits];
        if (character < '0' || character > '9')
            break;
        uint64_t digit = (uint64_t)(character - '0');
        fits = fits && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit; /* wraps only where it does not fit */
    }
    int spelled = digits > 0 && digits <= QED_U64_CHARS && (digits == 1 || reader->at[0] != '0');
    if (!spelled || !fits) {
        reader->at = NULL;
        return 0;
    }
    reader->at += digits;
    *number = value;
    return 1;
}

void qed_skip_space(struct qed_reader *reader)
{
    while (qed_left(reader) > 0) {
        char character = *reader->at;
        if (character != ' ' && character != '\n' && character != '\r' && character != '\t')
            return;
        reader->at++;
    }
}

int qed_take_quoted(struct qed_reader *reader, const char **text, size_t *chars)
{
    size_t left = qed_left(reader);
    const char *quote = left == 0 ? NULL : memchr(reader->at, '"', left);

    if (quote == NULL) {
        reader->at = NULL;
        return 0;
    }
    *text = reader->at;
    *chars = (size_t)(quote - reader->at);
    reader->at = quote + 1;
    return 1;
}
