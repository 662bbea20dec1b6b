"""Snapshots and receipts out of a published log: true ones, or an error."""

import pytest

from direct import Direct
from publishing import PublishedLog
from qed.agents import proving
from qed.agents.proving import (
    answer_receipt,
    checkpoint_of,
    logged_receipt,
    prove_snapshot,
    read_snapshots,
)
from qed.client.receipts import verify_under_key
from qed.client.trusted import Trusted
from qed.errors import VerificationError

ABSENT = b"a" * 32


@pytest.fixture
def log():
    made = PublishedLog()
    made.fill(700)
    return made


@pytest.fixture
def trusted(log):
    return Trusted(log.key, log.note)


@pytest.fixture
def place(log):
    return Direct(log, "store")


def test_a_snapshot_and_its_path(log, trusted, place):
    snapshot, path = prove_snapshot(trusted, place.source(), 431)
    assert snapshot == log.snapshots[431]
    assert trusted.authenticate(log.leaves[431], 431, path) == snapshot


@pytest.mark.parametrize("near", [1, 200, 16_384])
def test_snapshots_near_the_end_and_far_from_it(log, trusted, place, near, monkeypatch):
    monkeypatch.setattr(proving, "PART_LEAVES", near)
    wanted = [0, 255, 256, 511, 698, 699]
    found = read_snapshots(trusted, place.source(), wanted)
    assert found == {version: log.snapshots[version] for version in wanted}
    assert read_snapshots(trusted, place.source(), []) == {}


@pytest.mark.parametrize("near", [1, 16_384])
def test_a_false_leaf_is_not_returned(log, trusted, place, near, monkeypatch):
    monkeypatch.setattr(proving, "PART_LEAVES", near)
    log.leaves[650] = log.leaves[650][:-1] + b"x"
    with pytest.raises(VerificationError):
        read_snapshots(trusted, place.source(), [650])


def test_receipts_verify(log, trusted, place):
    digest = log.snapshots[33].event_digest
    logged = verify_under_key(logged_receipt(trusted, place.source(), 33), log.key)
    assert (logged.kind, logged.version, logged.digest) == ("logged", 33, digest)
    newest = answer_receipt(trusted, place.source(), log.log.membership(digest))
    assert verify_under_key(newest, log.key).kind == "newest"
    absent = answer_receipt(trusted, place.source(), log.log.membership(ABSENT))
    assert verify_under_key(absent, log.key, digest=ABSENT).kind == "absent"


def test_the_checkpoint_of_what_is_trusted(log, trusted):
    assert checkpoint_of(trusted) == trusted.read(log.note)
