"""What the verifier refuses, each refusal by the name of its step, and liars' trees."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from both_verifiers import verify_absence, verify_incremental, verify_membership
from model import DEFAULT, h, history_position, hyper_position, number
from pure_log import PureLog, event_digests, flip_bit
from qed.errors import VerificationError
from qed.trees import history, verify
from qed.trees.values import NO_VERSION, HyperLeaf, IncrementalProof, MembershipProof
from qed.trees.verify import Root

DIGESTS = event_digests(12)
EVENT, DIGEST, ABSENT = b"event 3", DIGESTS[3], flip_bit(DIGESTS[3], 0)


@pytest.fixture(scope="module")
def log() -> PureLog:
    log = PureLog()
    log.add(DIGESTS[:11])
    return log


def step(function, *arguments, **question) -> str:
    with pytest.raises(VerificationError) as caught:
        function(*arguments, **question)
    assert caught.value.message
    return caught.value.step


def test_the_verifier_shares_no_code_with_the_prover():
    tree = ast.parse(Path(verify.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported == {"__future__", "dataclasses", "hashlib", "qed.errors", "qed.trees.values"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_a_proof_with_the_event_itself_is_about_that_event(log):
    proof = replace(log.membership(DIGEST), key=EVENT)
    log.verify(proof, DIGEST)

    other = replace(proof, key=b"event 4")
    assert step(log.verify, other, DIGEST) == "key"


def test_a_version_in_the_future_is_answered_as_of_the_current_one(log):
    proof = log.membership(DIGEST, 100)

    assert (proof.query_version, proof.current_version) == (100, 10)
    log.verify(proof, DIGEST, 100)
    assert step(log.verify, proof, DIGEST, None) == "numbers"
    assert step(log.verify, log.membership(DIGEST), DIGEST, 100) == "numbers"


def test_an_event_that_came_after_the_version_asked_for_is_not_proven_as_of_it(log):
    """QED's server answers 412 here; a proof that says so all the same stops at its numbers."""
    proof = log.membership(DIGEST, 3)
    for version in (0, 1, 2):
        early = replace(proof, query_version=version)

        assert step(log.verify, early, DIGEST, version) == "numbers"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exists": False}, "answer"),
        ({"hyper_leaf": HyperLeaf(ABSENT, 3, {})}, "answer"),
        ({"history": None}, "history-path"),
        ({"key_digest": ABSENT}, "key"),
        ({"current_version": 9}, "numbers"),
        ({"current_version": NO_VERSION}, "empty-log"),
        ({"query_version": 9}, "numbers"),
        ({"actual_version": 11}, "numbers"),
        ({"actual_version": -1}, "numbers"),
        ({"actual_version": 4}, "hyper-root"),
        ({"hyper": {}}, "hyper-path"),
        ({"history": {}}, "history-path"),
    ],
)
def test_each_part_of_a_membership_has_its_refusal(log, changes, expected):
    proof = replace(log.membership(DIGEST), **changes)
    roots = {"hyper": log.hyper_root(10), "history": log.history_root(10)}

    assert step(verify_membership, proof, digest=DIGEST, version=None, **roots) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exists": True}, "answer"),
        ({"history": {}}, "answer"),
        ({"hyper_leaf": None}, "hyper-path"),  # beside it all is empty
        ({"key_digest": DIGEST}, "key"),
        ({"current_version": 11}, "numbers"),
        ({"current_version": NO_VERSION}, "empty-log"),
        ({"query_version": NO_VERSION}, "numbers"),
        ({"actual_version": 9}, "numbers"),
    ],
)
def test_each_part_of_an_absence_has_its_refusal(log, changes, expected):
    proof = replace(log.membership(ABSENT), **changes)
    roots = {"hyper": log.hyper_root(10), "history": log.history_root(10)}

    assert step(verify_absence, proof, digest=ABSENT, version=None, **roots) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"key_digest": ABSENT}, "hyper-leaf"),
        ({"key_digest": DIGEST[:31]}, "hyper-leaf"),
        ({"key_digest": b"\x00" + DIGEST}, "hyper-leaf"),
        ({"key_digest": flip_bit(DIGEST, 255)}, "hyper-leaf"),
        ({"key_digest": flip_bit(DIGEST, 232)}, "hyper-leaf"),
        ({"key_digest": flip_bit(DIGEST, 231)}, "history-root"),
        ({"version": 11}, "hyper-leaf"),
        ({"version": -1}, "hyper-leaf"),
        ({"version": 4}, "hyper-root"),
        ({"history": {}}, "history-path"),
    ],
)
def test_each_part_of_the_leaf_in_an_absence_has_its_refusal(log, changes, expected):
    proof = log.membership(ABSENT)
    assert len(proof.hyper) == 24
    leaf = replace(proof.hyper_leaf, **changes)

    assert step(log.verify, replace(proof, hyper_leaf=leaf), ABSENT) == expected


