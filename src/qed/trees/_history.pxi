# The history tree of the native kernel: `twin.History` says what each method means. Thin: it
# checks, holds what must stay alive, and lets go of Python's lock around whole groups.

from qed.errors import DamagedError

cdef extern from "history.h" nogil:
    enum:
        QED_BLOCK
        QED_MAX_PATH
        QED_MAX_INCREMENT
        QED_FORGOTTEN
    const uint64_t QED_MAX_SIZE
    struct qed_frontier:
        uint64_t size
        uint8_t peaks[64][32]
        uint8_t spine[64][32]
    struct qed_frozen:
        uint64_t first
    struct qed_history:
        qed_frontier frontier
        size_t memory_bytes
        uint64_t takings
    unsigned qed_bit_length(uint64_t value)
    bint qed_frozen_reserve(
        qed_frozen *frozen, uint64_t first, size_t count, uint64_t *takings
    )
    void qed_frozen_free(qed_frozen *frozen)
    void qed_frontier_extend(
        qed_frontier *frontier, const uint8_t *digests, size_t count, uint8_t *roots,
        qed_frozen *frozen
    )
    void qed_history_init(qed_history *history)
    void qed_history_free(qed_history *history)
    bint qed_history_reserve(qed_history *history, uint64_t count)
    void qed_history_trim(qed_history *history)
    void qed_history_accept(
        qed_history *history, const qed_frontier *after, const uint8_t *digests,
        const qed_frozen *frozen
    )
    bint qed_history_freeze(
        qed_history *history, qed_frontier *ahead, const uint8_t *digests, size_t count
    )
    bint qed_history_holds(const qed_history *history, uint64_t version)
    const uint8_t *qed_history_digest(const qed_history *history, uint64_t version)
    int qed_history_fetch(void *history, uint64_t version, uint8_t *out) noexcept
    size_t qed_history_forget(qed_history *history, size_t keep_bytes)
    int qed_history_root(
        const qed_history *history, const uint8_t *near_version, uint64_t version, uint8_t *out
    )
    int qed_history_peaks(
        const qed_history *history, const uint8_t *near_version, uint64_t size, uint8_t *out
    )
    int qed_history_membership(
        const qed_history *history, const uint8_t *near_leaf, const uint8_t *near_version,
        uint64_t leaf, uint64_t version, uint8_t *out
    )
    int qed_history_incremental(
        const qed_history *history, const uint8_t *near_start, const uint8_t *near_end,
        uint64_t start, uint64_t end, uint8_t *out
    )


cdef class HistoryPlan:
    """A group as the history tree will hold it; see `twin.HistoryPlan`. Made by `History.plan`."""

    cdef qed_frontier _after
    cdef qed_frozen _frozen  # freed when the plan is accepted or dropped
    cdef uint8_t _stands_on[32]  # the root before the group; zeros when it is the first
    cdef readonly bytes digests, roots
    cdef readonly uint64_t first_version

    def __init__(self):
        raise TypeError("a plan is made by History.plan")

    def __dealloc__(self):
        qed_frozen_free(&self._frozen)

    @property
    def size(self):
        """The number of events after the group."""
        return self._after.size


