"""The hot bodies: native and twin write what the readable encoders write and read it back.

Each test runs on both implementations where the native one was built.
"""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flat_texts
import vector_files
from flat_texts import flat_incrementals, flat_memberships
from laws import digests
from qed import wire
from qed.trees.paths import (
    flatten_incremental,
    flatten_membership,
    incremental_positions,
    unflatten_incremental,
    unflatten_membership,
)
from qed.trees.values import NO_VERSION, FlatIncremental, FlatMembership, Snapshot


@pytest.fixture(
    scope="module", params=flat_texts.implementations("qed.wire._text", "qed.wire.flat_twin")
)
def text(request):
    return request.param()


def test_every_membership_of_the_vectors(text):
    proofs = flat_texts.memberships()
    assert len(proofs) > 200
    for proof in proofs:
        flat = flatten_membership(proof)
        body = text.encode_membership(flat, proof.key)

        assert body == wire.encode_membership(proof)
        assert text.decode_membership(body) == flat
        assert type(text.decode_membership(body)) is FlatMembership


def test_every_increment_of_the_vectors(text):
    bodies = list(flat_texts.bodies("AuditPath"))
    assert len(bodies) > 20
    for body in bodies:
        proof = vector_files.incremental(body)
        flat = flatten_incremental(proof)
        encoded = text.encode_incremental(flat)

        assert encoded == wire.encode_incremental(proof)
        assert text.decode_incremental(encoded) == flat
        assert type(text.decode_incremental(encoded)) is FlatIncremental


@given(flat_memberships(), st.none() | st.binary(max_size=7))
def test_any_membership(text, flat, key):
    body = text.encode_membership(flat, key)

    assert body == wire.encode_membership(unflatten_membership(flat, key))
    assert text.decode_membership(body) == (flat if key is None else None)


@given(flat_incrementals())
def test_any_increment(text, flat):
    body = text.encode_incremental(flat)

    assert body == wire.encode_incremental(unflatten_incremental(flat))
    assert text.decode_incremental(body) == flat


def test_the_largest_proof_there_can_be(text):
    last = NO_VERSION - 1
    flat = FlatMembership(
        exists=False,
        current_version=last,
        query_version=last,
        actual_version=last,
        key_digest=b"\xff" * 32,
        hyper=flat_texts.hashes(256, 1),
        history=None,
        leaf_digest=b"\xff" * 32,
        leaf_version=2**63 - 1,
        leaf_history=flat_texts.hashes(64, 2),
    )
    body = text.encode_membership(flat, bytes(1000))
    assert body == wire.encode_membership(unflatten_membership(flat, bytes(1000)))
    widest = FlatIncremental(2**63 - 1, last, flat_texts.hashes(127, 3))
    assert text.decode_incremental(text.encode_incremental(widest)) == widest


CONTRADICTIONS = [
    {"exists": False},
    {"current_version": -1},
    {"current_version": NO_VERSION + 1},
    {"query_version": True},
    {"actual_version": 11},
    {"actual_version": None},
    {"key_digest": bytes(31)},
    {"hyper": bytes(33)},
    {"hyper": bytes(32 * 257)},
    {"history": None},
    {"history": bytes(32 * 5)},
    {"leaf_digest": bytes(32)},
    {"leaf_version": 3},
    {"exists": False, "history": None, "leaf_digest": bytes(32), "leaf_version": 3},
    {
        "exists": False,
        "history": None,
        "leaf_digest": bytes(32),
        "leaf_version": 11,
        "leaf_history": bytes(32 * 4),
    },
]


@pytest.mark.parametrize("changes", CONTRADICTIONS)
def test_a_membership_that_contradicts_itself_is_a_bug(text, changes):
    good = FlatMembership(
        exists=True,
        current_version=10,
        query_version=10,
        actual_version=3,
        key_digest=bytes(32),
        hyper=bytes(32 * 24),
        history=bytes(32 * 4),
    )
    text.encode_membership(good, None)

    with pytest.raises(AssertionError):
        text.encode_membership(good._replace(**changes), None)


