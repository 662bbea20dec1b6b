"""The store as a whole: what it takes, what it refuses, and what it keeps of a contradiction."""

from dataclasses import replace

import pytest

from qed.client.evidence import verify_evidence
from qed.database import Database
from qed.errors import (
    BusyError,
    ConflictError,
    ContradictionError,
    DamagedError,
    LockedError,
    MalformedError,
    NotFoundError,
    StorageError,
    VerificationError,
)
from qed.signing.policy import policy_of_key
from qed.snapshot_store import offers, rows
from qed.snapshot_store import store as store_module
from qed.snapshot_store.store import Store
from qed.trees.snapshot_log import TILE_HASHES
from qed.trees.tiles import decode_bundle
from qed.wire.batches import Batch
from signed_log import SignedLog

LOG = SignedLog(700)
KEY = LOG.key


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "store", KEY) as found:
        yield found


def reopened(store):
    store.close()
    return Store.open(store.path, KEY)


def check_holds(store, size, published):
    """Everything that the store serves is the log's."""
    assert store.count == size
    assert (store.published().size if store.published() else 0) == published
    for version in range(0, size, 41):
        assert store.snapshot(version)[0] == LOG.snapshots[version]
    for first in range(0, size, TILE_HASHES):
        width = min(TILE_HASHES, size - first)
        index = first // TILE_HASHES
        leaves = decode_bundle(store.bundle(index, width), width, index=index)
        assert leaves == [LOG.leaf(first + at) for at in range(width)]
        assert store.tile(0, index, width) == b"".join(LOG.hashes[0][first : first + width])
    if size >= TILE_HASHES:
        width = size // TILE_HASHES
        assert store.tile(1, 0, width) == b"".join(LOG.hashes[8][:width])


def test_batches_one_after_the_other_are_all_there_and_still_there_after_opening(store):
    for first, stop in ((0, 1), (1, 300), (300, 301), (301, 600), (600, 700)):
        accepted = store.accept(LOG.batch(first, stop))
        assert (accepted.count, accepted.added, accepted.published_size) == (
            stop,
            stop - first,
            stop,
        )
        check_holds(store, stop, stop)
    with reopened(store) as again:
        check_holds(again, 700, 700)
        assert again.published().note == LOG.note(700)


def test_parts_under_one_checkpoint_are_published_with_the_last_of_them(store):
    for first, stop in ((0, 200), (200, 513)):
        assert store.accept(LOG.batch(first, stop, 600)).published_size == 0
    store = reopened(store)
    assert store.count == 513
    assert store.published() is None
    assert store.accept(LOG.batch(513, 600, 600)).published_size == 600
    check_holds(store, 600, 600)
    with reopened(store) as again:
        check_holds(again, 600, 600)


def test_a_checkpoint_on_the_way_is_published_as_soon_as_its_leaves_are_here(store):
    store.accept(LOG.batch(0, 100, 150))
    assert store.accept(LOG.batch(100, 200, 700)).published_size == 150
    assert store.accept(LOG.batch(0, 90, 180)).published_size == 180
    with reopened(store) as again:
        check_holds(again, 200, 180)


def test_what_is_here_already_changes_nothing(store):
    store.accept(LOG.batch(0, 300))
    for again in (LOG.batch(0, 300), LOG.batch(7, 200, 400), LOG.batch(299, 300, 700)):
        assert store.accept(again).added == 0
    overlapping = store.accept(LOG.batch(100, 350))
    assert (overlapping.added, overlapping.count) == (50, 350)
    check_holds(store, 350, 350)


def test_a_gap_is_refused_with_the_count(store):
    store.accept(LOG.batch(0, 10))
    with pytest.raises(ConflictError, match="has 10 snapshots, the batch begins at 12"):
        store.accept(LOG.batch(12, 20))
    check_holds(store, 10, 10)


def test_signatures_are_served_as_they_came_and_false_ones_refused(store):
    store.accept(LOG.batch(0, 5, signed=True))
    store.accept(LOG.batch(5, 8))
    assert store.snapshot(3) == (LOG.snapshots[3], LOG.signature(3))
    assert store.snapshot(6) == (LOG.snapshots[6], b"")
    batch = LOG.batch(8, 10, signed=True)
    with pytest.raises(VerificationError):
        store.accept(replace(batch, signatures=batch.signatures[::-1]))
    assert store.count == 8
    with reopened(store) as again:
        assert again.snapshot(3)[1] == LOG.signature(3)


def changed(batch, at=0):
    """A batch with another event digest at one place."""
    one = replace(batch.snapshots[at], event_digest=b"\x66" * 32)
    return replace(batch, snapshots=[*batch.snapshots[:at], one, *batch.snapshots[at + 1 :]])