cdef class History:
    """The history tree of one log, and the event digests in memory; see `twin.History`."""

    cdef qed_history _history
    cdef qed_digests _source  # for whoever asks for digests without Python's lock
    cdef object _read

    def __cinit__(self, read=None):
        qed_history_init(&self._history)
        self._source.fetch = qed_history_fetch
        self._source.context = &self._history
        self._read = read

    def __dealloc__(self):
        qed_history_free(&self._history)

    @property
    def size(self):
        """The number of events accepted."""
        return self._history.frontier.size

    @property
    def memory_bytes(self):
        """The bytes held for digests and nodes."""
        return self._history.memory_bytes

    def plan(self, bytes digests not None, HistoryPlan base=None):
        """Return what a group of event digests would add; see `twin.History.plan`."""
        cdef size_t count = _count_digests(digests)
        cdef HistoryPlan plan = HistoryPlan.__new__(HistoryPlan)
        cdef const uint8_t *data = <const uint8_t *><const char *>digests
        cdef uint8_t *roots
        if count == 0:
            raise ValueError("a group has at least one event")
        plan._after = self._history.frontier if base is None else base._after
        if count > QED_MAX_SIZE - plan._after.size:
            raise MemoryError("the history tree has no room for more versions")
        plan.first_version = plan._after.size
        _last_root(&plan._after, plan._stands_on)
        plan.digests = digests
        plan.roots = PyBytes_FromStringAndSize(NULL, 32 * count)
        roots = <uint8_t *>PyBytes_AsString(plan.roots)
        if not qed_frozen_reserve(
            &plan._frozen, plan.first_version, count, &self._history.takings
        ):
            raise MemoryError("no memory for a plan of the history tree")
        with nogil:
            qed_frontier_extend(&plan._after, data, count, roots, &plan._frozen)
        return plan

    def accept(self, HistoryPlan plan not None):
        """Take over a plan; see `twin.History.accept`.

        A plan that stands on another one, which was dropped, is a `ValueError` too.
        """
        cdef uint8_t root[32]
        if plan.first_version != self.size:
            raise ValueError(f"a plan for version {plan.first_version} after {self.size} events")
        _last_root(&self._history.frontier, root)
        if memcmp(root, plan._stands_on, 32) != 0:
            raise ValueError("the plan does not stand on this tree")
        if not qed_history_reserve(&self._history, plan._after.size - plan.first_version):
            raise MemoryError("no memory for the history tree")
        qed_history_accept(
            &self._history, &plan._after, <const uint8_t *><const char *>plan.digests,
            &plan._frozen
        )
        qed_frozen_free(&plan._frozen)

    def freeze(self, bytes digests not None):
        """Append events without the roots between; see `twin.History.freeze`."""
        cdef size_t count = _count_digests(digests)
        cdef const uint8_t *data = <const uint8_t *><const char *>digests
        cdef qed_frontier ahead = self._history.frontier
        cdef bint done
        if count == 0:
            return
        if not qed_history_reserve(&self._history, count):
            raise MemoryError("no memory for the history tree")
        with nogil:
            done = qed_history_freeze(&self._history, &ahead, data, count)
        # Stop here: what was written lies beyond the size, and nobody sees it.
        if not done:
            qed_history_trim(&self._history)
            raise MemoryError("no memory for the history tree")
        self._history.frontier = ahead

    def root(self, version):
        """Return the history digest as of a version; see `twin.History.root`."""
        cdef uint8_t out[32]
        cdef uint64_t at = self._version(version)
        cdef int count = QED_FORGOTTEN
        while count == QED_FORGOTTEN:
            near = self._read_around(at, at)[1]
            count = qed_history_root(&self._history, _data(near), at, out)
        if count < 0:
            self._refuse(at, at)
        return out[:32]

    def peaks(self, size):
        """Return the peaks of a size, end to end; see `twin.History.peaks`."""
        cdef uint8_t out[64 * 32]
        cdef uint64_t at
        cdef int count = QED_FORGOTTEN
        if size == 0:
            return b""
        at = self._version(size - 1)
        while count == QED_FORGOTTEN:
            near = self._read_around(at, at)[1]
            count = qed_history_peaks(&self._history, _data(near), at + 1, out)
        if count < 0:
            self._refuse(at, at)
        return out[: 32 * count]

    def digest(self, version):
        """Return the event digest of a version; see `twin.History.digest`."""
        cdef uint64_t at = self._version(version)
        cdef const uint8_t *held = qed_history_digest(&self._history, at)
        if held == NULL:
            return self._read_back(at, 1)
        return held[:32]

    def prove_membership(self, leaf, version):
        """Return the path of `leaf` as of `version`; see `twin.History.prove_membership`."""
        cdef uint8_t out[QED_MAX_PATH * 32]
        cdef uint64_t last = self._version(version)
        cdef uint64_t first = _number(leaf)
        cdef int count = QED_FORGOTTEN
        if first > last:
            raise ValueError(f"no path from leaf {leaf} as of version {version}")
        while count == QED_FORGOTTEN:
            near_leaf, near_last = self._read_around(first, last)
            count = qed_history_membership(
                &self._history, _data(near_leaf), _data(near_last), first, last, out
            )
        if count < 0:
            self._refuse(first, last)
        return out[: 32 * count]

    def prove_incremental(self, start, end):
        """Return what ties two roots together; see `twin.History.prove_incremental`."""
        cdef uint8_t out[QED_MAX_INCREMENT * 32]
        cdef uint64_t last = self._version(end)
        cdef uint64_t first = _number(start)
        cdef int count = QED_FORGOTTEN
        if first > last:
            raise ValueError(f"no increment from version {start} to {end}")
        while count == QED_FORGOTTEN:
            near_start, near_end = self._read_around(first, last)
            count = qed_history_incremental(
                &self._history, _data(near_start), _data(near_end), first, last, out
            )
        if count < 0:
            self._refuse(first, last)
        return out[: 32 * count]

    def forget(self, keep_bytes):
        """Let go of the oldest digests; see `twin.History.forget`.

        Keeps the newest 32,768 versions or less, and everything when there is no `read`.
        """
        cdef size_t keep = max(0, min(keep_bytes, self._history.memory_bytes))
        if self._read is None:
            return 0
        return qed_history_forget(&self._history, keep)

    def _digests(self):
        """Return the capsule with which the hyper tree asks for digests; see digests.h."""
        return PyCapsule_New(&self._source, QED_DIGESTS_CAPSULE, NULL)

    def _fail_after(self, uint64_t takings):
        """Let the n-th taking of memory fail, and all after it; 0: none. For tests."""
        self._history.takings = takings

    cdef uint64_t _version(self, version) except? 0:
        cdef uint64_t at = _number(version)
        if at >= self._history.frontier.size:
            raise ValueError(f"version {version} is not among {self.size} events")
        return at

    cdef tuple _read_around(self, uint64_t first, uint64_t last):
        """Return the digests of the blocks around two versions, None for what memory holds.

        The writer may go on, and forget more, while `read` is in work, or whenever else Python runs
        other code, as its garbage collection does: what is held is asked again after each reading,
        and whoever uses the answer finds out when it has become too old (QED_FORGOTTEN).
        """
        near_first = near_last = None
        while True:
            if near_first is None and not qed_history_holds(&self._history, first):
                near_first = self._read_back(first & ~<uint64_t>(QED_BLOCK - 1), QED_BLOCK)
            elif near_last is None and not qed_history_holds(&self._history, last):
                if first // QED_BLOCK == last // QED_BLOCK:
                    near_last = near_first
                else:
                    near_last = self._read_back(last & ~<uint64_t>(QED_BLOCK - 1), QED_BLOCK)
            else:
                return near_first, near_last

    cdef bytes _read_back(self, uint64_t first, uint64_t count):
        digests = self._read(first, first + count)
        if not isinstance(digests, bytes) or len(digests) != 32 * count:
            raise DamagedError(f"the digests of versions {first} to {first + count - 1} are gone")
        return digests

    def _refuse(self, uint64_t first, uint64_t last):
        raise DamagedError(
            f"the stored digests around version {first} or {last} are not those of the history tree"
        )


