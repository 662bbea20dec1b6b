/* Which positions the hashes of a proof have, and these as the keys of its maps.
 *
 * A proof's hashes stand from the root down (an increment's from left to right), its maps are sorted
 * as byte strings: `order[j]` says which hash stands at place j of the map. Source: SPEC 2 to 5.
 */
#ifndef QED_POSITIONS_H
#define QED_POSITIONS_H

#include <stddef.h>
#include <stdint.h>

#define QED_HYPER_HEIGHT 256
#define QED_HISTORY_ENTRIES 128 /* no history path has more, not even that of an increment */

#define QED_HYPER_KEY_CHARS 70   /* 0x, 64 digits, |, at most 3 */
#define QED_HISTORY_KEY_CHARS 23 /* at most 20 digits, |, at most 2 */

struct qed_history_path {
    size_t count;
    uint64_t index[QED_HISTORY_ENTRIES];
    uint8_t height[QED_HISTORY_ENTRIES];
};

/* The siblings that tie `leaf` to the root as of `version`; leaf <= version. */
void qed_membership_positions(uint64_t leaf, uint64_t version, struct qed_history_path *path);

/* What the roots of both versions are made of; start <= end. */
void qed_incremental_positions(uint64_t start, uint64_t end, struct qed_history_path *path);

/* The order in which a history path stands in its map. */
void qed_order_history(const struct qed_history_path *path, uint8_t order[QED_HISTORY_ENTRIES]);

/* The order in which the first `count` siblings on the way to a digest stand in their map. */
void qed_order_hyper(const uint8_t digest[32], size_t count, uint8_t order[QED_HYPER_HEIGHT]);

/* Write `<index>|<height>`; returns the place behind it. */
char *qed_put_history_key(char *out, uint64_t index, uint8_t height);

/* Write the 64 hex digits of a digest. */
void qed_put_hex(char hex[64], const uint8_t digest[32]);

/* Write `0x<64 hex digits>|<height>` of the sibling `depth` steps below the root, height 255 -
 * depth, on the way to the digest whose hex digits are given; returns the place behind it. */
char *qed_put_hyper_key(char *out, const char hex[64], size_t depth);

#endif
