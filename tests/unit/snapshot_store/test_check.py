"""Checking a store that does not run."""

import contextlib

import pytest

from qed.errors import ContradictionError, DamagedError, LockedError, NotFoundError
from qed.snapshot_store import rows
from qed.snapshot_store.check import check_store
from qed.snapshot_store.store import Store
from signed_log import SignedLog

LOG = SignedLog(50)


@pytest.fixture
def path(tmp_path):
    with Store.create(tmp_path / "store", LOG.key) as store:
        store.accept(LOG.batch(0, 40, 45))
        store.add_alert(b"x")
        with contextlib.suppress(ContradictionError):
            store.accept(SignedLog(50, branch=9).batch(0, 40))
    return tmp_path / "store"


def test_a_store_in_order_is_described(path):
    report = check_store(path)
    assert (report.origin, report.snapshots, report.published_size) == (LOG.key.name, 40, 0)
    assert report.root == LOG.root(40)
    assert (report.alerts, report.conflicts, report.evidence) == (2, 1, 1)


def test_evidence_that_shows_nothing_is_damage(path):
    with Store.open(path) as store:
        store._database.commit([rows.encode_evidence("equivocation-x.json", b"{}")])
    with pytest.raises(DamagedError, match=r"evidence/equivocation-x\.json"):
        check_store(path)


def test_a_signature_that_is_not_the_logs_is_damage(path):
    with Store.open(path) as store:
        store.accept(LOG.batch(40, 45, signed=True))
    check_store(path)
    with Store.open(path) as store:
        store._database.commit([rows.encode_signature(41, LOG.signature(42))])
    with pytest.raises(DamagedError, match="signatures/41"):
        check_store(path)


def test_a_conflict_without_a_signed_note_is_damage(path):
    with Store.open(path) as store:
        store._database.commit([rows.encode_conflict(b"h" * 32, b"note", None)])
    with pytest.raises(DamagedError, match="conflicts"):
        check_store(path)


def test_none_there_and_one_that_runs(path, tmp_path):
    with pytest.raises(NotFoundError):
        check_store(tmp_path / "none")
    with Store.open(path), pytest.raises(LockedError):
        check_store(path)