cdef size_t _count_digests(bytes digests) except? 0:
    cdef size_t length = len(digests)
    if length % 32:
        raise ValueError(f"{length} bytes are no whole number of digests")
    return length // 32


cdef uint64_t _number(version) except? 0:
    """Return a version as a number; one that is none is beyond all versions."""
    try:
        return version
    except OverflowError:
        return QED_MAX_SIZE


cdef const uint8_t *_data(bytes digests):
    return NULL if digests is None else <const uint8_t *><const char *>digests


cdef void _last_root(const qed_frontier *frontier, uint8_t *out) noexcept:
    """Copy the root as of the last version; zeros when there is none."""
    if frontier.size == 0:
        memset(out, 0, 32)
    else:
        memcpy(out, frontier.spine[qed_bit_length(frontier.size - 1)], 32)


def extend_history(size, bytes peaks not None, bytes digests not None):
    """Return the peaks after a group, and its history digests; see `twin.extend_history`."""
    cdef size_t count = _count_digests(digests)
    cdef qed_frontier frontier
    cdef qed_frozen frozen
    cdef const uint8_t *events = _data(digests)
    cdef uint8_t *out
    cdef uint64_t takings = 0
    frontier.size = _size_before(size, count)
    _spread_peaks(frontier.size, peaks, frontier.peaks)
    roots = PyBytes_FromStringAndSize(NULL, 32 * count)
    out = <uint8_t *>PyBytes_AsString(roots)
    if not qed_frozen_reserve(&frozen, frontier.size, count, &takings):
        raise MemoryError("no memory for a group of the history tree")
    with nogil:
        qed_frontier_extend(&frontier, events, count, out, &frozen)
        qed_frozen_free(&frozen)
    return _join_peaks(frontier.size, frontier.peaks), roots
