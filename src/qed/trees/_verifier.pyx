# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The native verifier: thin wrappers over the C files in `native/`.

`trees.quick` is the only module that imports this one and says what each function does. A value of
a type, a size or a range that no proof has is no error here but "not known", like everything that
is not a yes. Only exact types are taken: a subclass could say one thing now and another later.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport UINT64_MAX, uint8_t, uint64_t
from libc.string cimport memcpy

from qed.trees.values import FlatIncremental, FlatMembership
from qed.trees.verify import Root


cdef extern from "native/sha256.h" nogil:
    void qed_sha256_setup()
    const char *qed_sha256_name()


cdef extern from "native/verifier.h" nogil:
    struct qed_empty_nodes:
        pass

    struct qed_root:
        uint64_t version
        uint8_t digest[32]

    struct qed_claim:
        int exists
        uint64_t current_version
        uint64_t query_version
        uint64_t actual_version
        const uint8_t *key_digest
        const uint8_t *hyper
        size_t hyper_count
        int has_history
        const uint8_t *history
        size_t history_count
        int has_leaf
        const uint8_t *leaf_digest
        uint64_t leaf_version
        const uint8_t *leaf_history
        size_t leaf_history_count
        uint8_t digest[32]
        int has_version
        uint64_t version
        qed_root hyper_root
        int has_history_root
        qed_root history_root
        uint8_t verdict

    struct qed_increment:
        uint64_t start
        uint64_t end
        const uint8_t *hashes
        size_t count
        qed_root start_root
        qed_root end_root

    void qed_compute_empty_nodes(qed_empty_nodes *empty)
    void qed_verify_claims(qed_claim *claims, size_t count, const qed_empty_nodes *empty)
    int qed_verify_increment(const qed_increment *increment)


cdef qed_empty_nodes EMPTY
# Claims loaded, then judged; few enough to stay in the processor's cache.
cdef size_t AT_ONCE = 128
# From this many claims on the work takes some tens of microseconds: others may run meanwhile.
cdef size_t MANY = 16

qed_sha256_setup()
qed_compute_empty_nodes(&EMPTY)


def sha256_name():
    """Return which SHA-256 is in use: "sha_ni", "sha_ni + avx512", "armv8", ..., "portable"."""
    return qed_sha256_name().decode("ascii")


cdef bint _number(object value, uint64_t *number) except -1:
    """Take an integer of 64 bits; a boolean is none."""
    if type(value) is not int or not 0 <= value <= UINT64_MAX:
        return False
    number[0] = value
    return True


cdef bint _digest(object value, const uint8_t **digest) except -1:
    if type(value) is not bytes or len(<bytes>value) != 32:
        return False
    digest[0] = <const uint8_t *>PyBytes_AsString(value)
    return True


cdef bint _hashes(object value, const uint8_t **hashes, size_t *count) except -1:
    if type(value) is not bytes or len(<bytes>value) % 32 != 0:
        return False
    hashes[0] = <const uint8_t *>PyBytes_AsString(value)
    count[0] = <size_t>len(<bytes>value) // 32
    return True


cdef bint _root(object value, qed_root *root) except -1:
    """Take a copy of a root: its fields belong to an object that outlives nothing."""
    cdef const uint8_t *digest
    if type(value) is not Root:
        return False
    held = value.digest
    if not _number(value.version, &root.version) or not _digest(held, &digest):
        return False
    memcpy(root.digest, digest, 32)
    return True


cdef bint _answer(object flat, qed_claim *claim) except -1:
    """Point into a flat proof. It is a tuple of exactly its type, so it holds what it holds."""
    if type(flat) is not FlatMembership:
        return False
    (exists, current, query, actual, key_digest, hyper, history,
     leaf_digest, leaf_version, leaf_history) = flat
    if exists is not True and exists is not False:
        return False
    claim.exists = exists is True
    claim.has_history = history is not None
    claim.has_leaf = leaf_digest is not None
    if not claim.has_leaf and (leaf_version is not None or leaf_history is not None):
        return False
    return (
        _number(current, &claim.current_version)
        and _number(query, &claim.query_version)
        and _number(actual, &claim.actual_version)
        and _digest(key_digest, &claim.key_digest)
        and _hashes(hyper, &claim.hyper, &claim.hyper_count)
        and (history is None or _hashes(history, &claim.history, &claim.history_count))
        and (
            leaf_digest is None
            or (
                _digest(leaf_digest, &claim.leaf_digest)
                and _number(leaf_version, &claim.leaf_version)
                and _hashes(leaf_history, &claim.leaf_history, &claim.leaf_history_count)
            )
        )
    )


cdef bint _question(
    object digest, object version, object hyper, object history, qed_claim *claim
) except -1:
    cdef const uint8_t *asked
    if not _digest(digest, &asked):
        return False
    memcpy(claim.digest, asked, 32)
    claim.has_version = version is not None
    claim.has_history_root = history is not None
    return (
        (version is None or _number(version, &claim.version))
        and _root(hyper, &claim.hyper_root)
        and (history is None or _root(history, &claim.history_root))
    )


def verify_membership(flat, digest, version, hyper, history):
    """See `trees.quick`."""
    cdef qed_claim claim
    if not _answer(flat, &claim) or not _question(digest, version, hyper, history, &claim):
        return False
    claim.verdict = 1
    qed_verify_claims(&claim, 1, &EMPTY)
    return claim.verdict == 1


cdef int _load(object given, qed_claim *claim) except -1:
    claim.verdict = 0
    if type(given) is tuple and len(<tuple>given) == 5:
        flat, digest, version, hyper, history = <tuple>given
        claim.verdict = _answer(flat, claim) and _question(digest, version, hyper, history, claim)
    return 0


def verify_memberships(claims):
    """See `trees.quick`; a claim is an exact tuple here."""
    cdef tuple held = tuple(claims)  # nobody takes a claim away while the GIL is released
    cdef size_t count = <size_t>len(held), first = 0, size, i
    cdef qed_claim *loaded = <qed_claim *>PyMem_Malloc(AT_ONCE * sizeof(qed_claim))
    cdef list verdicts = []
    if loaded is NULL:
        raise MemoryError
    try:
        while first < count:
            size = min(AT_ONCE, count - first)
            for i in range(size):
                _load(held[first + i], &loaded[i])
            if size < MANY:
                qed_verify_claims(loaded, size, &EMPTY)
            else:
                with nogil:
                    qed_verify_claims(loaded, size, &EMPTY)
            for i in range(size):
                verdicts.append(loaded[i].verdict == 1)
            first += size
        return verdicts
    finally:
        PyMem_Free(loaded)


def verify_incremental(flat, start, end):
    """See `trees.quick`."""
    cdef qed_increment increment
    if type(flat) is not FlatIncremental:
        return False
    first, last, hashes = flat
    if (
        not _number(first, &increment.start)
        or not _number(last, &increment.end)
        or not _hashes(hashes, &increment.hashes, &increment.count)
        or not _root(start, &increment.start_root)
        or not _root(end, &increment.end_root)
    ):
        return False
    return qed_verify_increment(&increment) == 1
