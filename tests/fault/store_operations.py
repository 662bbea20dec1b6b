"""A snapshot store that is created, opened and written to: what it promises whatever fails."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault.trial import Acknowledge, Aftermath
from qed.errors import ConflictError, ContradictionError
from qed.snapshot_store.check import check_store
from qed.snapshot_store.store import Store
from signed_log import SignedLog

LOG = SignedLog(600)
FORK = SignedLog(600, branch=290)
STEPS = (300, 310, 520, 600)


@dataclass(frozen=True, slots=True)
class CreateStore:
    """A new store is there as a whole, or can be created."""

    name: str = "store-create"

    def prepare(self, _directory: Path) -> None:
        pass

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            Store.create(directory / "store", LOG.key)
            acknowledge("created")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "store"
        try:
            Store.create(path, LOG.key).close()
            assert not aftermath.acknowledged, "it was acknowledged and is not there"
        except ConflictError:
            pass
        _judge(path, {0})


@dataclass(frozen=True, slots=True)
class StoreOpen:
    """Opening after a power cut loses nothing that was acknowledged, however it fails."""

    name: str = "store-open"

    def prepare(self, directory: Path) -> None:
        _fill(directory / "store", STEPS)

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            Store.open(directory / "store")
            acknowledge("opened")

        return act

    def judge(self, directory: Path, _aftermath: Aftermath) -> None:
        _judge(directory / "store", {600})


@dataclass(frozen=True, slots=True)
class StoreAppend:
    """A batch is there as a whole or not at all; acknowledged means there."""

    name: str = "store-append"

    def prepare(self, directory: Path) -> None:
        _fill(directory / "store", STEPS[:1])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        store = Store.open(directory / "store")

        def act(acknowledge: Acknowledge) -> None:
            for first, stop in itertools.pairwise(STEPS):
                acknowledge(f"{store.accept(LOG.batch(first, stop)).count}")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        counts = [int(text) for text in aftermath.acknowledged]
        assert counts == list(STEPS[1 : 1 + len(counts)]), f"acknowledged with a hole: {counts}"
        # The one that failed is there or not; none after it was even tried.
        _judge(directory / "store", set(STEPS[len(counts) : len(counts) + 2]))


@dataclass(frozen=True, slots=True)
class StoreConflict:
    """A contradiction is kept with its alert and its evidence, or it can be found again."""

    name: str = "store-conflict"

    def prepare(self, directory: Path) -> None:
        _fill(directory / "store", STEPS[:1])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        store = Store.open(directory / "store")

        def act(acknowledge: Acknowledge) -> None:
            try:
                store.accept(FORK.batch(250, 400))
            except ContradictionError:
                acknowledge("kept")
            store.add_alert(b"posted")
            acknowledge("posted")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "store"
        report = check_store(path)
        assert report.conflicts == report.evidence <= 1
        assert report.alerts >= len(aftermath.acknowledged)
        assert "kept" not in aftermath.acknowledged or report.conflicts == 1
        with Store.open(path) as store:
            with contextlib.suppress(ContradictionError):
                store.accept(FORK.batch(250, 400))
            assert store.conflicts == 1
            assert sum(alert.is_own for alert in store.alerts.listed()) == 1
        _judge(path, {300})


def _fill(path: Path, steps: tuple[int, ...]) -> None:
    """Fill a new store, and end as after a power cut: nothing is closed."""
    store = Store.create(path, LOG.key)
    for first, stop in itertools.pairwise((0, *steps)):
        store.accept(LOG.batch(first, stop))


def _judge(path: Path, sizes: set[int]) -> None:
    """Recompute everything, compare it with the log, take a batch more, and do it again."""
    report = check_store(path)
    assert report.snapshots == report.published_size
    assert report.snapshots in sizes, f"{report.snapshots} snapshots, not one of {sizes}"
    with Store.open(path, LOG.key) as store:
        for version in range(0, store.count, 7):
            assert store.snapshot(version)[0] == LOG.snapshots[version]
        store.accept(LOG.batch(min(store.count, 599), 600))
        assert store.count == 600
    assert check_store(path).root == LOG.root(600)
