/* The answers to additions, as the JSON of SPEC 5. Nothing is allocated. */
#ifndef QED_SNAPSHOT_TEXT_H
#define QED_SNAPSHOT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* How many characters one snapshot takes, and a list of them. `count` is that of digests that are in
 * memory, and no version is beyond 64 bits: no overflow. */
size_t qed_snapshot_chars(uint64_t version);
size_t qed_snapshots_chars(uint64_t first_version, size_t count);

/* Write one snapshot into exactly that much room. Digests are 32 bytes. */
void qed_write_snapshot(char *out, uint64_t version, const uint8_t *digest, const uint8_t *root,
                        const uint8_t *hyper_digest);

/* Write a list of `count` snapshots from `first_version` on, one hyper digest for all. */
void qed_write_snapshots(char *out, uint64_t first_version, const uint8_t *digests,
                         const uint8_t *roots, size_t count, const uint8_t *hyper_digest);

#endif
