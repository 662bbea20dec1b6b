"""A present key is never absent: forgeries of absence, and what each of them founders on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from both_verifiers import verify_absence, verify_membership
from model import DEFAULT, h, hyper_position
from pure_log import PureLog, event_digests, flip_bit
from qed.errors import VerificationError
from qed.trees import history
from qed.trees.values import HyperLeaf, MembershipProof
from qed.trees.verify import Root

DIGESTS = event_digests(64)
# Pairs that share 24 to 255 bits: their leaves hang below height 232, side by side.
NEAR = [
    digest
    for bit in (231, 230, 215, 128, 7, 0)
    for digest in (DIGESTS[bit % 60], flip_bit(DIGESTS[bit % 60], bit))
]


def log_of(*groups) -> PureLog:
    log = PureLog()
    for group in groups:
        log.add(group)
    return log


LOGS = {
    "one event": log_of(DIGESTS[:1]),
    "one by one": log_of(*([digest] for digest in DIGESTS[:40])),
    "added again": log_of(DIGESTS[:20], DIGESTS[5:15], [DIGESTS[7]], DIGESTS[30:33]),
    "twice in one group": log_of(DIGESTS[:4], [*DIGESTS[4:8], *DIGESTS[4:8]]),
    "near digests": log_of(NEAR),
}


@pytest.fixture(params=LOGS)
def log(request) -> PureLog:
    return LOGS[request.param]


def members(log) -> list[bytes]:
    return list({snapshot.event_digest: None for snapshot in log.snapshots})


def current(log) -> int:
    return len(log.snapshots) - 1


def forged(log, digest, leaf: HyperLeaf | None, path=None) -> MembershipProof:
    """Call a present digest absent: everything in order but the claim."""
    honest = log.membership(digest)
    assert honest.exists
    return MembershipProof(
        exists=False,
        hyper=honest.hyper if path is None else path,
        history=None,
        current_version=current(log),
        query_version=current(log),
        actual_version=current(log),
        key_digest=digest,
        hyper_leaf=leaf,
    )


def refusal(log, proof, digest) -> str:
    """Return the step at which a forgery founders."""
    with pytest.raises(VerificationError) as caught:
        log.verify(proof, digest)
    return caught.value.step


def end_height(proof) -> int:
    return 256 - len(proof.hyper)


def test_calling_the_way_empty_at_any_height(log):
    for digest in members(log):
        path = log.membership(digest).hyper
        key = int.from_bytes(digest, "big")
        for height in range(256):
            siblings = {((key >> at ^ 1) << at, at): DEFAULT[at] for at in range(height, 256)}
            cut = {position: path.get(position, value) for position, value in siblings.items()}

            step = refusal(log, forged(log, digest, None, cut), digest)

            assert step in {"hyper-root", "hyper-path"}


def test_giving_its_leaf_to_a_key_that_nobody_added(log):
    """The map's leaf holds no key. Only the history stands between this and a false absence."""
    for digest in members(log):
        honest = log.membership(digest)
        for bit in range(end_height(honest)):
            other = flip_bit(digest, bit)
            leaf = HyperLeaf(other, honest.actual_version, honest.history)

            assert refusal(log, forged(log, digest, leaf), digest) == "history-root"


def test_giving_its_leaf_to_a_key_that_lies_elsewhere(log):
    for digest in members(log):
        honest = log.membership(digest)
        for bit in range(end_height(honest), 256):
            leaf = HyperLeaf(flip_bit(digest, bit), honest.actual_version, honest.history)

            assert refusal(log, forged(log, digest, leaf), digest) == "hyper-leaf"


def test_giving_its_leaf_to_another_member(log):
    """With the version of that member its history path holds, but the leaf's hash does not."""
    for digest in members(log):
        honest = log.membership(digest)
        for other in members(log):
            for version in {log.membership(other).actual_version, honest.actual_version}:
                path = history.prove_membership(log.read, version, current(log))
                proof = forged(log, digest, HyperLeaf(other, version, path))

                assert refusal(log, proof, digest) in {"hyper-leaf", "hyper-root", "history-root"}


def test_giving_it_any_version(log):
    """A re-added event stands in the history at several versions, the map has the newest."""
    for digest in members(log):
        honest = log.membership(digest)
        for version in range(current(log) + 1):
            path = history.prove_membership(log.read, version, current(log))
            for key in (flip_bit(digest, 0), log.snapshots[version].event_digest, digest):
                proof = forged(log, digest, HyperLeaf(key, version, path))
                step = refusal(log, proof, digest)

                assert step in {"hyper-leaf", "hyper-root", "history-root"}
                assert (step == "history-root") <= (version == honest.actual_version)