@pytest.mark.parametrize("digest", [b"", DIGEST[:31], DIGEST + b"\x00", DIGEST * 2])
def test_a_question_about_something_that_is_no_digest(log, digest):
    presence = replace(log.membership(DIGEST), key_digest=digest)
    absence = replace(log.membership(ABSENT), key_digest=digest)

    assert step(log.verify, presence, digest) == "question"
    assert step(log.verify, absence, digest) == "question"


@pytest.mark.parametrize("version", [-1, 2**64])
def test_a_question_as_of_something_that_is_no_version(log, version):
    for digest in (DIGEST, ABSENT):
        proof = replace(log.membership(digest), query_version=version)
        roots = {"hyper": log.hyper_root(10), "history": log.history_root(10)}
        function = verify_membership if proof.exists else verify_absence

        assert step(function, proof, digest=digest, version=version, **roots) == "question"


def test_nothing_can_be_verified_of_an_empty_log():
    proof = PureLog().membership(DIGEST)
    empty = Root(NO_VERSION, DEFAULT[256])
    question = {"digest": DIGEST, "version": None, "hyper": empty}

    with pytest.raises(VerificationError, match="nothing can be verified") as caught:
        verify_absence(proof, **question, history=None)
    assert caught.value.step == "empty-log"
    presence = replace(proof, exists=True, history={}, actual_version=0)
    assert step(verify_membership, presence, **question, history=empty) == "empty-log"
    increment = IncrementalProof(NO_VERSION, NO_VERSION, {})
    assert step(verify_incremental, increment, start=empty, end=empty) == "empty-log"


def test_an_empty_map_under_a_snapshot_is_refused(log):
    """A log with a snapshot has a member; a liar's empty map would make everything absent."""
    proof = replace(log.membership(ABSENT), hyper={}, hyper_leaf=None)
    question = {"digest": ABSENT, "version": None, "hyper": Root(10, DEFAULT[256])}

    assert step(verify_absence, proof, **question, history=None) == "hyper-path"


def climb(node: bytes, digest: bytes, path: dict) -> bytes:
    """Return the root over the end of a path, whatever its values: a liar's root."""
    key = number(digest)
    for height in range(256 - len(path), 256):
        sibling = path[(key >> height ^ 1) << height, height]
        pair = (node, sibling) if key >> height & 1 else (sibling, node)
        parent = key >> (height + 1) << (height + 1)
        node = h(*pair, hyper_position(parent, height + 1))
    return node


def liars_path(digest: bytes, height: int, deepest: bytes) -> dict:
    """Return a path that ends at a height, with one chosen sibling there and none above."""
    key = number(digest)
    path = {((key >> at ^ 1) << at, at): DEFAULT[at] for at in range(height, 256)}
    path[(key >> height ^ 1) << height, height] = deepest
    return path


def liars_leaf(digest: bytes, version: int, height: int, deepest: bytes) -> tuple[dict, Root]:
    """Return a path and the root of a map that has a leaf with this version at this height."""
    path = liars_path(digest, height, deepest)
    place = hyper_position(number(digest) >> height << height, height)
    return path, Root(10, climb(h(version.to_bytes(32, "big"), place), digest, path))


@pytest.mark.parametrize(
    ("height", "deepest", "expected"),
    [
        (255, b"\x01" * 32, "hyper-path"),  # a leaf above height 232
        (233, b"\x01" * 32, "hyper-path"),
        (232, DEFAULT[232], None),
        (232, b"\x01" * 32, None),
        (231, b"\x01" * 32, None),
        (231, DEFAULT[231], "hyper-path"),  # a lone leaf that hangs too low
        (0, DEFAULT[0], "hyper-path"),
        (0, b"\x01" * 32, None),
    ],
)
def test_where_a_leaf_may_hang(log, height, deepest, expected):
    """The roots are made for these paths, so that the height rules stand alone."""
    proof = log.membership(DIGEST)
    path, root = liars_leaf(DIGEST, 3, height, deepest)
    presence = replace(proof, hyper=path)
    question = {"version": None, "hyper": root, "history": log.history_root(10)}
    other = flip_bit(DIGEST, 255 if height == 0 else height - 1)
    leaf = HyperLeaf(DIGEST, 3, proof.history)
    absence = replace(
        proof,
        exists=False,
        hyper=path,
        history=None,
        actual_version=10,
        key_digest=other,
        hyper_leaf=leaf,
    )

    if expected is None:
        verify_membership(presence, digest=DIGEST, **question)
    else:
        assert step(verify_membership, presence, digest=DIGEST, **question) == expected
    if height and expected is None:
        verify_absence(absence, digest=other, **question)
    elif height:
        assert step(verify_absence, absence, digest=other, **question) == expected