OTHER_KEY = SignedLog(30, seed=b"\x01" * 32)
OTHER_NAME = SignedLog(30, origin="b.test/log")
REFUSED = {
    "unsigned": replace(LOG.batch(10, 20), checkpoint=b"a.test/log\n20\n"),
    "signed by another key": OTHER_KEY.batch(10, 20),
    "of another log": OTHER_NAME.batch(10, 20),
    "a changed snapshot": changed(LOG.batch(10, 20), 4),
    "a changed snapshot that is here": changed(LOG.batch(5, 20), 1),
    "all here and one changed": changed(LOG.batch(2, 8, 9), 3),
    "all here and one changed under a larger checkpoint": changed(LOG.batch(2, 8, 20), 3),
    "the proof left out": replace(LOG.batch(10, 20, 25), consistency=()),
    "a hash too many": replace(LOG.batch(10, 20), consistency=(b"\x00" * 32,)),
    "beyond its checkpoint": replace(LOG.batch(10, 21), checkpoint=LOG.note(20)),
    "no checkpoint": replace(LOG.batch(10, 20), checkpoint=None, consistency=()),
    "no checkpoint, changed": replace(changed(LOG.batch(3, 6)), checkpoint=None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_signed_for_is_refused_and_nothing_of_it_is_kept(store, name):
    store.accept(LOG.batch(0, 10))
    before = store._database.sequence_number()
    with pytest.raises(VerificationError) as caught:
        store.accept(REFUSED[name])
    assert not isinstance(caught.value, ContradictionError)
    assert store._database.sequence_number() == before
    assert store.alerts.listed() == []
    check_holds(store, 10, 10)


def test_versions_that_do_not_follow_each_other_are_no_batch(store):
    for order in ([0, 2], [1, 0], [0, 0]):
        batch = replace(
            LOG.batch(0, 2), snapshots=[LOG.snapshots[v] for v in order], signatures=[b"", b""]
        )
        with pytest.raises(MalformedError, match="follow each other"):
            store.accept(batch)


def test_qeds_own_batch_is_taken_when_all_of_it_is_here(store):
    store.accept(LOG.batch(0, 10))
    assert store.accept(Batch(LOG.snapshots[2:6], [b""] * 4)).added == 0
    with pytest.raises(VerificationError, match="no checkpoint, and version 10 is not here"):
        store.accept(Batch(LOG.snapshots[2:12], [b""] * 10))


def fork(branch, size=700):
    return SignedLog(size, branch=branch)


FORKS = {
    "one size, two roots, all leaves": (300, fork(120).batch(0, 300), 120),
    "one size, two roots, the end": (300, fork(120).batch(250, 300), None),
    "an older checkpoint": (300, fork(120).batch(100, 200), 120),
    "an older checkpoint without its leaves": (300, fork(120).batch(150, 200), None),
    "longer, branches inside": (300, fork(299).batch(200, 600), 299),
    "longer, from 0": (300, fork(0).batch(0, 700), 0),
    "longer, in part, from 0": (300, fork(5).batch(0, 310, 700), 5),
    "longer, one leaf of it": (300, fork(299).batch(299, 300, 700), 299),
    "a waiting one of that size": (300, fork(650).batch(300, 310, 699), None),
    "the covering one of that size": (250, fork(260).batch(250, 255, 300), None),
}


@pytest.mark.parametrize("name", FORKS)
def test_of_two_signed_histories_both_are_kept_with_alert_and_evidence(store, name):
    size, other, version = FORKS[name]
    store.accept(LOG.batch(0, size, 300))
    if name.startswith("a waiting"):
        store.accept(LOG.batch(300, 301, 699))
        size = 301
    with pytest.raises(ContradictionError) as caught:
        store.accept(other)
    for _ in range(2):  # and once more after opening
        assert store.count == size
        (alert,) = store.alerts.listed()
        assert alert.is_own
        (evidence,) = store.alerts.evidence_names()
        assert evidence in alert.text
        data = store.alerts.evidence(evidence)
        assert data == caught.value.evidence
        finding = verify_evidence(data, policy_of_key(LOG.key))
        assert finding.signed
        ((note, run),) = store.conflicting()
        assert note == other.checkpoint
        assert (None if run is None else run.first) == version
        if run is not None:
            assert list(run.snapshots()) == other.snapshots[version - other.snapshots[0].version :]
        store = reopened(store)
    with pytest.raises(ContradictionError):
        store.accept(other)
    assert len(store.alerts.listed()) == 1, "one contradiction, one alert"
    store.close()


def test_two_snapshots_are_kept_also_where_no_checkpoint_lies_between_them(store):
    store.accept(LOG.batch(0, 300))
    with pytest.raises(ContradictionError, match="two snapshots of version 100") as caught:
        store.accept(fork(100).batch(0, 200, 700))
    assert caught.value.evidence == b""
    assert store.alerts.evidence_names() == []
    ((_, run),) = store.conflicting()
    assert (run.first, run.stop) == (100, 200)


def test_a_checkpoint_kept_on_the_way_makes_evidence_of_an_early_fork(store, monkeypatch):
    monkeypatch.setattr(offers, "NOTE_LEAVES", 50)
    for first in range(0, 300, 60):
        store.accept(LOG.batch(first, first + 60))
    with pytest.raises(ContradictionError) as caught:
        store.accept(fork(100).batch(0, 200, 700))
    assert verify_evidence(caught.value.evidence, policy_of_key(LOG.key)).signed


def test_leaves_that_pass_a_waiting_checkpoint_must_have_its_root(store):
    store.accept(LOG.batch(0, 100, 150))
    with pytest.raises(ContradictionError) as caught:
        store.accept(fork(120).batch(100, 200, 699))
    assert verify_evidence(caught.value.evidence, policy_of_key(LOG.key)).signed
    assert store.count == 100


def test_conflicts_are_bounded(store, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_CONFLICTS", 2)
    store.accept(LOG.batch(0, 300))
    for branch in range(1, 5):
        with pytest.raises(ContradictionError):
            store.accept(fork(branch).batch(0, 300))
    assert (store.conflicts, store.conflicts_refused) == (2, 2)
    assert len(store.alerts.listed()) == 2


def test_alerts_are_kept_in_their_order(store):
    store.add_alert(b"one")
    store.add_alert("zwei \N{EM DASH}".encode())
    store.add_alert(b"one")
    for _ in range(2):
        texts = [alert.text for alert in store.alerts.listed()]
        assert texts == ["one", "zwei \N{EM DASH}", "one"]
        store = reopened(store)
    store.add_alert(b"three")
    assert [alert.number for alert in store.alerts.listed()] == [0, 1, 2, 3]
    store.close()


def test_posted_alerts_leave_room_for_the_stores_own(tmp_path):
    with Store.create(tmp_path / "s", KEY, max_alerts=1) as store:
        store.add_alert(b"one")
        with pytest.raises(BusyError, match="drops none"):
            store.add_alert(b"two")
        store.accept(LOG.batch(0, 30))
        with pytest.raises(ContradictionError):
            store.accept(fork(2).batch(0, 30))
        assert [alert.is_own for alert in store.alerts.listed()] == [False, True]


def test_create_is_not_open_and_one_process_has_it(tmp_path):
    path = tmp_path / "store"
    with pytest.raises(NotFoundError):
        Store.open(path)
    with Store.create(path, KEY):
        with pytest.raises(LockedError):
            Store.open(path)
        with pytest.raises(LockedError):
            Store.create(path, KEY)
    with pytest.raises(ConflictError):
        Store.create(path, KEY)
    with pytest.raises(ConflictError, match="is of the log with the key"):
        Store.open(path, OTHER_KEY.key)
    with Store.open(path) as store:
        assert store.key == LOG.key


def test_a_version_beyond_is_not_found_in_qeds_words(store):
    with pytest.raises(NotFoundError, match=r"^Version not found: 0$"):
        store.snapshot(0)


def test_signatures_that_nobody_here_can_verify_are_dropped(store):
    stranger = OTHER_NAME.note(10).decode().split("\n\n")[1].encode()
    batch = LOG.batch(0, 10)
    store.accept(replace(batch, checkpoint=batch.checkpoint + stranger))
    assert store.published().note == batch.checkpoint


def test_after_a_failed_sync_nothing_more_is_taken(store, monkeypatch):
    store.accept(LOG.batch(0, 10))

    def fail(_self, _puts):
        raise StorageError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit", fail)
        with pytest.raises(StorageError):
            store.accept(LOG.batch(10, 20))
    assert isinstance(store.failure, StorageError)
    with pytest.raises(StorageError):
        store.accept(LOG.batch(10, 20))
    with pytest.raises(StorageError):
        store.add_alert(b"x")
    check_holds(store, 10, 10)


def test_damage_is_an_error_with_the_rows_name(store):
    store.accept(LOG.batch(0, 300))
    (value,) = store._database.get(rows.LEAVES, [rows.version_key(256)])
    store._database.commit([(rows.LEAVES, rows.version_key(256), value[:-1] + b"\x00")])
    with pytest.raises(DamagedError, match="snapshot store"):
        reopened(store)
