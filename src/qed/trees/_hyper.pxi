# The hyper tree of the native kernel: `twin.Hyper` says what each method means. Thin: it checks,
# holds what must stay alive, and lets go of Python's lock around the C calls.

from array import array
from os import urandom
from threading import get_ident

cdef extern from "hyper.h" nogil:
    enum:
        QED_OK
        QED_NO_MEMORY
        QED_FULL
        QED_CALLBACK
        QED_STALE
        QED_DAMAGED
        QED_HYPER_MAX_PATH
        QED_HYPER_LEAST_PAGE
    const uint64_t QED_HYPER_MAX_VERSION
    const size_t SIZE_MAX
    struct qed_hyper
    struct qed_hyper_plan
    struct qed_hyper_owner:
        void *self
        qed_digests digests
        int (*read_digests)(
            void *self, uint64_t version, uint64_t count, uint8_t *out
        ) noexcept nogil
        int (*read_page)(void *self, uint32_t number, uint8_t *page) noexcept nogil
        int (*write_page)(void *self, uint32_t number, const uint8_t *page) noexcept nogil
        size_t page_bytes
        uint8_t secret[32]
        int (*report)(void *self, uint64_t done, uint64_t total) noexcept nogil
    struct qed_hyper_way:
        uint64_t size
        unsigned count
        bint found
        uint64_t version
        uint32_t page
        uint8_t siblings[256][32]
    struct qed_hyper_counts:
        uint64_t inner, buckets, slots, pages, hashes
    qed_hyper *qed_hyper_new(const qed_hyper_owner *owner)
    void qed_hyper_free(qed_hyper *hyper)
    uint64_t qed_hyper_size(const qed_hyper *hyper)
    const uint8_t *qed_hyper_root(const qed_hyper *hyper)
    size_t qed_hyper_memory(const qed_hyper *hyper)
    uint64_t qed_hyper_members(const qed_hyper *hyper)
    int qed_hyper_make_plan(
        qed_hyper *hyper, const uint8_t *digests, size_t count, const qed_hyper_plan *base,
        qed_hyper_plan **plan
    )
    size_t qed_hyper_open_plans(const qed_hyper *hyper)
    const uint8_t *qed_hyper_plan_root(const qed_hyper_plan *plan)
    int qed_hyper_accept(qed_hyper *hyper, qed_hyper_plan *plan)
    void qed_hyper_drop(qed_hyper *hyper, qed_hyper_plan *plan)
    void qed_hyper_drop_later(qed_hyper *hyper, qed_hyper_plan *plan)
    void qed_hyper_sweep(qed_hyper *hyper)
    int qed_hyper_extend(
        qed_hyper *hyper, const uint8_t *digests, const uint64_t *counts, size_t groups,
        uint8_t *roots
    )
    int qed_hyper_build(qed_hyper *hyper, uint64_t size, const uint8_t *ends)
    int qed_hyper_walk(qed_hyper *hyper, const uint8_t *digest, qed_hyper_way *way)
    void qed_hyper_budget(qed_hyper *hyper, size_t bytes)
    uint32_t qed_hyper_damaged_page(const qed_hyper *hyper)
    void qed_hyper_count(const qed_hyper *hyper, qed_hyper_counts *counts)
    void qed_hyper_fail_after(qed_hyper *hyper, uint64_t takings)
    void qed_hyper_limit(qed_hyper *hyper, uint32_t limit)


cdef int _read_digests(
    void *self, uint64_t version, uint64_t count, uint8_t *out
) noexcept with gil:
    """Ask the history tree for digests that memory does not hold; 0, or 1 when that raised."""
    hyper = <Hyper>self
    cdef bytes digests
    try:
        if isinstance(hyper._history, History):
            digests = (<History>hyper._history)._read_back(version, count)
        else:
            digests = b"".join(map(hyper._history.digest, range(version, version + count)))
        if len(digests) != 32 * count:
            raise ValueError(f"the digests from version {version} on have {len(digests)} bytes")
    except BaseException as error:  # carried over to the thread that called, and raised there
        hyper._failures[get_ident()] = error
        return 1
    memcpy(out, <const char *>digests, 32 * count)
    return 0


cdef int _read_page(void *self, uint32_t number, uint8_t *page) noexcept with gil:
    """Ask for a page; 0, or 1 when that raised."""
    hyper = <Hyper>self
    cdef bytes read
    try:
        read = hyper._pages.read(number)
        if len(read) != hyper._page_bytes:
            raise ValueError(f"page {number} has {len(read)} bytes")
    except BaseException as error:  # as above
        hyper._failures[get_ident()] = error
        return 1
    memcpy(page, <const char *>read, hyper._page_bytes)
    return 0


cdef int _write_page(void *self, uint32_t number, const uint8_t *page) noexcept with gil:
    """Hand out a page; 0, or 1 when that raised."""
    hyper = <Hyper>self
    try:
        hyper._pages.write(number, page[: hyper._page_bytes])
    except BaseException as error:  # as above
        hyper._failures[get_ident()] = error
        return 1
    return 0


