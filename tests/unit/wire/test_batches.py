"""Batches of signed snapshots: both readers take the same and refuse the same."""

import base64
import json

import pytest

from qed.errors import MalformedError, TooLargeError
from qed.trees.values import Snapshot
from qed.wire import batches
from qed.wire.batches import (
    Batch,
    decode_batch,
    decode_signed_snapshot,
    encode_batch,
    encode_signed_snapshot,
)
from qed.wire.bounds import BOUNDS, MAX_U64

NOTE = "qed-1\n2\nAAAA\n\n— qed-1 AAAA\n".encode()
HASH = b"\x07" * 32
SIGNATURE = b"\x99" * 64


def snapshot(version):
    return Snapshot(version, bytes([version % 251]) * 32, b"\xfe" * 32, b"\x01" * 32)


SNAPSHOTS = (snapshot(0), snapshot(1), snapshot(2))
BATCH = Batch(SNAPSHOTS, (b"", SIGNATURE, b""), NOTE, (HASH, b"\x08" * 32))


def as_json(batch=BATCH):
    return json.loads(encode_batch(batch))


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def both(value):
    """Return a body in the form of `encode_batch`, and the same with a space."""
    body = compact(value)
    return body, body.replace(b":", b": ", 1)


def test_a_batch_is_written_in_the_order_of_the_fields_and_read_back():
    body = encode_batch(BATCH)

    assert list(json.loads(body)) == ["Snapshots", "Checkpoint", "Consistency"]
    assert list(json.loads(body)["Snapshots"][0]) == ["Snapshot", "Signature"]
    assert json.loads(body)["Checkpoint"].encode() == NOTE
    assert decode_batch(body) == BATCH
    assert compact(json.loads(body)) == body


def test_what_encode_batch_writes_is_read_in_one_pass(monkeypatch):
    monkeypatch.setattr(batches, "_decode_any", None)

    assert decode_batch(encode_batch(BATCH)) == BATCH
    assert decode_batch(encode_batch(Batch(SNAPSHOTS, (b"",) * 3))).checkpoint is None


def test_a_note_may_stand_there_as_utf_8_or_escaped():
    raw = json.dumps(as_json(), separators=(",", ":"), ensure_ascii=False).encode()

    assert "—".encode() in raw
    assert decode_batch(raw) == BATCH


def test_any_other_json_of_the_same_batch_is_the_same_batch():
    value = as_json()
    turned = {name: value[name] for name in reversed(value)}
    for signed in turned["Snapshots"]:
        signed["Snapshot"] = dict(reversed(signed["Snapshot"].items()))

    assert decode_batch(json.dumps(turned, indent=2).encode()) == BATCH


def test_qeds_batch_has_no_checkpoint_and_its_signature_may_be_null():
    value = {"Snapshots": as_json()["Snapshots"][:1]}
    value["Snapshots"][0]["Signature"] = None

    assert decode_batch(compact(value)) == Batch((SNAPSHOTS[0],), (b"",))


def test_a_signature_for_each_snapshot():
    with pytest.raises(ValueError, match="shorter"):
        encode_batch(Batch(SNAPSHOTS, (b"",)))


def set_first(name, what):
    def change(value):
        value["Snapshots"][0]["Snapshot"][name] = what

    return change


def b64(data):
    return base64.b64encode(data).decode()


