# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The bodies of the hot routes in C: `wire.flat` picks this module and has its readable twin.

Thin: every function takes Python values apart, calls one function of `native/` and puts the result
together. Pointers are into `bytes` objects that the caller holds. Large bodies are worked on without
the GIL, small ones with it, since giving it back and asking for it again costs more than they do.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport UINT64_MAX, uint8_t, uint64_t

from qed.trees.values import FlatIncremental, FlatMembership


cdef extern from "../trees/native/sha256.h" nogil:
    void qed_sha256_setup()
    const char *qed_sha256_name()


cdef extern from "native/base64.h" nogil:
    size_t qed_base64_chars(size_t size)
    int qed_base64_read(const char *text, size_t chars, uint8_t *out, size_t *size)
    int qed_base64_read_digest(const char *text, uint8_t *out)


cdef extern from "native/proof_text.h" nogil:
    size_t QED_PROOF_CHARS

    struct qed_membership:
        int exists
        uint64_t current_version
        uint64_t query_version
        uint64_t actual_version
        const uint8_t *key_digest
        const uint8_t *hyper
        size_t hyper_count
        const uint8_t *history
        size_t history_count
        const uint8_t *leaf_digest
        uint64_t leaf_version
        const uint8_t *leaf_history
        size_t leaf_history_count

    struct qed_incremental:
        uint64_t start
        uint64_t end
        const uint8_t *hashes
        size_t count

    struct qed_proof_room:
        pass

    int qed_membership_fits(const qed_membership *proof)
    int qed_incremental_fits(const qed_incremental *proof)
    size_t qed_write_membership(char *out, const qed_membership *proof, const uint8_t *key,
                                size_t key_size)
    size_t qed_write_incremental(char *out, const qed_incremental *proof)
    int qed_read_membership(const char *text, size_t chars, qed_membership *proof,
                            qed_proof_room *room)
    int qed_read_incremental(const char *text, size_t chars, qed_incremental *proof,
                             qed_proof_room *room)


cdef extern from "native/snapshot_text.h" nogil:
    size_t qed_snapshot_chars(uint64_t version)
    size_t qed_snapshots_chars(uint64_t first_version, size_t count)
    void qed_write_snapshot(char *out, uint64_t version, const uint8_t *digest,
                            const uint8_t *root, const uint8_t *hyper_digest)
    void qed_write_snapshots(char *out, uint64_t first_version, const uint8_t *digests,
                             const uint8_t *roots, size_t count, const uint8_t *hyper_digest)


cdef extern from "native/request_text.h" nogil:
    struct qed_query:
        const char *text
        size_t chars
        int has_version
        uint64_t version

    int qed_read_query(const char *body, size_t size, const char *name, qed_query *query)
    int qed_read_incremental_query(const char *body, size_t size, uint64_t *start, uint64_t *end)
    int qed_hash_add(const char *body, size_t size, uint8_t *scratch, uint8_t *digest)
    size_t qed_count_bulk(const char *body, size_t size)
    int qed_hash_bulk(const char *body, size_t size, size_t count, uint8_t *scratch,
                      uint8_t (*digests)[32])


cdef size_t DIGEST_BYTES = 32
cdef size_t DIGEST_CHARS = 44
# From these sizes on the work takes some tens of microseconds: others may run meanwhile.
cdef size_t LARGE_BODY = 16384
cdef size_t MANY_SNAPSHOTS = 200
cdef size_t SMALL_EVENT = 1024


qed_sha256_setup()
NAME = "native (" + qed_sha256_name().decode("ascii") + ")"


cdef uint64_t _number(object value) except? 0:
    """Return an integer of 64 bits; a boolean is none."""
    if type(value) is not int or not 0 <= value <= UINT64_MAX:
        raise AssertionError("a number is not one of 64 bits")
    return value


cdef const uint8_t *_digest(object value) except NULL:
    if type(value) is not bytes or len(<bytes>value) != 32:
        raise AssertionError("a digest is not 32 bytes")
    return <const uint8_t *>PyBytes_AsString(value)


cdef const uint8_t *_hashes(object value, size_t *count) except NULL:
    if type(value) is not bytes or len(<bytes>value) % 32 != 0:
        raise AssertionError("hashes are not 32 bytes each")
    count[0] = <size_t>len(<bytes>value) // 32
    return <const uint8_t *>PyBytes_AsString(value)


