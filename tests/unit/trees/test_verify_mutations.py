"""Exhaustive to 64 leaves: every honest proof is accepted, every changed one is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

import mutations
from both_verifiers import verify_absence, verify_incremental, verify_membership
from pure_log import PureLog, event_digests, flip_bit
from qed.errors import VerificationError
from qed.trees.values import NO_VERSION
from qed.trees.verify import Root

LEAVES = 64
DIGESTS = event_digests(LEAVES)


@cache
def log_of(events: int) -> PureLog:
    """Return a log of the first events. One group: a hyper digest is asked of its end alone."""
    log = PureLog()
    log.add(DIGESTS[:events])
    return log


def accepted(verify, *arguments, **question) -> bool:
    """Tell whether a verifier lets a claim pass; there is one way to refuse."""
    try:
        verify(*arguments, **question)
    except VerificationError as error:
        return not error.step
    return True


def let_through(log, changed, digest, version=None) -> list[str]:
    """Return which of the changed proofs of membership or absence verify."""
    return [what for what, proof in changed if accepted(log.verify, proof, digest, version)]


def absent_digests(size: int) -> list[bytes]:
    """Return digests that part from members at every interesting height, above and below 232."""
    bits = (0, 1, 100, 200, 228, 230, 231, 232, 233, 234, 240, 250, 254, 255)
    return [flip_bit(DIGESTS[n * 7 % size], bit) for n, bit in enumerate(bits)]


@pytest.mark.parametrize("size", range(1, LEAVES + 1))
def test_every_leaf_is_proven_as_of_every_version_of_every_log(size):
    log = log_of(size)

    for leaf, digest in enumerate(DIGESTS[:size]):
        for version in [*range(leaf, size), size, NO_VERSION, None]:
            proof = log.membership(digest, version)

            assert proof.exists
            log.verify(proof, digest, version)


@pytest.mark.parametrize("size", range(1, LEAVES + 1))
def test_every_absence_is_proven(size):
    log = log_of(size)

    for digest in absent_digests(size):
        for version in (0, size - 1, size, NO_VERSION, None):
            proof = log.membership(digest, version)

            assert not proof.exists
            log.verify(proof, digest, version)


def test_every_increment_is_proven_and_refused_when_changed():
    log = log_of(LEAVES)
    count = 0
    for end in range(LEAVES):
        for start in range(end + 1):
            proof = log.incremental(start, end)
            log.verify_incremental(proof, start, end)
            for what, changed in mutations.incremental_proofs(proof):
                count += 1

                assert not accepted(log.verify_incremental, changed, start, end), what

    assert count > 100_000


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_no_changed_hyper_path_passes(size):
    log = log_of(size)

    for digest in DIGESTS[:size]:
        assert let_through(log, mutations.hyper_paths(log.membership(digest)), digest) == []


def test_no_changed_history_path_passes():
    """Every leaf as of every version: only the history is changed, so one log is enough."""
    log = log_of(LEAVES)
    for leaf, digest in enumerate(DIGESTS):
        for version in range(leaf, LEAVES):
            changed = mutations.history_paths(log.membership(digest, version))

            assert let_through(log, changed, digest, version) == []


@pytest.mark.parametrize("size", [1, 2, 33, 64])
def test_no_changed_number_passes(size):
    log = log_of(size)
    for leaf, digest in enumerate(DIGESTS[:size]):
        for version in {leaf, (leaf + size) // 2, size - 1, size + 5, None}:
            changed = mutations.membership_numbers(log.membership(digest, version))

            assert let_through(log, changed, digest, version) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_no_changed_absence_passes(size):
    log = log_of(size)
    ends = set()
    for digest in absent_digests(size):
        proof = log.membership(digest)
        ends.add(proof.hyper_leaf is None)
        changed = [*mutations.hyper_paths(proof), *mutations.membership_numbers(proof)]
        if proof.hyper_leaf is not None:
            changed += mutations.hyper_leaves(proof)

        assert let_through(log, changed, digest) == []

    assert ends == {True, False}


def test_no_answer_passes_for_another_question():
    log = log_of(LEAVES)
    for leaf, digest in enumerate(DIGESTS):
        proof = log.membership(digest, leaf)
        others = [*DIGESTS[:leaf], *DIGESTS[leaf + 1 :], flip_bit(digest, 0), digest[:31], b""]

        assert [d for d in others if accepted(log.verify, proof, d, leaf)] == []
        assert [d for d in others if accepted(log.verify, replace(proof, key_digest=d), d)] == []
        for version in (*(v for v in range(LEAVES + 2) if v != leaf), -1, NO_VERSION + 1):
            question = {"digest": digest, "version": version}
            roots = {"hyper": log.hyper_root(63), "history": log.history_root(leaf)}

            assert not accepted(verify_membership, proof, **question, **roots)


def test_no_other_snapshot_passes():
    """Another version's digest, under its own version or under the right one, is refused."""
    log = log_of(LEAVES)
    for leaf, digest in enumerate(DIGESTS):
        proof = log.membership(digest)
        right = {"hyper": log.hyper_root(63), "history": log.history_root(63)}
        question = {"digest": digest, "version": None}
        verify_membership(proof, **question, **right)
        for which in ("hyper", "history"):
            for root in other_roots(log, leaf, right[which]):
                assert not accepted(verify_membership, proof, **question, **right | {which: root})


def other_roots(log, version, right) -> list[Root]:
    """Return roots that are not the right one, for the place of the right one."""
    other = log.history_root(version).digest if version != right.version else bytes(32)
    return [
        Root(right.version, other),
        Root(right.version, flip_bit(right.digest, version)),
        Root(right.version, right.digest[:31]),
        Root(right.version, right.digest + b"\x00"),
        Root(right.version, b""),
        *(Root(n, right.digest) for n in mutations.numbers(right.version)),
    ]


def test_no_other_snapshot_passes_for_an_absence():
    log = log_of(LEAVES)
    for version, digest in enumerate(absent_digests(LEAVES)):
        proof = log.membership(digest)
        right = {"hyper": log.hyper_root(63), "history": log.history_root(63)}
        question = {"digest": digest, "version": None}
        verify_absence(proof, **question, **right)
        for root in other_roots(log, version, right["hyper"]):
            assert not accepted(verify_absence, proof, **question, **right | {"hyper": root})
        for root in other_roots(log, version, right["history"]):
            if proof.hyper_leaf is not None or root.version != 63:
                assert not accepted(verify_absence, proof, **question, **right | {"history": root})


def test_no_other_snapshot_passes_for_an_increment():
    log = log_of(LEAVES)
    for end in range(LEAVES):
        for start in range(end + 1):
            proof = log.incremental(start, end)
            right = {"start": log.history_root(start), "end": log.history_root(end)}
            for which, root in right.items():
                for other in other_roots(log, (start + 9) % LEAVES, root):
                    assert not accepted(verify_incremental, proof, **right | {which: other})