@pytest.mark.parametrize(
    "flat",
    [
        FlatIncremental(3, 2, b""),
        FlatIncremental(-1, 2, bytes(32 * 3)),
        FlatIncremental(2, NO_VERSION + 1, b""),
        FlatIncremental(0, 0, b""),
        FlatIncremental(0, 0, bytes(31)),
        FlatIncremental(0, 0, bytes(64)),
    ],
)
def test_an_increment_that_contradicts_itself_is_a_bug(text, flat):
    with pytest.raises(AssertionError):
        text.encode_incremental(flat)


def changed(body: bytes):
    """Yield a body with each byte replaced, left out and doubled, and other cuts."""
    for at in range(len(body)):
        for byte in (body[at] ^ 1, 0x20, 0x22, 0x30, 0x3D, 0x00):
            if byte != body[at]:
                yield body[:at] + bytes([byte]) + body[at + 1 :]
        yield body[:at] + body[at + 1 :]
        yield body[:at] + body[at : at + 1] * 2 + body[at + 1 :]
        yield body[:at]
    yield body + b"\n"
    yield b" " + body


@pytest.mark.parametrize("kind", ["exists", "leaf", "increment"])
def test_what_is_changed_is_read_as_what_it_says_or_not_at_all(text, kind):
    """A body that is read is written the same again: nothing in it was passed over."""
    if kind == "increment":
        count = len(incremental_positions(2, 4))
        flat = FlatIncremental(2, 4, flat_texts.hashes(count, 4))
        encode, decode = text.encode_incremental, text.decode_incremental
    else:
        flat = FlatMembership(
            exists=kind == "exists",
            current_version=10,
            query_version=12,
            actual_version=3 if kind == "exists" else 10,
            key_digest=sha256(b"3").digest(),
            hyper=flat_texts.hashes(3, 5),
            history=flat_texts.hashes(4, 6) if kind == "exists" else None,
            leaf_digest=None if kind == "exists" else sha256(b"4").digest(),
            leaf_version=None if kind == "exists" else 10,
            leaf_history=None if kind == "exists" else flat_texts.hashes(2, 7),
        )
        encode, decode = (lambda flat: text.encode_membership(flat, None)), text.decode_membership
    body = encode(flat)
    read = 0
    for other in changed(body):
        found = decode(other)
        if found is not None:
            read += 1
            assert found != flat
            assert encode(found) == other
    assert read  # a digit or a letter of base64 changed for another one


@given(st.one_of(st.integers(0, 200), st.integers(0, 2**64 - 2)), digests, digests, digests)
def test_one_snapshot(text, version, digest, root, hyper):
    expected = wire.encode_snapshot(Snapshot(version, digest, root, hyper))

    assert text.encode_snapshot(version, digest, root, hyper) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 99, 200, 1001])
@pytest.mark.parametrize("first", [0, 8, 95, 10**19, NO_VERSION - 1001])
def test_a_list_of_snapshots(text, first, count):
    events, roots, hyper = (flat_texts.hashes(n, n) for n in (count, count, 1))
    snapshots = [
        Snapshot(first + n, events[32 * n : 32 * n + 32], roots[32 * n : 32 * n + 32], hyper)
        for n in range(count)
    ]

    assert text.encode_snapshots(first, events, roots, hyper) == wire.encode_snapshots(snapshots)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, bytes(32), bytes(64), bytes(32)),
        (0, bytes(33), bytes(33), bytes(32)),
        (0, bytes(32), bytes(32), bytes(31)),
        (-1, bytes(32), bytes(32), bytes(32)),
        (NO_VERSION, bytes(32), bytes(32), bytes(32)),
        (NO_VERSION - 1, bytes(64), bytes(64), bytes(32)),
    ],
)
def test_what_is_no_group_is_a_bug(text, arguments):
    with pytest.raises(AssertionError):
        text.encode_snapshots(*arguments)
    if len(arguments[1]) != 64:
        with pytest.raises(AssertionError):
            text.encode_snapshot(*arguments)


def test_the_name_says_which_it_is(text):
    assert text.NAME.split(" ")[0] in ("native", "twin")
    assert json.dumps(text.NAME)