LOOSE = b64(b"\x00" * 32)[:-2] + "B="  # a bit set that belongs to no byte
CHANGES = {
    "no snapshots": lambda value: value.pop("Snapshots"),
    "empty": lambda value: value["Snapshots"].clear(),
    "unknown field": lambda value: value.update(More=1),
    "consistency alone": lambda value: value.pop("Checkpoint"),
    "note is no text": lambda value: value.update(Checkpoint=7),
    "note with half a surrogate": lambda value: value.update(Checkpoint="\ud800"),
    "note too long": lambda value: value.update(Checkpoint="x" * (BOUNDS.note_bytes + 1)),
    "path too long": lambda value: value.update(Consistency=[b64(HASH)] * (BOUNDS.log_path + 1)),
    "hash too short": lambda value: value.update(Consistency=[b64(HASH[1:])]),
    "hash is loose": lambda value: value.update(Consistency=[LOOSE]),
    "short digest": set_first("EventDigest", b64(b"\x00" * 31)),
    "long digest": set_first("HistoryDigest", b64(b"\x00" * 33)),
    "loose digest": set_first("HyperDigest", LOOSE),
    "padding inside": set_first("HyperDigest", "=" * 44),
    "version in quotes": set_first("Version", "0"),
    "version too large": set_first("Version", MAX_U64 + 1),
    "version negative": set_first("Version", -1),
    "version with a point": set_first("Version", 1.0),
    "no version": lambda value: value["Snapshots"][0]["Snapshot"].pop("Version"),
    "no signature": lambda value: value["Snapshots"][0].pop("Signature"),
    "short signature": lambda value: value["Snapshots"][0].update(Signature=b64(b"\x00" * 63)),
    "loose signature": lambda value: value["Snapshots"][1].update(
        Signature=b64(b"\x00" * 64)[:-3] + "B=="
    ),
    "a list": lambda value: value["Snapshots"].append([]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_both_readers_refuse_what_is_not_a_batch(name):
    value = as_json()
    CHANGES[name](value)

    for body in both(value):
        with pytest.raises(MalformedError):
            decode_batch(body)


TEXTS = {
    "nothing": b"",
    "cut": encode_batch(BATCH)[:-1],
    "cut in the list": encode_batch(BATCH)[:300],
    "more behind it": encode_batch(BATCH) + b"}",
    "a comma too many": encode_batch(Batch(SNAPSHOTS, (b"",) * 3))[:-1] + b",}",
    "plus sign": encode_batch(BATCH).replace(b'"Version":0', b'"Version":+5'),
    "leading zero": encode_batch(BATCH).replace(b'"Version":1', b'"Version":01'),
    "a name twice": encode_batch(BATCH)[:-1] + b',"Consistency":[]}',
    "snapshots twice": encode_batch(BATCH)[:-1] + b',"Snapshots":[]}',
    "not utf-8": encode_batch(BATCH) + b"\xff",
    "no object": b"[]",
}


@pytest.mark.parametrize("name", TEXTS)
def test_bytes_that_are_no_batch_are_refused(name):
    with pytest.raises(MalformedError):
        decode_batch(TEXTS[name])


def test_a_batch_above_its_bounds_is_refused_before_it_is_read():
    with pytest.raises(TooLargeError, match="bytes"):
        decode_batch(b" " * (BOUNDS.batch_bytes + 1))
    many = (SNAPSHOTS[0],) * (BOUNDS.batch_snapshots + 1)
    body = encode_batch(Batch(many, (b"",) * len(many)))
    for form in (body, body.replace(b":", b": ", 1)):
        with pytest.raises(TooLargeError, match="65537 snapshots"):
            decode_batch(form)


def test_a_full_batch_fits_with_signatures_and_with_the_longest_numbers():
    digest = b"\xff" * 32
    longest = Snapshot(MAX_U64, digest, digest, digest)
    one = len(encode_signed_snapshot(longest, SIGNATURE)) + 1

    assert one * BOUNDS.batch_snapshots + BOUNDS.note_bytes * 6 < BOUNDS.batch_bytes
    assert one * BOUNDS.batch_snapshots < 32 * 2**20 - 2**20


def test_one_signed_snapshot_is_written_and_read():
    body = encode_signed_snapshot(SNAPSHOTS[1], SIGNATURE)

    assert decode_signed_snapshot(body) == (SNAPSHOTS[1], SIGNATURE)
    assert json.loads(body)["Signature"] == b64(SIGNATURE)
    assert json.loads(encode_signed_snapshot(SNAPSHOTS[1], b""))["Signature"] == ""
    with pytest.raises(MalformedError):
        decode_signed_snapshot(body[:-1])
