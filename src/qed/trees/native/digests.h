/* How the hyper tree asks for the full digest of an event: by version, without Python's lock.
 *
 * `History` of the kernel owns one such record and hands it out as a capsule:
 * its method `_digests()` returns PyCapsule_New(&record, QED_DIGESTS_CAPSULE, NULL). The record
 * lives as long as the History does, and whoever uses it holds a reference to that History.
 *
 * `fetch` copies the digest of an accepted version to `out` and returns 0; it returns 1 when that
 * digest is not in memory (or not there at all): the caller then takes Python's lock and calls
 * history.digest(version), which reads it or raises. It is called by the writer's threads while
 * they plan or replay (several at once, nobody appends or forgets meanwhile) and by readers that
 * hold Python's lock.
 */
#ifndef QED_DIGESTS_H
#define QED_DIGESTS_H

#include <stdint.h>

#define QED_DIGESTS_CAPSULE "qed.trees.digests"

struct qed_digests {
    int (*fetch)(void *context, uint64_t version, uint8_t out[32]);
    void *context;
};

#endif
