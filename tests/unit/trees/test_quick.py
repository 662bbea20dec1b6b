"""The verifier's first opinion: yes, or nothing; and which verifier gives it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

import flat_texts
import mutations
from pure_log import PureLog, event_digests, flip_bit
from qed.trees import quick, quick_twin
from qed.trees.paths import flatten_incremental, flatten_membership
from qed.trees.verify import Root

DIGESTS = event_digests(11)
EVENT, DIGEST, ABSENT = b"event 3", DIGESTS[3], flip_bit(DIGESTS[3], 0)


@pytest.fixture(scope="module")
def log() -> PureLog:
    log = PureLog()
    log.add(DIGESTS)
    return log


@pytest.fixture
def native(monkeypatch):
    """Use the native verifier, whatever was chosen."""
    module = flat_texts.native("qed.trees._verifier")
    monkeypatch.setattr(quick, "_native", module)
    monkeypatch.setattr(quick, "_membership", module.verify_membership)
    monkeypatch.setattr(quick, "_incremental", module.verify_incremental)


def roots(log: PureLog) -> dict[str, Root]:
    return {"hyper": log.hyper_root(10), "history": log.history_root(10)}


def chosen(kernel: str, then: str) -> str:
    """Return what a process prints that was told which kernel to use."""
    done = subprocess.run(
        [sys.executable, "-c", f"from qed.trees import quick; {then}"],
        env=os.environ | {"QED_KERNEL": kernel},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_which_verifier_is_used_is_said():
    name = "print(quick.NAME, '|', quick.WHY_TWIN)"
    assert chosen("twin", name) == "twin (pure Python) | QED_KERNEL=twin asks for it"
    flat_texts.native("qed.trees._verifier")
    assert chosen("native", name).startswith("native (")


def test_a_flat_proof_is_judged(log):
    for digest, others in ((DIGEST, ABSENT), (ABSENT, DIGEST)):
        flat = flatten_membership(log.membership(digest))
        question = {"version": None, **roots(log)}
        assert quick.verify_membership(flat, digest=digest, **question) is True
        assert quick.verify_membership(flat, digest=others, **question) is False
        claim = (flat, digest, None, *roots(log).values())
        assert quick.verify_memberships([claim, (flat, others, *claim[2:])]) == [True, False]


def test_a_flat_increment_is_judged(log):
    flat = flatten_incremental(log.incremental(3, 10))
    start, end = log.history_root(3), log.history_root(10)

    assert quick.verify_incremental(flat, start=start, end=end) is True
    assert quick.verify_incremental(flat, start=end, end=end) is False


@pytest.mark.usefixtures("native")
def test_a_proof_with_positions_is_known_only_as_it_is(log):
    for digest in (DIGEST, ABSENT):
        proof = log.membership(digest)
        question = {"digest": digest, "version": None, **roots(log)}
        changed = [*mutations.hyper_paths(proof), *mutations.membership_numbers(proof)]
        if proof.exists:
            changed += mutations.history_paths(proof)
        else:
            changed += mutations.hyper_leaves(proof)

        assert quick.knows_membership(proof, **question)
        assert [what for what, other in changed if quick.knows_membership(other, **question)] == []


@pytest.mark.usefixtures("native")
def test_a_proof_with_its_event_is_known_when_it_is_the_event(log):
    proof = log.membership(DIGEST)
    question = {"digest": DIGEST, "version": None, **roots(log)}

    assert quick.knows_membership(replace(proof, key=EVENT), **question)
    assert not quick.knows_membership(replace(proof, key=b"event 4"), **question)
    assert not quick.knows_membership(replace(proof, key=b""), **question)


@pytest.mark.usefixtures("native")
def test_an_increment_with_positions_is_known_only_as_it_is(log):
    proof = log.incremental(3, 10)
    question = {"start": log.history_root(3), "end": log.history_root(10)}
    changed = mutations.incremental_proofs(proof)

    assert quick.knows_incremental(proof, **question)
    assert [what for what, other in changed if quick.knows_incremental(other, **question)] == []


def test_without_a_native_verifier_nothing_is_known(log, monkeypatch):
    monkeypatch.setattr(quick, "_native", None)
    question = {"digest": DIGEST, "version": None, **roots(log)}

    assert not quick.knows_membership(log.membership(DIGEST), **question)
    start, end = log.history_root(3), log.history_root(10)
    assert not quick.knows_incremental(log.incremental(3, 10), start=start, end=end)


def test_the_twin_refuses_a_presence_without_a_history_root(log):
    flat = flatten_membership(log.membership(DIGEST))

    assert not quick_twin.verify_membership(flat, DIGEST, None, log.hyper_root(10), None)


def test_the_verifier_itself_knows_nothing_of_the_native_one():
    """It is the one that is read, and the only one that says no."""
    code = "import qed.trees.verify, sys; print([m for m in sys.modules if 'qed.trees' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['qed.trees', 'qed.trees.values', 'qed.trees.verify']"