cdef int _report(void *self, uint64_t done, uint64_t total) noexcept with gil:
    """Tell who builds how far it is; 0, or 1 when that raised."""
    hyper = <Hyper>self
    try:
        if hyper._reporter is not None:
            hyper._reporter(done, total)
    except BaseException as error:  # as above
        hyper._failures[get_ident()] = error
        return 1
    return 0


def _check_digests(bytes digests not None):
    if len(digests) % 32:
        raise ValueError(f"{len(digests)} bytes are no whole number of digests")
    if not digests:
        raise ValueError("a group has at least one event")


@cython.no_gc_clear
cdef class HyperPlan:
    """A group as the hyper tree will hold it; see `twin.HyperPlan`. Made by `Hyper.plan`.

    Dropping it frees what it took. A plan stays alive while another stands on it.
    """

    # Not cleared by the garbage collector before __dealloc__, which needs them (no_gc_clear).
    cdef Hyper _hyper
    cdef qed_hyper_plan *_plan
    cdef HyperPlan _base
    cdef bytes _digests
    cdef readonly object first_version, size
    cdef readonly bytes root

    def __init__(self):
        raise TypeError("a plan is made by Hyper.plan")

    def __dealloc__(self):
        if self._plan != NULL:
            self._hyper._drop(self._plan)