def test_stopping_at_a_fork_and_calling_it_a_leaf():
    """Above where two members part there is an inner node; no version makes a leaf of it."""
    log = LOGS["near digests"]
    for digest in NEAR:
        honest = log.membership(digest)
        for height in range(end_height(honest) + 1, 233):
            path = {position: v for position, v in honest.hyper.items() if position[1] >= height}
            for version in range(len(NEAR)):
                own = history.prove_membership(log.read, version, current(log))
                leaf = HyperLeaf(log.snapshots[version].event_digest, version, own)
                step = refusal(log, forged(log, digest, leaf, path), digest)

                assert step in {"hyper-leaf", "hyper-root", "hyper-path"}


def test_binding_the_leaf_by_an_older_history(log):
    """History and hyper digest must be of one version: an older history may not know the leaf."""
    for digest in members(log):
        honest = log.membership(digest)
        for as_of in range(honest.actual_version, current(log)):
            path = history.prove_membership(log.read, honest.actual_version, as_of)
            leaf = HyperLeaf(flip_bit(digest, 0), honest.actual_version, path)
            question = {"digest": digest, "version": None, "hyper": log.hyper_root(current(log))}
            with pytest.raises(VerificationError) as caught:
                verify_absence(
                    forged(log, digest, leaf), **question, history=log.history_root(as_of)
                )

            assert caught.value.step == "numbers"


def test_leaving_the_history_out(log):
    """Neither a caller without a history digest nor a leaf without a path lets a leaf pass."""
    for digest in members(log):
        honest = log.membership(digest)
        leaf = HyperLeaf(flip_bit(digest, 0), honest.actual_version, honest.history)
        question = {"digest": digest, "version": None, "hyper": log.hyper_root(current(log))}
        with pytest.raises(VerificationError) as caught:
            verify_absence(forged(log, digest, leaf), **question, history=None)

        assert caught.value.step == "question"
        if end_height(honest):  # a leaf at height 0 shares its place with no other key
            bare = forged(log, digest, replace(leaf, history={}))
            assert refusal(log, bare, digest) in {"history-path", "history-root"}


def test_an_honest_absence_as_of_an_older_version_is_bound_as_of_the_current_one():
    log = LOGS["one by one"]
    absent = flip_bit(DIGESTS[3], 0)
    proof = log.membership(absent, 10)
    log.verify(proof, absent, 10)
    assert proof.hyper_leaf is not None
    assert (proof.query_version, proof.actual_version, proof.current_version) == (10, 10, 39)

    older = history.prove_membership(log.read, proof.hyper_leaf.version, 10)
    other = replace(proof, hyper_leaf=replace(proof.hyper_leaf, history=older))
    with pytest.raises(VerificationError):
        log.verify(other, absent, 10)


def test_an_absence_with_an_empty_end_needs_no_history_digest():
    log = LOGS["one by one"]
    absent = flip_bit(DIGESTS[3], 255)
    proof = log.membership(absent)
    assert proof.hyper_leaf is None

    verify_absence(proof, digest=absent, version=None, hyper=log.hyper_root(39), history=None)


def test_no_root_of_a_liar_shows_a_digest_both_ways():
    """Let the map be the liar's too: its leaf for D has the version of E. D is hidden, never both.

    This is what an absence does not say: that the map is complete. Replaying the log shows it.
    """
    hidden, shown = DIGESTS[0], flip_bit(DIGESTS[0], 0)
    log = log_of([hidden], [shown])
    key, place = int.from_bytes(hidden, "big"), 232
    node = h((1).to_bytes(32, "big"), hyper_position(key >> place << place, place))
    path = {}
    for height in range(place, 256):
        path[(key >> height ^ 1) << height, height] = DEFAULT[height]
        pair = (node, DEFAULT[height]) if key >> height & 1 else (DEFAULT[height], node)
        parent = key >> (height + 1) << (height + 1)
        node = h(*pair, hyper_position(parent, height + 1))
    roots = {"hyper": Root(1, node), "history": log.history_root(1)}
    ways = [history.prove_membership(log.read, version, 1) for version in (0, 1)]
    question = {"digest": hidden, "version": None}

    absence = MembershipProof(
        exists=False,
        hyper=path,
        history=None,
        current_version=1,
        query_version=1,
        actual_version=1,
        key_digest=hidden,
        hyper_leaf=HyperLeaf(shown, 1, ways[1]),
    )
    verify_absence(absence, **question, **roots)
    for version in (0, 1):
        for way in ways:
            presence = replace(
                absence, exists=True, history=way, actual_version=version, hyper_leaf=None
            )
            with pytest.raises(VerificationError):
                verify_membership(presence, **question, **roots)
