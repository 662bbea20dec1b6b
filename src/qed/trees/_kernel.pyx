# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The native kernel: thin wrappers over the C files in `native/`.

`trees.kernel` is the only module that imports this one, and its readable twin, `trees.twin`, says
what each class and function does.
"""

cimport cython
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    /* The types that Cython has no words for. */
    typedef const uint8_t (*qed_blocks1)[64];
    typedef const uint8_t (*qed_blocks2)[128];
    """
    ctypedef void *qed_blocks1
    ctypedef void *qed_blocks2

cdef extern from "sha256.h" nogil:
    void qed_sha256_setup()
    const char *qed_sha256_name()
    void qed_sha256_many(
        const uint8_t *const *data, const size_t *length, size_t count, uint8_t (*out)[32]
    )
    void qed_sha256_padded1(qed_blocks1 messages, size_t count, uint8_t *const *out)
    void qed_sha256_padded2(qed_blocks2 messages, size_t count, uint8_t *const *out)

cdef extern from "digests.h":
    const char *QED_DIGESTS_CAPSULE
    struct qed_digests:
        int (*fetch)(void *context, uint64_t version, uint8_t *out) noexcept nogil
        void *context

qed_sha256_setup()

include "_history.pxi"
include "_hyper.pxi"
include "_snapshots.pxi"


def sha256_name():
    """Return which SHA-256 is in use: "sha_ni", "sha_ni + avx512", "armv8", ..., "portable"."""
    return qed_sha256_name().decode("ascii")


def sha256_many(list messages not None):
    """Return the SHA-256 of each message. For tests and the self-test; takes `bytes` only."""
    cdef size_t count = len(messages)
    cdef const uint8_t **data
    cdef size_t *length
    cdef uint8_t *out
    cdef size_t i
    cdef bytes message
    if count == 0:
        return []
    data = <const uint8_t **>malloc(count * sizeof(uint8_t *))
    length = <size_t *>malloc(count * sizeof(size_t))
    out = <uint8_t *>malloc(count * 32)
    try:
        if data == NULL or length == NULL or out == NULL:
            raise MemoryError
        held = list(messages)  # nobody takes a message away while the GIL is released
        for i in range(count):
            message = held[i]
            data[i] = <const uint8_t *><const char *>message
            length[i] = len(message)
        with nogil:
            qed_sha256_many(data, length, count, <uint8_t (*)[32]>out)
        return [out[32 * i : 32 * i + 32] for i in range(count)]
    finally:
        free(data)
        free(length)
        free(out)


def sha256_padded(bytes messages not None, size_t blocks):
    """Return the SHA-256 of each message, end to end; they are padded already, `blocks` (1 or 2) each.

    For tests, and for benchmarks that ask what hashing alone costs in the kernel's own way.
    """
    cdef const uint8_t *data = <const uint8_t *><const char *>messages
    cdef size_t count
    cdef uint8_t **out
    cdef uint8_t *hashes
    cdef size_t i
    if blocks not in (1, 2) or len(messages) % (64 * blocks):
        raise ValueError(f"{len(messages)} bytes are no messages of {blocks} blocks")
    count = len(messages) // (64 * blocks)
    hashes = <uint8_t *>malloc(count * 32 + 1)
    out = <uint8_t **>malloc(count * sizeof(uint8_t *) + 1)
    try:
        if hashes == NULL or out == NULL:
            raise MemoryError
        for i in range(count):
            out[i] = hashes + 32 * i
        with nogil:
            if blocks == 1:
                qed_sha256_padded1(<qed_blocks1>data, count, out)
            else:
                qed_sha256_padded2(<qed_blocks2>data, count, out)
        return hashes[: count * 32]
    finally:
        free(hashes)
        free(out)
