# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The native kernel: thin wrappers over the C files in `native/`.

`trees.kernel` is the only module that imports this one, and its readable twin, `trees.twin`, says
what each class and function does.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

cdef extern from "sha256.h" nogil:
    void qed_sha256_setup()
    const char *qed_sha256_name()
    void qed_sha256_many(
        const uint8_t *const *data, const size_t *length, size_t count, uint8_t (*out)[32]
    )

qed_sha256_setup()


def sha256_name():
    """Return which SHA-256 is in use: "sha_ni", "armv8" or "portable"."""
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
