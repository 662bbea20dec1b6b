"""The answers to additions, byte for byte."""

import base64
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qed import wire
from qed.errors import MalformedError
from qed.trees.values import Snapshot
from qed.wire.bounds import BOUNDS

VECTORS = Path(__file__).parents[2] / "vectors"
NAMES = ("EventDigest", "HistoryDigest", "HyperDigest", "Version")
SNAPSHOTS = [
    Snapshot(
        row["Version"],
        bytes.fromhex(row["EventDigest"]),
        bytes.fromhex(row["HistoryDigest"]),
        bytes.fromhex(row["HyperDigest"]),
    )
    for row in json.loads((VECTORS / "single_adds.json").read_text())["snapshots"]
]
DIGESTS = st.binary(min_size=32, max_size=32)


def b64(value):
    return base64.b64encode(value).decode()


def as_json(snapshot):
    return dict(
        zip(
            NAMES,
            [
                b64(snapshot.event_digest),
                b64(snapshot.history_digest),
                b64(snapshot.hyper_digest),
                snapshot.version,
            ],
            strict=True,
        )
    )


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def test_every_snapshot_of_the_vectors_is_written_in_the_order_of_spec_5():
    for snapshot in SNAPSHOTS:
        assert compact(as_json(snapshot)) == wire.encode_snapshot(snapshot)
        assert snapshot == wire.decode_snapshot(wire.encode_snapshot(snapshot))


def test_a_bulk_answers_a_list():
    assert compact([as_json(s) for s in SNAPSHOTS[:3]]) == wire.encode_snapshots(SNAPSHOTS[:3])
    assert wire.decode_snapshots(wire.encode_snapshots(SNAPSHOTS)) == SNAPSHOTS
    assert wire.encode_snapshots([]) == b"[]"


def test_a_snapshot_of_any_order_and_spacing_is_read():
    text = json.dumps(dict(reversed(as_json(SNAPSHOTS[5]).items())), indent=2)

    assert SNAPSHOTS[5] == wire.decode_snapshot(text.encode())


@pytest.mark.parametrize("name", NAMES)
def test_a_field_that_is_missing_wrong_or_in_another_case_is_refused(name):
    good = as_json(SNAPSHOTS[1])
    for other in (None, "", True, [], {}, 1.5, -1, 2**64, b64(bytes(31))):
        with pytest.raises(MalformedError):
            wire.decode_snapshot(compact({**good, name: other}))
    with pytest.raises(MalformedError):
        wire.decode_snapshot(compact({k: v for k, v in good.items() if k != name}))
    with pytest.raises(MalformedError):
        wire.decode_snapshot(compact({(k.lower() if k == name else k): v for k, v in good.items()}))
    with pytest.raises(MalformedError):
        wire.decode_snapshot(compact({**good, "More": 1}))


def test_the_empty_snapshot_of_a_follower_of_qed_is_refused():
    """QED's client prints it as a success."""
    for body in (b"", b"{}", b"null"):
        with pytest.raises(MalformedError):
            wire.decode_snapshot(body)


def test_an_answer_above_its_bound_is_refused():
    body = wire.encode_snapshot(SNAPSHOTS[0])

    with pytest.raises(MalformedError, match="more than"):
        wire.decode_snapshot(body + b" " * BOUNDS.snapshot_bytes)


@given(st.integers(0, 2**63), DIGESTS, st.lists(DIGESTS, min_size=1, max_size=5))
def test_the_raw_answer_is_read_as_it_was_written(first, hyper, histories):
    body = wire.encode_added(first, hyper, b"".join(histories))

    assert body[:16] == struct.pack(">QQ", first, len(histories))
    assert body[16:48] == hyper
    assert body[48:] == b"".join(histories)
    assert wire.decode_added(body) == (first, hyper, histories)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_raw_answer_is_read_or_malformed(body):
    try:
        first, hyper, histories = wire.decode_added(body)
    except MalformedError:
        return
    assert body == wire.encode_added(first, hyper, b"".join(histories))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(47),
        bytes(48),
        struct.pack(">QQ32s", 0, 1, b""),
        struct.pack(">QQ32s32s", 0, 2, b"", b""),
        struct.pack(">QQ32s32sx", 0, 1, b"", b""),
        struct.pack(">QQ32s32s", 2**64 - 1, 1, b"", b""),
        struct.pack(">QQ32s", 0, 2**59, b""),
    ],
    ids=[
        "empty",
        "short",
        "no version",
        "too few",
        "too few of two",
        "one byte",
        "beyond",
        "wraps",
    ],
)
def test_a_raw_answer_whose_length_is_not_its_count_is_refused(body):
    with pytest.raises(MalformedError):
        wire.decode_added(body)