@pytest.mark.parametrize("height", [0, 1, 100, 231, 232, 240, 255])
def test_where_an_empty_node_may_be(log, height):
    """At any height but 0, beside a node that has a member."""
    for deepest, allowed in ((b"\x01" * 32, height > 0), (DEFAULT[height], False)):
        path = liars_path(ABSENT, height, deepest)
        root = Root(10, climb(DEFAULT[height], ABSENT, path))
        proof = replace(log.membership(ABSENT), hyper=path, hyper_leaf=None)
        question = {"digest": ABSENT, "version": None, "hyper": root, "history": None}

        if allowed:
            verify_absence(proof, **question)
        else:
            assert step(verify_absence, proof, **question) == "hyper-path"


def test_a_path_of_more_than_256_entries(log):
    proof = log.membership(ABSENT)
    long = {**liars_path(ABSENT, 0, b"\x01" * 32), (0, 256): b"\x01" * 32}
    assert len(long) == 257

    for leaf in (None, proof.hyper_leaf):
        assert step(log.verify, replace(proof, hyper=long, hyper_leaf=leaf), ABSENT) == "hyper-path"
    presence = replace(log.membership(DIGEST), hyper=long)
    assert step(log.verify, presence, DIGEST) == "hyper-path"


def test_an_empty_sibling_would_pass_one_versions_root_off_as_anothers(log):
    """H(left || "" || position) is the partial node of the version before: lengths are checked."""
    older = log.snapshots[2].history_digest
    partial = h(history.leaf_hash(DIGESTS[2], 2), b"", history_position(2, 1))
    assert older == h(log.frozen[0, 1], partial, history_position(0, 2))
    forged_root = Root(3, older)
    path = {(3, 0): b"", (0, 1): log.frozen[0, 1]}
    increment = IncrementalProof(2, 3, {**path, (2, 0): log.frozen[2, 0]})

    refused = step(verify_incremental, increment, start=log.history_root(2), end=forged_root)
    assert refused == "incremental-path"

    small = PureLog()
    small.add(DIGESTS[:4])
    proof = MembershipProof(
        exists=True,
        hyper=small.membership(DIGESTS[2]).hyper,
        history=path,
        current_version=3,
        query_version=3,
        actual_version=2,
        key_digest=DIGESTS[2],
    )
    question = {"digest": DIGESTS[2], "version": None, "hyper": small.hyper_root(3)}
    assert step(verify_membership, proof, **question, history=forged_root) == "history-path"


def test_a_value_of_64_bytes_would_pass_one_versions_root_off_as_an_earlier_ones(log):
    """H(left || right || position) is a partial node whose only child is both children."""
    forged_root = Root(2, log.snapshots[3].history_digest)
    both = log.frozen[2, 0] + log.frozen[3, 0]
    increment = IncrementalProof(2, 2, {(2, 0): both, (0, 1): log.frozen[0, 1]})

    refused = step(verify_incremental, increment, start=forged_root, end=forged_root)
    assert refused == "incremental-path"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (Root(3, b""), None, "question"),
        (None, Root(7, DIGEST + b"\x00"), "question"),
        (Root(-1, DIGEST), None, "question"),
        (None, Root(2**64, DIGEST), "question"),
        (Root(8, DIGEST), None, "question"),
        (Root(2, DIGEST), None, "numbers"),
        (None, Root(8, DIGEST), "numbers"),
        (Root(3, DIGEST), None, "start-root"),
        (None, Root(7, DIGEST), "end-root"),
    ],
)
def test_each_part_of_an_increment_has_its_refusal(log, start, end, expected):
    proof = log.incremental(3, 7)
    roots = {"start": start or log.history_root(3), "end": end or log.history_root(7)}

    assert step(verify_incremental, proof, **roots) == expected


def test_an_increment_from_a_version_to_itself_needs_one_digest(log):
    proof = log.incremental(7, 7)
    log.verify_incremental(proof, 7, 7)

    other = Root(7, log.snapshots[6].history_digest)
    assert step(verify_incremental, proof, start=other, end=log.history_root(7)) == "start-root"
    assert step(verify_incremental, proof, start=log.history_root(7), end=other) == "end-root"


def test_the_last_version_there_can_be():
    """Numbers of 64 bits are no way to make the verifier fail otherwise than by refusing."""
    last = NO_VERSION - 1
    root = Root(last, DIGEST)
    path, hyper = liars_leaf(DIGEST, last, 232, DEFAULT[232])
    proof = MembershipProof(
        exists=True,
        hyper=path,
        history={},
        current_version=last,
        query_version=last,
        actual_version=last,
        key_digest=DIGEST,
    )
    question = {"digest": DIGEST, "version": None, "hyper": Root(last, hyper.digest)}

    assert step(verify_membership, proof, **question, history=root) == "history-path"
    increment = IncrementalProof(0, last, {})
    assert (
        step(verify_incremental, increment, start=Root(0, DIGEST), end=root) == "incremental-path"
    )
