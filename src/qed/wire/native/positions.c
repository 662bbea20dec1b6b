/* Positions out of versions and digests, and the order of their texts. */
#include "positions.h"

#include "text.h"

static unsigned bit_length(uint64_t number)
{
    unsigned length = 0;

    for (; number != 0; number >>= 1)
        length++;
    return length;
}

static void add_position(struct qed_history_path *path, uint64_t index, unsigned height)
{
    path->index[path->count] = index;
    path->height[path->count] = (uint8_t)height;
    path->count++;
}

void qed_membership_positions(uint64_t leaf, uint64_t version, struct qed_history_path *path)
{
    path->count = 0;
    for (unsigned height = bit_length(version); height-- > 0;) {
        uint64_t sibling = (leaf >> height ^ 1) << height;
        if (sibling <= version)
            add_position(path, sibling, height);
    }
}

/* At most two nodes of each height hold a target, so this collects at most 2 + 2 * 63 nodes and
 * goes at most 64 deep. */
static void collect(uint64_t index, unsigned height, uint64_t start, uint64_t end,
                    struct qed_history_path *path)
{
    /* A node of height 64 is the root of all there can be; shifting by 64 is undefined. */
    int holds = height == 64 || index >> height == start >> height ||
                index >> height == end >> height;

    if (index > end)
        return;
    if (height == 0 || !holds) {
        add_position(path, index, height);
        return;
    }
    collect(index, height - 1, start, end, path);
    collect(index + ((uint64_t)1 << (height - 1)), height - 1, start, end, path);
}

void qed_incremental_positions(uint64_t start, uint64_t end, struct qed_history_path *path)
{
    path->count = 0;
    collect(0, bit_length(end), start, end, path);
}

/* A key as three numbers that compare as its characters do: the first character is the highest
 * byte, and behind the last there are zeros. */
struct sortable {
    uint64_t words[3];
    uint8_t place;
};

static void make_sortable(struct sortable *entry, uint64_t index, uint8_t height, uint8_t place)
{
    char text[24] = {0};

    qed_put_history_key(text, index, height);
    for (size_t word = 0; word < 3; word++) {
        entry->words[word] = 0;
        for (size_t i = 0; i < 8; i++)
            entry->words[word] = entry->words[word] << 8 | (uint8_t)text[8 * word + i];
    }
    entry->place = place;
}

static int comes_before(const struct sortable *a, const struct sortable *b)
{
    for (size_t word = 0; word < 3; word++)
        if (a->words[word] != b->words[word])
            return a->words[word] < b->words[word];
    return 0;
}

void qed_order_history(const struct qed_history_path *path, uint8_t order[QED_HISTORY_ENTRIES])
{
    struct sortable sorted[QED_HISTORY_ENTRIES];

    /* Insertion: some twenty entries. */
    for (size_t count = 0; count < path->count; count++) {
        struct sortable entry;
        size_t at = count;

        make_sortable(&entry, path->index[count], path->height[count], (uint8_t)count);
        for (; at > 0 && comes_before(&entry, &sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = entry;
    }
    for (size_t at = 0; at < path->count; at++)
        order[at] = sorted[at].place;
}

static unsigned bit_at(const uint8_t digest[32], size_t depth)
{
    return digest[depth / 8] >> (7 - depth % 8) & 1;
}

/* Where the way goes right the sibling is left of it, the more so the higher it is; where it goes
 * left, the other way round. The index alone decides: no two siblings share it. */
void qed_order_hyper(const uint8_t digest[32], size_t count, uint8_t order[QED_HYPER_HEIGHT])
{
    size_t left = 0, right = count;

    for (size_t depth = 0; depth < count; depth++) {
        if (bit_at(digest, depth))
            order[left++] = (uint8_t)depth;
        else
            order[--right] = (uint8_t)depth;
    }
}

char *qed_put_history_key(char *out, uint64_t index, uint8_t height)
{
    out = qed_put_u64(out, index);
    *out++ = '|';
    return qed_put_u64(out, height);
}

static const char hex_digits[] = "0123456789abcdef";

void qed_put_hex(char hex[64], const uint8_t digest[32])
{
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = hex_digits[digest[i] >> 4];
        hex[2 * i + 1] = hex_digits[digest[i] & 15];
    }
}

static unsigned hex_value(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

char *qed_put_hyper_key(char *out, const char hex[64], size_t depth)
{
    size_t digit = depth / 4;
    unsigned bit = 8u >> depth % 4; /* of that digit: it is turned, those below it are 0 */
    unsigned value = (hex_value(hex[digit]) ^ bit) & ~(bit - 1) & 15;

    out = QED_PUT(out, "0x");
    memset(out, '0', 64);
    memcpy(out, hex, digit);
    out[digit] = hex_digits[value];
    out += 64;
    *out++ = '|';
    return qed_put_u64(out, QED_HYPER_HEIGHT - 1 - depth);
}