cdef int _open_membership(object flat, qed_membership *proof) except -1:
    """Point into a flat proof, which the caller holds; AssertionError for one that is none.

    It is a tuple of exactly its type: what a subclass gives out may not be what it holds.
    """
    if type(flat) is not FlatMembership:
        raise AssertionError("not a flat proof")
    (exists, current, query, actual, key_digest, hyper, history,
     leaf_digest, leaf_version, leaf_history) = flat
    if type(exists) is not bool:
        raise AssertionError("not a flat proof")
    proof.exists = exists is True
    proof.current_version = _number(current)
    proof.query_version = _number(query)
    proof.actual_version = _number(actual)
    proof.key_digest = _digest(key_digest)
    proof.hyper = _hashes(hyper, &proof.hyper_count)
    proof.history = NULL
    proof.leaf_digest = NULL
    if history is not None:
        proof.history = _hashes(history, &proof.history_count)
    if leaf_digest is not None:
        proof.leaf_digest = _digest(leaf_digest)
        proof.leaf_version = _number(leaf_version)
        proof.leaf_history = _hashes(leaf_history, &proof.leaf_history_count)
    elif leaf_version is not None or leaf_history is not None:
        raise AssertionError("a HyperLeaf has all of its fields")
    if not qed_membership_fits(proof):
        raise AssertionError("a flat proof contradicts itself")
    return 0


def encode_membership(flat, key):
    """See `wire.flat`."""
    cdef qed_membership proof
    cdef const uint8_t *event = NULL
    cdef size_t event_size = 0, room = QED_PROOF_CHARS, chars
    cdef char *out
    _open_membership(flat, &proof)
    if key is not None:
        if type(key) is not bytes:
            raise AssertionError("an event is bytes")
        event, event_size = <const uint8_t *>PyBytes_AsString(key), len(<bytes>key)
        room += qed_base64_chars(event_size)
    out = <char *>PyMem_Malloc(room)
    if out is NULL:
        raise MemoryError
    try:
        chars = qed_write_membership(out, &proof, event, event_size)
        return PyBytes_FromStringAndSize(out, <Py_ssize_t>chars)
    finally:
        PyMem_Free(out)


def encode_incremental(flat):
    """See `wire.flat`."""
    cdef qed_incremental proof
    cdef size_t chars
    cdef char *out
    if type(flat) is not FlatIncremental:
        raise AssertionError("not a flat proof")
    start, end, hashes = flat
    proof.start, proof.end = _number(start), _number(end)
    proof.hashes = _hashes(hashes, &proof.count)
    if not qed_incremental_fits(&proof):
        raise AssertionError("a flat proof contradicts itself")
    out = <char *>PyMem_Malloc(QED_PROOF_CHARS)
    if out is NULL:
        raise MemoryError
    try:
        chars = qed_write_incremental(out, &proof)
        return PyBytes_FromStringAndSize(out, <Py_ssize_t>chars)
    finally:
        PyMem_Free(out)


cdef bytes _copy(const uint8_t *hashes, size_t count):
    return PyBytes_FromStringAndSize(<const char *>hashes, <Py_ssize_t>(32 * count))


cdef object _make_membership(const qed_membership *proof):
    history = leaf_digest = leaf_version = leaf_history = None
    if proof.history is not NULL:
        history = _copy(proof.history, proof.history_count)
    if proof.leaf_digest is not NULL:
        leaf_digest = _copy(proof.leaf_digest, 1)
        leaf_version = proof.leaf_version
        leaf_history = _copy(proof.leaf_history, proof.leaf_history_count)
    return FlatMembership(
        proof.exists != 0,
        proof.current_version,
        proof.query_version,
        proof.actual_version,
        _copy(proof.key_digest, 1),
        _copy(proof.hyper, proof.hyper_count),
        history,
        leaf_digest,
        leaf_version,
        leaf_history,
    )


def decode_membership(bytes body not None):
    """See `wire.flat`."""
    cdef qed_membership proof
    cdef qed_proof_room *room = <qed_proof_room *>PyMem_Malloc(sizeof(qed_proof_room))
    if room is NULL:
        raise MemoryError
    try:
        if not qed_read_membership(PyBytes_AsString(body), <size_t>len(body), &proof, room):
            return None
        return _make_membership(&proof)
    finally:
        PyMem_Free(room)


def decode_incremental(bytes body not None):
    """See `wire.flat`."""
    cdef qed_incremental proof
    cdef qed_proof_room *room = <qed_proof_room *>PyMem_Malloc(sizeof(qed_proof_room))
    if room is NULL:
        raise MemoryError
    try:
        if not qed_read_incremental(PyBytes_AsString(body), <size_t>len(body), &proof, room):
            return None
        return FlatIncremental(proof.start, proof.end, _copy(proof.hashes, proof.count))
    finally:
        PyMem_Free(room)


