"""Law: for any input whose types are right, a verifier returns None or raises VerificationError."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from both_verifiers import verify_absence, verify_incremental, verify_membership
from laws import digests
from qed.errors import VerificationError
from qed.trees.values import NO_VERSION, HyperLeaf, IncrementalProof, MembershipProof
from qed.trees.verify import Root

numbers = st.one_of(
    st.integers(0, 9),
    st.sampled_from([NO_VERSION - 1, NO_VERSION, NO_VERSION + 1]),
    st.integers(),
)
values = st.one_of(digests, st.binary(max_size=40))
paths = st.dictionaries(st.tuples(numbers, st.one_of(st.integers(0, 260), numbers)), values)
leaves = st.builds(HyperLeaf, values, numbers, paths)
roots = st.builds(Root, numbers, values)


def hyper_paths(digest: bytes, length: int, value: bytes) -> dict:
    """Return a path of the right positions, so that more than the first check is reached."""
    key = int.from_bytes(digest, "big")
    return {((key >> h ^ 1) << h, h): value for h in range(256 - length, 256)}


@st.composite
def questions(draw):
    """Draw a proof and a question which agree in most of their numbers, or do not."""
    digest = draw(values)
    current = draw(numbers)
    hyper = draw(
        st.one_of(paths, st.builds(hyper_paths, st.just(digest), st.integers(0, 256), values))
    )
    proof = MembershipProof(
        exists=draw(st.booleans()),
        hyper=hyper,
        history=draw(st.none() | paths),
        current_version=current,
        query_version=draw(st.one_of(st.just(current), numbers)),
        actual_version=draw(st.one_of(st.just(current), numbers)),
        key_digest=draw(st.one_of(st.just(digest), values)),
        key=draw(st.none() | st.binary(max_size=4)),
        hyper_leaf=draw(st.none() | leaves),
    )
    version = draw(st.one_of(st.none(), st.just(proof.query_version), numbers))
    root = Root(draw(st.one_of(st.just(current), numbers)), draw(values))
    return proof, digest, version, root


@given(questions(), roots)
def test_membership(question, history):
    proof, digest, version, root = question
    for other in (history, root):
        with contextlib.suppress(VerificationError):
            verify_membership(proof, digest=digest, version=version, hyper=root, history=other)


@given(questions(), st.none() | roots)
def test_absence(question, history):
    proof, digest, version, root = question
    for other in (history, root):
        with contextlib.suppress(VerificationError):
            verify_absence(proof, digest=digest, version=version, hyper=root, history=other)


@given(numbers, numbers, paths, roots, roots)
def test_incremental(start, end, path, one, other):
    proof = IncrementalProof(start, end, path)
    with contextlib.suppress(VerificationError):
        verify_incremental(proof, start=one, end=other)
    with contextlib.suppress(VerificationError):
        verify_incremental(proof, start=Root(start, one.digest), end=Root(end, other.digest))
