"""What the tests of `wire.flat` and `trees.quick` ask: both implementations, proofs, bodies."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_256
from importlib import import_module
from types import ModuleType

import pytest
from hypothesis import strategies as st

import vector_files
from laws import digests
from qed.trees.paths import incremental_positions, membership_positions
from qed.trees.values import NO_VERSION, FlatIncremental, FlatMembership, MembershipProof

VECTORS = ("membership", "edges", "near_digests", "absence", "incremental", "walkthrough")


def native(name: str) -> ModuleType:
    """Return a native module, or skip the test where it was not built."""
    return pytest.importorskip(name, reason="the native modules were not built")


def implementations(native_name: str, twin_name: str) -> list:
    """Return both as parameters of a test."""
    return [
        pytest.param(lambda: native(native_name), id="native"),
        pytest.param(lambda: import_module(twin_name), id="twin"),
    ]


def bodies(needed: str) -> Iterator[dict]:
    """Yield every body of the vectors that has the field needed, wherever it stands."""

    def collect(value):
        if isinstance(value, dict):
            if needed in value:
                yield value
                return
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from collect(inner)

    for name in VECTORS:
        yield from collect(vector_files.load(f"{name}.json"))


def memberships() -> list[MembershipProof]:
    """Return every membership of the vectors."""
    return [vector_files.membership(body) for body in bodies("Exists") if "Hyper" in body]


versions = st.one_of(
    st.integers(0, 40),
    st.integers(0, NO_VERSION),
    st.builds(lambda power, less: max(0, 2**power - less), st.integers(0, 64), st.integers(1, 2)),
)


def hashes(count: int, seed: int) -> bytes:
    """Return so many hashes, different ones for each seed."""
    return shake_256(seed.to_bytes(8, "big")).digest(32 * count)


@st.composite
def flat_memberships(draw) -> FlatMembership:
    """Draw a flat proof of any shape that fits; what it says is not true."""
    current, query, digest = draw(versions), draw(versions), draw(digests)
    as_of, seed = min(current, query), draw(st.integers(0, 2**32))
    proof = FlatMembership(
        exists=False,
        current_version=current,
        query_version=query,
        actual_version=as_of,
        key_digest=digest,
        hyper=hashes(draw(st.sampled_from([0, 1, 23, 24, 25, 40, 255, 256])), seed),
        history=None,
    )
    kind = draw(st.sampled_from(["exists", "empty", "leaf"]))
    if kind == "exists":
        actual = draw(st.one_of(st.just(as_of), st.integers(0, as_of)))
        history = hashes(len(membership_positions(actual, as_of)), seed + 1)
        return proof._replace(exists=True, actual_version=actual, history=history)
    if kind == "leaf":
        version = draw(st.one_of(st.just(current), st.integers(0, current)))
        history = hashes(len(membership_positions(version, current)), seed + 1)
        return proof._replace(leaf_digest=draw(digests), leaf_version=version, leaf_history=history)
    return proof


@st.composite
def flat_incrementals(draw) -> FlatIncremental:
    """Draw a flat proof of an increment that fits; what it says is not true."""
    start, end = sorted((draw(versions), draw(versions)))
    count = len(incremental_positions(start, end))
    return FlatIncremental(start, end, hashes(count, draw(st.integers(0, 2**32))))
