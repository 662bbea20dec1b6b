"""What a server has committed itself to, and what it then cannot say any more."""

import pytest

from pure_log import PureLog, event_digests
from qed import wire
from qed.errors import VerificationError
from qed.trees.values import NO_VERSION, Snapshot
from qed.workload import ledger as module
from qed.workload.ledger import Known, Ledger


def snapshot(version, *, history=b"h", hyper=b"y"):
    return Snapshot(version, bytes(32), history * 32, hyper * 32)


def acknowledge(ledger, first, count=1, *, floor=-1, number=0):
    last = snapshot(first + count - 1)
    ledger.acknowledge(first, count, floor=floor, number=number, last=last)


def refused(step):
    return pytest.raises(VerificationError, check=lambda error: error.step == step)


def test_versions_in_any_order_are_fine_once():
    ledger = Ledger()
    for first, count in ((5, 3), (0, 5), (70_000, 1), (8, 100_000 - 40_000)):
        acknowledge(ledger, first, count)

    assert ledger.acknowledged == 60_009
    assert (ledger.first_version, ledger.last_version, ledger.highest) == (0, 70_000, 70_000)


@pytest.mark.parametrize("again", [(5, 1), (7, 1), (3, 3), (7, 9), (0, 70_000)])
def test_a_version_is_given_once(again):
    ledger = Ledger()
    acknowledge(ledger, 5, 3)

    with refused("twice"):
        acknowledge(ledger, *again)


def test_twice_is_seen_across_pages():
    ledger = Ledger()
    acknowledge(ledger, 65_530, 20)

    with refused("twice"):
        acknowledge(ledger, 65_549)


def test_pages_are_bounded_and_order_catches_what_they_forget(monkeypatch):
    monkeypatch.setattr(module, "_PAGES", 2)
    ledger = Ledger()
    for page in range(4):
        acknowledge(ledger, page << 16)

    assert len(ledger._pages) == 2
    with refused("order"):
        acknowledge(ledger, 0, floor=ledger.highest)


def test_a_later_request_gets_a_later_version():
    ledger = Ledger(9)
    with refused("order"):
        acknowledge(ledger, 9, floor=ledger.highest)

    acknowledge(ledger, 10, floor=ledger.highest)
    with refused("order"):
        acknowledge(ledger, 8, floor=ledger.highest)


@pytest.mark.parametrize(("first", "count"), [(NO_VERSION, 1), (NO_VERSION - 1, 2), (2**70, 1)])
def test_a_version_has_64_bits(first, count):
    with refused("version"):
        acknowledge(Ledger(), first, count)


def test_an_answer_is_not_older_than_what_was_shown():
    ledger = Ledger()
    acknowledge(ledger, 0, 10)

    ledger.see_current(9, floor=9)
    ledger.see_current(12, floor=9)
    assert ledger.highest == 12
    ledger.see_current(3, floor=None)
    for version in (8, NO_VERSION):
        with refused("freshness"):
            ledger.see_current(version, floor=9)
    with refused("version"):
        ledger.see_current(NO_VERSION + 1, floor=-1)


def test_an_empty_log_has_no_version():
    ledger = Ledger(NO_VERSION)
    ledger.see_current(NO_VERSION, floor=ledger.highest)

    assert (ledger.start, ledger.highest) == (-1, -1)


def test_snapshots_are_read_when_they_are_needed():
    log = PureLog()
    (added,) = log.add(event_digests(1))
    ledger = Ledger()
    ledger.acknowledge(0, 1, floor=-1, number=0, last=wire.encode_snapshot(added))

    assert ledger.history_of(0) == Known(added.history_digest, from_snapshot=True)
    assert ledger.hyper_of(0) == Known(added.hyper_digest, from_snapshot=True)
    assert ledger.history_of(1) is None
    assert ledger.hyper_of(1) is None


@pytest.mark.parametrize("tree", ["history", "hyper"])
def test_the_first_proof_commits_the_server(tree):
    ledger = Ledger()
    pin = ledger.pin_history if tree == "history" else ledger.pin_hyper
    of = ledger.history_of if tree == "history" else ledger.hyper_of

    assert pin(3, b"a" * 32) == pin(3, b"a" * 32) == of(3) == Known(b"a" * 32, from_snapshot=False)
    with refused(f"{tree}-root"):
        pin(3, b"b" * 32)


@pytest.mark.parametrize("tree", ["history", "hyper"])
def test_a_snapshot_and_a_proof_agree_whichever_comes_first(tree):
    wrong, right = b"a" * 32, {"history": b"h" * 32, "hyper": b"y" * 32}[tree]
    pin = {"history": Ledger.pin_history, "hyper": Ledger.pin_hyper}[tree]

    ledger = Ledger()
    acknowledge(ledger, 0)
    assert pin(ledger, 0, right) == Known(right, from_snapshot=True)
    with refused(f"{tree}-root"):
        pin(ledger, 0, wrong)

    ledger = Ledger()
    pin(ledger, 0, right)
    acknowledge(ledger, 0)
    assert pin(ledger, 0, right) == Known(right, from_snapshot=True)

    ledger = Ledger()
    pin(ledger, 0, wrong)
    with refused(f"{tree}-root"):
        acknowledge(ledger, 0)


def test_what_is_held_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "HELD_SNAPSHOTS", 3)
    monkeypatch.setattr(module, "PINNED_ROOTS", 2)
    monkeypatch.setattr(module, "RECENT_NUMBERS", 4)
    ledger = Ledger()
    for version in range(10):
        acknowledge(ledger, version, number=100 + version)
        ledger.pin_history(20 + version, bytes(32))

    assert ledger.known_histories() == [7, 8, 9, 28, 29]
    assert sorted(ledger.recent) == [106, 107, 108, 109]