cdef class Hyper:
    """The hyper tree of one log; see `twin.Hyper`."""

    cdef qed_hyper *_hyper
    cdef object _history
    cdef dict _failures  # what callbacks raised, by thread, until the caller raises it again
    cdef object _pages
    cdef size_t _page_bytes
    cdef object _reporter  # of a build
    cdef bint _busy  # the writer is inside a call without Python's lock
    cdef bint _unreadable  # and changes the tree in place
    cdef object _budget_bytes

    def __cinit__(self, history, *, pages=None, budget_bytes=None):
        cdef qed_hyper_owner owner
        memset(&owner, 0, sizeof(owner))
        self._history = history
        self._failures = {}
        owner.self = <void *>self
        owner.read_digests = _read_digests
        owner.report = _report
        if pages is not None:
            if pages.size_bytes < QED_HYPER_LEAST_PAGE:
                raise ValueError(f"pages of {pages.size_bytes} bytes are too small")
            self._pages = pages
            self._page_bytes = owner.page_bytes = pages.size_bytes
            owner.read_page = _read_page
            owner.write_page = _write_page
            # What no other process has: a page that was written by one is not taken for ours.
            secret = urandom(32)
            memcpy(owner.secret, <const char *><bytes>secret, 32)
        give_digests = getattr(history, "_digests", None)
        if callable(give_digests):
            capsule = give_digests()
            owner.digests = (<qed_digests *>PyCapsule_GetPointer(capsule, QED_DIGESTS_CAPSULE))[0]
        self._hyper = qed_hyper_new(&owner)
        if self._hyper == NULL:
            raise MemoryError
        self.budget_bytes = budget_bytes

    def __dealloc__(self):
        qed_hyper_free(self._hyper)

    @property
    def size(self):
        """The number of events accepted; of equal ones all count."""
        return qed_hyper_size(self._hyper)

    @property
    def root(self):
        """The hyper digest."""
        return qed_hyper_root(self._hyper)[:32]

    @property
    def memory_bytes(self):
        """The bytes resident for the tree and for planning."""
        return qed_hyper_memory(self._hyper)

    @property
    def budget_bytes(self):
        """What memory may hold, about, where there are pages; None: everything."""
        return self._budget_bytes

    @budget_bytes.setter
    def budget_bytes(self, budget_bytes):
        qed_hyper_budget(self._hyper, SIZE_MAX if budget_bytes is None else budget_bytes)
        self._budget_bytes = budget_bytes

    @property
    def members(self):
        """The number of different digests."""
        return qed_hyper_members(self._hyper)

    def plan(self, bytes digests not None, uint64_t first_version, HyperPlan base=None):
        """Return what a group would make of the tree; see `twin.Hyper.plan`."""
        cdef HyperPlan plan = HyperPlan.__new__(HyperPlan)
        cdef qed_hyper_plan *below = NULL
        cdef const uint8_t *data = <const uint8_t *><const char *>digests
        cdef size_t count = len(digests) // 32
        cdef int code
        size = self.size if base is None else base.size
        if first_version != size:
            raise ValueError(f"a plan for version {first_version} after {size} events")
        _check_digests(digests)
        if base is not None:
            if base._hyper is not self:
                raise ValueError("the base is a plan for another tree")
            below = base._plan
        self._enter()
        with nogil:
            code = qed_hyper_make_plan(self._hyper, data, count, below, &plan._plan)
        self._leave(code)
        plan._hyper = self
        plan._base = base
        plan._digests = digests
        plan.first_version = first_version
        plan.size = first_version + count
        plan.root = qed_hyper_plan_root(plan._plan)[:32]
        return plan

    def accept(self, HyperPlan plan not None):
        """Take over a plan; see `twin.Hyper.accept`. Cost: frees what the plan replaces."""
        if plan._hyper is not self:
            raise ValueError("a plan for another tree")
        if plan.first_version != self.size:
            raise ValueError(f"a plan for version {plan.first_version} after {self.size} events")
        self._enter()
        self._leave(qed_hyper_accept(self._hyper, plan._plan))
        plan._base = None
        plan._digests = None

    def extend(self, bytes digests not None, counts):
        """Add groups one after the other, for replay; see `twin.Hyper.extend`.

        No plan may be open and nobody may read meanwhile: `ValueError`. On any other error the
        tree is empty. Uses two threads.
        """
        cdef const uint8_t *data = <const uint8_t *><const char *>digests
        cdef const uint64_t *each
        cdef size_t groups
        cdef uint8_t *out
        cdef int code
        try:
            packed = array("Q", counts)
        except OverflowError as error:
            raise ValueError("the groups are not these digests") from error
        if sum(packed) * 32 != len(digests) or 0 in packed:
            raise ValueError("the groups are not these digests")
        groups = len(packed)
        held = packed.tobytes()
        each = <const uint64_t *><const char *>held
        roots = PyBytes_FromStringAndSize(NULL, 32 * groups)
        out = <uint8_t *>PyBytes_AsString(roots)
        self._enter_alone()
        with nogil:
            code = qed_hyper_extend(self._hyper, data, each, groups, out)
        self._leave(code)
        return roots

    def build(self, bytes ends not None, report=None):
        """Make the tree of all events of the history tree at once; see `twin.Hyper.build`."""
        cdef const uint8_t *bits = <const uint8_t *><const char *>ends
        cdef uint64_t size = self._history.size
        cdef int code
        if self.size:
            raise ValueError("the tree is not empty")
        if size == 0:
            return
        if len(ends) * 8 < size or not ends[(size - 1) >> 3] >> ((size - 1) & 7) & 1:
            raise ValueError("the last version ends no group")
        self._enter_alone()
        self._reporter = report
        with nogil:
            code = qed_hyper_build(self._hyper, size, bits)
        self._reporter = None
        self._leave(code)

    def walk(self, bytes digest not None):
        """Return where the way to a digest ends, in one tree; see `twin.Hyper.walk`."""
        cdef qed_hyper_way way
        cdef int code
        if len(digest) != 32:
            raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
        if self._unreadable:
            raise RuntimeError("the tree is being replayed")
        code = qed_hyper_walk(self._hyper, <const uint8_t *><const char *>digest, &way)
        if code == QED_DAMAGED:
            self._refuse_page(way.page)
        if code != QED_OK:
            self._raise(code)
        siblings = (<const uint8_t *>way.siblings)[: 32 * way.count]
        return way.size, siblings, way.version if way.found else None

    cdef _enter(self):
        """Begin a writer's call."""
        if self._busy:
            raise RuntimeError("two threads write to one tree")
        qed_hyper_sweep(self._hyper)
        self._busy = True

    cdef _enter_alone(self):
        """Begin a writer's call that changes the tree in place."""
        self._enter()
        if qed_hyper_open_plans(self._hyper):
            self._busy = False
            raise ValueError("a plan is neither accepted nor dropped")
        self._unreadable = True

    cdef _leave(self, int code):
        """End a writer's call; raises what it failed with."""
        self._busy = self._unreadable = False
        qed_hyper_sweep(self._hyper)
        if code != QED_OK:
            self._raise(code)

    cdef _raise(self, int code):
        if code == QED_NO_MEMORY:
            raise MemoryError("no memory for the hyper tree")
        if code == QED_FULL:
            raise OverflowError("the hyper tree has no room for more")
        if code == QED_CALLBACK:
            error = self._failures.pop(get_ident(), None)
            raise error if error is not None else self._failures.popitem()[1]
        if code == QED_DAMAGED:
            self._refuse_page(qed_hyper_damaged_page(self._hyper))
        raise ValueError("the plan does not stand on this tree")

    cdef _refuse_page(self, uint32_t number):
        raise DamagedError(
            f"page {number} of the hyper tree is not what was written there",
            hint="start again: the pages are made anew from the log",
        )

    cdef void _drop(self, qed_hyper_plan *plan) noexcept:
        """Free a plan; the last reference to it may go in any thread, at any time."""
        if self._busy:
            qed_hyper_drop_later(self._hyper, plan)
        else:
            qed_hyper_drop(self._hyper, plan)

    def _counts(self):
        """Return (inner nodes, buckets, places in them, pages, hashes computed); for tests."""
        cdef qed_hyper_counts counts
        qed_hyper_count(self._hyper, &counts)
        return counts.inner, counts.buckets, counts.slots, counts.pages, counts.hashes

    def _fail_after(self, uint64_t takings):
        """Let the n-th taking of memory fail, and all after it; 0: none. For tests."""
        qed_hyper_fail_after(self._hyper, takings)

    def _limit(self, uint32_t nodes):
        """Allow only so many inner nodes and places in each half; for tests."""
        qed_hyper_limit(self._hyper, nodes)
