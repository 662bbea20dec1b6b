from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from qed.engine.leaves import Leaves
from qed.errors import DamagedError
from qed.server.publication import Publication
from serving import DEADLINE_S
from unit.server.test_recent_leaves import some_leaves


def root_of(size: int) -> bytes:
    return b"root" + size.to_bytes(28, "big")


@dataclass
class FakeLog:
    """A log that grows when it is told to."""

    size: int = 0
    damage: Exception | None = None
    row_root: bytes | None = None  # another one than was planned
    changed: threading.Event = field(default_factory=threading.Event)
    rechecked: list[int] = field(default_factory=list)

    @property
    def snapshot_root(self) -> tuple[int, bytes]:
        return self.size, root_of(self.size)

    def recheck(self, stop: int) -> tuple[bytes, Leaves]:
        if self.damage is not None:
            raise self.damage
        first = self.rechecked[-1] if self.rechecked else 0
        self.rechecked.append(stop)
        return self.row_root or root_of(stop), some_leaves(first, stop)

    def grow(self, events: int = 1) -> None:
        self.size += events
        self.changed.set()


@dataclass
class Signed:
    """What was signed, in order, and who is told of it."""

    publication: Publication | None = None
    notes: list[bytes] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    failed: threading.Event = field(default_factory=threading.Event)
    told: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    hold: threading.Event | None = None  # what every signature waits for
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def sign(self, size: int, root: bytes) -> bytes:
        self.asked.release()
        if self.hold is not None:
            assert self.hold.wait(DEADLINE_S)
        assert root == root_of(size)
        self.notes.append(b"note of %d" % size)
        return self.notes[-1]

    def fail(self, error: Exception) -> None:
        self.failures.append(error)
        self.failed.set()

    def wait(self) -> None:
        assert self.told.acquire(timeout=DEADLINE_S)


@contextlib.contextmanager
def publishing(log: FakeLog, interval_s: float = 0.0) -> Iterator[Signed]:
    signed = Signed()
    publication = Publication(log, signed.sign, interval_s=interval_s, on_failure=signed.fail)
    signed.publication = publication
    publication.follow(signed.told.release)
    publication.start()
    signed.wait()
    try:
        yield signed
    finally:
        publication.stop()


@pytest.mark.parametrize("size", [0, 7])
def test_the_start_publishes_the_log_as_it_is(size: int) -> None:
    with publishing(FakeLog(size)) as signed:
        assert signed.publication.published.note == b"note of %d" % size
        assert signed.publication.published.size == size
    assert signed.notes == [b"note of %d" % size]


def test_before_the_start_nothing_is_published() -> None:
    publication = Publication(FakeLog(), Signed().sign)
    with pytest.raises(AssertionError):
        _ = publication.published
    publication.stop()  # and there is nothing to stop


def test_what_is_new_is_published_and_told() -> None:
    log = FakeLog()
    with publishing(log) as signed:
        for _ in range(3):
            log.grow(2)
            signed.wait()
        assert signed.publication.published.size == 6
        assert (
            signed.publication.recent.read(0, 6).encode_bundle()
            == some_leaves(0, 6).encode_bundle()
        )
    assert signed.notes == [b"note of %d" % size for size in (0, 2, 4, 6)]


def test_a_wake_up_without_news_signs_nothing() -> None:
    log = FakeLog(3)
    with publishing(log) as signed:
        log.changed.set()
        log.grow()
        signed.wait()
    assert signed.notes == [b"note of 3", b"note of 4"]


def test_what_comes_while_one_is_signed_is_in_the_next() -> None:
    log = FakeLog()
    with publishing(log) as signed:
        assert signed.asked.acquire(timeout=DEADLINE_S)  # that of the start
        signed.hold = threading.Event()
        log.grow()
        assert signed.asked.acquire(timeout=DEADLINE_S)
        log.grow(5)
        log.grow(5)
        signed.hold.set()
        signed.wait()
        signed.wait()
    assert signed.notes == [b"note of 0", b"note of 1", b"note of 11"]


def test_within_an_interval_there_is_one_checkpoint_and_a_stop_does_not_wait_for_it() -> None:
    log = FakeLog()
    with publishing(log, interval_s=3600) as signed:
        for _ in range(10):
            log.grow()
        assert signed.publication.published.size == 0
    assert signed.notes == [b"note of 0", b"note of 10"]


def test_after_a_pause_a_lone_event_waits_for_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("qed.server.publication.time.monotonic", lambda: now_s[0])
    log = FakeLog()
    with publishing(log, interval_s=3600) as signed:
        now_s[0] += 3600
        log.grow()
        signed.wait()
        assert signed.notes[-1] == b"note of 1"


def test_a_stop_signs_everything_that_is_in_the_log() -> None:
    log = FakeLog()
    with publishing(log) as signed:
        log.size = 5  # nobody was woken
    assert signed.notes == [b"note of 0", b"note of 5"]


def test_damage_at_the_start_is_raised_and_nothing_is_signed() -> None:
    log, signed = FakeLog(3, damage=DamagedError("row ends/2 is wrong")), Signed()
    publication = Publication(log, signed.sign, on_failure=signed.fail)
    with pytest.raises(DamagedError, match="ends/2"):
        publication.start()
    publication.stop()
    assert (signed.notes, signed.failures) == ([], [])


def test_damage_later_on_is_told_and_ends_all_signing() -> None:
    log = FakeLog(3)
    with publishing(log) as signed:
        log.damage = DamagedError("row ends/2 is wrong")
        log.grow()
        assert signed.failed.wait(DEADLINE_S)
        log.damage = None
        log.grow()
    assert [type(error) for error in signed.failures] == [DamagedError]
    assert signed.notes == [b"note of 3"]
    assert signed.publication.published.size == 3


def test_rows_that_lead_to_another_root_than_was_planned_are_not_signed_for() -> None:
    log = FakeLog(3)
    with publishing(log) as signed:
        log.row_root = bytes(32)
        log.grow()
        assert signed.failed.wait(DEADLINE_S)
    assert "up to version 3 lead to another root" in str(signed.failures[0])
    assert signed.notes == [b"note of 3"]


def test_a_bug_is_told_as_well() -> None:
    log = FakeLog(3)
    with publishing(log) as signed:
        log.damage = KeyError("bug")
        log.grow()
        assert signed.failed.wait(DEADLINE_S)
    assert isinstance(signed.failures[0], KeyError)


def test_checkpoints_are_measured() -> None:
    with publishing(FakeLog(1)) as signed:
        samples = signed.publication.durations.family("x", "x").samples
    assert [s.value for s in samples if s.name == "x_count"] == [1]