def encode_snapshot(version, digest, root, hyper_digest):
    """See `wire.flat`."""
    cdef uint64_t number = _number(version)
    cdef const uint8_t *event = _digest(digest)
    cdef const uint8_t *history = _digest(root)
    cdef const uint8_t *hyper = _digest(hyper_digest)
    cdef bytes body
    if number == UINT64_MAX:
        raise AssertionError("a group's versions are within 64 bits")
    body = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>qed_snapshot_chars(number))
    qed_write_snapshot(PyBytes_AsString(body), number, event, history, hyper)
    return body


def encode_snapshots(first_version, digests, roots, hyper_digest):
    """See `wire.flat`."""
    cdef uint64_t first = _number(first_version)
    cdef size_t count, count_of_roots
    cdef const uint8_t *events = _hashes(digests, &count)
    cdef const uint8_t *histories = _hashes(roots, &count_of_roots)
    cdef const uint8_t *hyper = _digest(hyper_digest)
    cdef bytes body
    cdef char *out
    if count != count_of_roots or count > UINT64_MAX - first:
        raise AssertionError("a group is as many digests as roots, within 64 bits")
    body = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>qed_snapshots_chars(first, count))
    out = PyBytes_AsString(body)
    if count < MANY_SNAPSHOTS:
        qed_write_snapshots(out, first, events, histories, count, hyper)
    else:
        with nogil:
            qed_write_snapshots(out, first, events, histories, count, hyper)
    return body


cdef bytes _hash_add(bytes body, uint8_t *scratch):
    cdef uint8_t digest[32]
    cdef const char *text = PyBytes_AsString(body)
    cdef size_t size = <size_t>len(body)
    cdef int read
    if size < LARGE_BODY:
        read = qed_hash_add(text, size, scratch, digest)
    else:
        with nogil:
            read = qed_hash_add(text, size, scratch, digest)
    return _copy(digest, 1) if read else None


def digest_add(bytes body not None):
    """See `wire.flat`."""
    cdef uint8_t small[1024]
    cdef uint8_t *scratch
    if <size_t>len(body) <= SMALL_EVENT:
        return _hash_add(body, small)
    scratch = <uint8_t *>PyMem_Malloc(<size_t>len(body))
    if scratch is NULL:
        raise MemoryError
    try:
        return _hash_add(body, scratch)
    finally:
        PyMem_Free(scratch)


def digest_bulk(bytes body not None, size_t max_events):
    """See `wire.flat`; `max_events` is the bound that the slow path has too."""
    cdef const char *text = PyBytes_AsString(body)
    cdef size_t size = <size_t>len(body)
    cdef size_t count = qed_count_bulk(text, size)
    cdef uint8_t *scratch
    cdef uint8_t (*out)[32]
    cdef bytes digests
    cdef int read
    if count == 0 or count > max_events:
        return None
    digests = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(32 * count))
    out = <uint8_t (*)[32]>PyBytes_AsString(digests)
    scratch = <uint8_t *>PyMem_Malloc(size)
    if scratch is NULL:
        raise MemoryError
    if size < LARGE_BODY:
        read = qed_hash_bulk(text, size, count, scratch, out)
    else:
        with nogil:
            read = qed_hash_bulk(text, size, count, scratch, out)
    PyMem_Free(scratch)
    return digests if read else None


def read_digest_query(bytes body not None):
    """See `wire.flat`."""
    cdef qed_query query
    cdef uint8_t digest[32]
    if (
        not qed_read_query(PyBytes_AsString(body), <size_t>len(body), "KeyDigest", &query)
        or query.chars != DIGEST_CHARS
        or not qed_base64_read_digest(query.text, digest)
    ):
        return None
    return _copy(digest, 1), query.version if query.has_version else None


def read_membership_query(bytes body not None):
    """See `wire.flat`."""
    cdef qed_query query
    cdef uint8_t *event
    cdef size_t size
    if not qed_read_query(PyBytes_AsString(body), <size_t>len(body), "Key", &query):
        return None
    event = <uint8_t *>PyMem_Malloc(query.chars + 1)
    if event is NULL:
        raise MemoryError
    try:
        if not qed_base64_read(query.text, query.chars, event, &size):
            return None
        key = PyBytes_FromStringAndSize(<const char *>event, <Py_ssize_t>size)
        return key, query.version if query.has_version else None
    finally:
        PyMem_Free(event)


def read_incremental_query(bytes body not None):
    """See `wire.flat`."""
    cdef uint64_t start, end
    if not qed_read_incremental_query(PyBytes_AsString(body), <size_t>len(body), &start, &end):
        return None
    return start, end
