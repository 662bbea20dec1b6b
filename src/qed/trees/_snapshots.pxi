# The snapshot log of the native kernel: `snapshot_log` says what each function means. Pure: each
# checks what it is given, and lets go of Python's lock while it hashes.

cdef extern from "snapshots.h" nogil:
    enum:
        QED_TILE_HEIGHT
        QED_TILE_LEVELS
    const uint64_t QED_SNAPSHOTS_MAX
    struct qed_tile_nodes:
        uint64_t first[8]
        size_t count[8]
        size_t offset[8]
        uint8_t (*hashes)[32]
    void qed_snapshots_hash_leaves(
        uint64_t first_version, const uint8_t *digests, const uint8_t *history_digests,
        const uint8_t *hyper_digest, size_t count, uint8_t *out
    )
    bint qed_tile_nodes_reserve(qed_tile_nodes *nodes, uint64_t size, size_t count)
    void qed_tile_nodes_free(qed_tile_nodes *nodes)
    int __builtin_popcountll(unsigned long long bits)
    void qed_snapshots_extend(
        uint64_t size, uint8_t (*peaks)[32], const uint8_t *hashes, size_t count,
        qed_tile_nodes *nodes
    )


def hash_leaves(
    first_version, bytes digests not None, bytes history_digests not None,
    bytes hyper_digest not None
):
    """Return the leaf hashes of a group; see `snapshot_log.hash_leaves`."""
    cdef size_t count = _count_digests(digests)
    cdef uint64_t first = _size_before(first_version, count)
    cdef const uint8_t *events = _data(digests)
    cdef const uint8_t *roots = _data(history_digests)
    cdef const uint8_t *shared = _data(hyper_digest)
    cdef uint8_t *out
    if len(history_digests) != len(digests) or len(hyper_digest) != 32:
        raise ValueError(
            f"{len(history_digests) // 32} history digests for {count} events"
        )
    hashes = PyBytes_FromStringAndSize(NULL, 32 * count)
    out = <uint8_t *>PyBytes_AsString(hashes)
    with nogil:
        qed_snapshots_hash_leaves(first, events, roots, shared, count, out)
    return hashes


def extend_snapshots(size, bytes peaks not None, bytes hashes not None):
    """Return the peaks after more leaves, and the kept nodes; see `snapshot_log.extend`."""
    cdef size_t count = _count_digests(hashes)
    cdef uint64_t before = _size_before(size, count)
    cdef const uint8_t *leaves = _data(hashes)
    cdef uint8_t heights[64][32]
    cdef qed_tile_nodes nodes
    _spread_peaks(before, peaks, heights)
    if not qed_tile_nodes_reserve(&nodes, before, count):
        raise MemoryError("no memory for the nodes of the snapshot log")
    try:
        with nogil:
            qed_snapshots_extend(before, heights, leaves, count, &nodes)
        return _join_peaks(before + count, heights), _kept_nodes(&nodes)
    finally:
        qed_tile_nodes_free(&nodes)


cdef list _kept_nodes(const qed_tile_nodes *nodes):
    """Return the nodes in the order in which their last leaf came, lower ones first."""
    cdef size_t i
    cdef const uint8_t *hash
    found = []
    for level in range(1, QED_TILE_LEVELS):
        for i in range(nodes.count[level]):
            hash = nodes.hashes[nodes.offset[level] + i]
            found.append((level, nodes.first[level] + i, hash[:32]))
    if len(found) > 1:
        found.sort(key=_completion)
    return found


def _completion(node):
    level, index, _ = node
    return index + 1 << QED_TILE_HEIGHT * level, level


cdef uint64_t _size_before(size, size_t more) except? 0:
    """Return a size as a number; one beyond which there is no room for more: `ValueError`."""
    if not 0 <= size <= QED_SNAPSHOTS_MAX or more > QED_SNAPSHOTS_MAX - <uint64_t>size:
        raise ValueError(f"no log has {size} leaves and {more} more")
    return size


cdef int _spread_peaks(uint64_t size, bytes peaks, uint8_t (*heights)[32]) except -1:
    """Put peaks, the highest first, each at its height; not as many as bits: `ValueError`."""
    cdef const uint8_t *next_peak = <const uint8_t *><const char *>peaks
    cdef int height
    if _count_digests(peaks) != <size_t>__builtin_popcountll(size):
        raise ValueError(f"{len(peaks) // 32} peaks are not those of {size} leaves")
    for height in range(63, -1, -1):
        if size >> height & 1:
            memcpy(heights[height], next_peak, 32)
            next_peak += 32
    return 0


cdef bytes _join_peaks(uint64_t size, const uint8_t (*heights)[32]):
    """Return the peaks of a size, the highest first, end to end."""
    cdef uint8_t out[64 * 32]
    cdef size_t count = 0
    cdef int height
    for height in range(63, -1, -1):
        if size >> height & 1:
            memcpy(out + 32 * count, heights[height], 32)
            count += 1
    return out[: 32 * count]
