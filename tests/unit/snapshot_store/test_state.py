"""Opening: every row that is not as it was written is found and named."""

from dataclasses import replace

import pytest

from qed.errors import DamagedError, StoppingError
from qed.snapshot_store import offers, rows
from qed.snapshot_store.state import State, read_key, verify_rows
from qed.snapshot_store.store import Store
from signed_log import SignedLog

LOG = SignedLog(700)
FORK = SignedLog(700, branch=300)
OTHER = SignedLog(700, seed=b"x")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(offers, "NOTE_LEAVES", 100)
    with Store.create(tmp_path / "store", LOG.key) as found:
        for first, stop, size in ((0, 250, 250), (250, 520, 520), (520, 600, 650)):
            found.accept(LOG.batch(first, stop, size))
        yield found


def test_the_state_is_what_the_last_batch_left(store):
    found = verify_rows(store._database, LOG.key)
    assert found == replace(store._state, published=found.published)
    assert found.published.note == LOG.note(520)
    assert (sorted(found.waiting), found.kept_size) == ([650], 520)
    assert read_key(store._database) == "a.test/log+" + read_key(store._database).split("+", 1)[1]


def test_an_empty_store_has_the_empty_state(tmp_path):
    with Store.create(tmp_path / "s", LOG.key) as empty:
        assert verify_rows(empty._database, LOG.key) == State()


def test_progress_is_told_and_may_stop_it(store):
    seen = []
    verify_rows(store._database, LOG.key, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (600, 600)

    def stop(_done, _total):
        raise StoppingError("no")

    with pytest.raises(StoppingError):
        verify_rows(store._database, LOG.key, stop)


def leaves(log, first, stop):
    return rows.encode_run(offers.dense_run(log.snapshots[first:stop]))


CHANGES = {
    "another leaf": ("nodes/1/1", lambda: leaves(FORK, 256, 512)),
    "another last leaf": ("default/head", lambda: leaves(FORK, 520, 600)),
    "a leaf too many": ("default/head", lambda: leaves(LOG, 600, 601)),
    "a gap": ("leaves/600", lambda: leaves(LOG, 601, 602)),
    "an empty row": ("leaves/520", lambda: [(rows.LEAVES, rows.version_key(520), b"")]),
    "another node": ("nodes/1/0", lambda: [rows.encode_node(1, 0, b"\x00" * 32)]),
    "a node too many": ("nodes/1/", lambda: [rows.encode_node(1, 2, b"\x00" * 32)]),
    "a level too many": ("nodes/2/", lambda: [rows.encode_node(2, 0, b"\x00" * 32)]),
    "another root": ("default/head", lambda: [rows.encode_head(600, b"\x00" * 32)]),
    "another size": ("default/", lambda: [rows.encode_head(599, LOG.root(599))]),
    "a fork's checkpoint published": (
        "default/published",
        lambda: [rows.encode_published(FORK.note(520))],
    ),
    "one that is ahead published": (
        "default/published",
        lambda: [rows.encode_published(LOG.note(601))],
    ),
    "another key's published": (
        "default/published",
        lambda: [rows.encode_published(OTHER.note(520))],
    ),
    "another cover": ("default/cover", lambda: [rows.encode_cover(rows.Cover(FORK.note(650), ()))]),
    "a fork's note": ("notes/520", lambda: [rows.encode_note(520, FORK.note(520))]),
    "a note of another size": ("notes/521", lambda: [rows.encode_note(521, LOG.note(520))]),
    "another format": ("default/format", lambda: [(rows.META, rows.FORMAT_KEY, b"\x00")]),
    "another key": ("default/key", lambda: [(rows.META, rows.KEY_KEY, b"\xff")]),
}


def verify_all(database):
    read_key(database)
    verify_rows(database, LOG.key)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_row_is_named(store, name):
    row, change = CHANGES[name]
    store._database.commit(change())
    with pytest.raises(DamagedError, match=f"the row {row}"):
        verify_all(store._database)


def test_a_store_of_another_key_is_none_of_this_one(store):
    with pytest.raises(DamagedError, match="holds no note of the log"):
        verify_rows(store._database, OTHER.key)
