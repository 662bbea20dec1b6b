"""A batch of signed snapshots, as publishers send it to a store, and one of them, as it is served.

```
{"Snapshots": [{"Snapshot": {as an addition answers}, "Signature": b64 or ""}, ...],
 "Checkpoint": "<signed note>", "Consistency": [b64, ...]}
```

QED's batches end after `Snapshots`. A checkpoint authenticates all of them at once: `Consistency`
leads from the root after the last one to the checkpoint's, and is empty where both are the same.

A batch in the form that `encode_batch` and QED write is taken apart in one pass, written again and
compared; any other is read as JSON, about three times as slowly. Both refuse the same things.
Source: SPEC 7 and 10.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qed.errors import MalformedError, TooLargeError
from qed.trees.values import DIGEST_BYTES, Snapshot
from qed.wire.bounds import BOUNDS, MAX_U64
from qed.wire.fields import format_base64, read_bytes, read_digest, read_exact, read_list, read_text
from qed.wire.json_text import format_text, parse_answer
from qed.wire.snapshots import format_snapshot, read_snapshot

SIGNATURE_BYTES = 64

_SIGNED_FIELDS = ("Snapshot", "Signature")
_HEAD = '{"Snapshots":['
_TAIL = "}]"  # the first one ends the list: no text before it has a brace
_DIGEST = '"([A-Za-z0-9+/]{43}=)"'
_SIGNED = re.compile(
    rf'\{{"Snapshot":\{{"EventDigest":{_DIGEST},"HistoryDigest":{_DIGEST},"HyperDigest":{_DIGEST}'
    r',"Version":(0|[1-9][0-9]{0,19})\},"Signature":"((?:[A-Za-z0-9+/]{86}==)?)"\}'
)
_PADDED_BYTES = 33  # what 44 characters of base64 without padding hold


@dataclass(frozen=True, slots=True)
class Batch:
    """Snapshots with a signature each (64 bytes, or none: `b""`), and what authenticates them.

    `checkpoint` is a signed note, None in QED's own batches; `consistency` (32 bytes each) proves
    that the root after the last snapshot is a prefix of the checkpoint's.
    """

    snapshots: Sequence[Snapshot]
    signatures: Sequence[bytes]
    checkpoint: bytes | None = None
    consistency: tuple[bytes, ...] = ()


def format_signed_snapshot(snapshot: Snapshot, signature: bytes) -> str:
    """Return `{"Snapshot": ..., "Signature": b64}`, the signature `""` where there is none."""
    return f'{{"Snapshot":{format_snapshot(snapshot)},"Signature":"{format_base64(signature)}"}}'


def encode_signed_snapshot(snapshot: Snapshot, signature: bytes) -> bytes:
    """Return the body that answers `GET /snapshot?v=`."""
    return format_signed_snapshot(snapshot, signature).encode("ascii")


def decode_signed_snapshot(body: bytes) -> tuple[Snapshot, bytes]:
    """Return snapshot and signature of `encode_signed_snapshot`'s body, or raise MalformedError."""
    return _read_signed(parse_answer(body, max_bytes=BOUNDS.snapshot_bytes))


def encode_batch(batch: Batch) -> bytes:
    """Return the body of `POST /batch`; a batch without checkpoint is QED's."""
    pairs = zip(batch.snapshots, batch.signatures, strict=True)
    signed = [format_signed_snapshot(snapshot, signature) for snapshot, signature in pairs]
    tail = "}"
    if batch.checkpoint is not None:
        proof = ",".join(f'"{format_base64(one)}"' for one in batch.consistency)
        note = format_text(batch.checkpoint.decode("utf-8"))
        tail = f',"Checkpoint":{note},"Consistency":[{proof}]}}'
    return (_HEAD + ",".join(signed) + "]" + tail).encode("ascii")


def decode_batch(body: bytes) -> Batch:
    """Return the batch that a body holds, its snapshots in the order in which they stand there.

    Raises:
        MalformedError: the body is no batch: not JSON, a field that is missing, unknown or twice,
            base64 or a number that is not in canonical form, no snapshot at all, or a signature
            that is neither empty nor 64 bytes.
        TooLargeError: it holds more snapshots than a batch may have.
    Cost: about 4 microseconds a snapshot.
    """
    if len(body) > BOUNDS.batch_bytes:
        raise TooLargeError(f"the batch has {len(body)} bytes, more than {BOUNDS.batch_bytes}")
    batch = _decode_plain(body)
    return _decode_any(body) if batch is None else batch


def _decode_any(body: bytes) -> Batch:
    fields = read_exact(
        parse_answer(body, max_bytes=BOUNDS.batch_bytes),
        "the batch",
        ("Snapshots",),
        ("Checkpoint", "Consistency"),
    )
    values = read_list(fields["Snapshots"], "Snapshots")
    _check_count(len(values))
    signed = [_read_signed(value) for value in values]
    checkpoint, consistency = _read_claim(fields)
    return Batch(
        snapshots=tuple(snapshot for snapshot, _ in signed),
        signatures=tuple(signature for _, signature in signed),
        checkpoint=checkpoint,
        consistency=consistency,
    )


def _decode_plain(body: bytes) -> Batch | None:
    """Return the batch of a body in the form that `encode_batch` writes, else None."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    end = text.find(_TAIL) + 1
    tail = text[end + 1 :]
    if not end or (tail != "}" and not tail.startswith(',"')):
        return None
    found = _SIGNED.findall(text, len(_HEAD), end)
    if not _is_whole(found, text[:end]):
        return None
    _check_count(len(found))
    events, histories, hypers, versions, signatures = zip(*found, strict=True)
    columns = [_decode_digests(column) for column in (events, histories, hypers)]
    numbers = list(map(int, versions))
    if None in columns or max(numbers) > MAX_U64:
        return None
    fields = read_exact(
        parse_answer(b"{" + tail.removeprefix(",").encode(), max_bytes=BOUNDS.batch_bytes),
        "the batch",
        (),
        ("Checkpoint", "Consistency"),
    )
    checkpoint, consistency = _read_claim(fields)
    snapshots = tuple(map(Snapshot, numbers, *columns))  # type: ignore[arg-type]
    return Batch(snapshots, tuple(map(_decode_signature, signatures)), checkpoint, consistency)


def _is_whole(found: Sequence[tuple[str, ...]], text: str) -> bool:
    """Return whether what was found, written again, is the text."""
    again = ",".join(
        [
            f'{{"Snapshot":{{"EventDigest":"{event}","HistoryDigest":"{history}"'
            f',"HyperDigest":"{hyper}","Version":{version}}},"Signature":"{signature}"}}'
            for event, history, hyper, version, signature in found
        ]
    )
    return bool(found) and _HEAD + again == text


def _decode_digests(texts: Sequence[str]) -> list[bytes] | None:
    """Return digests from their base64, all in one call; None when one is not canonical.

    With its padding read as zero bits a digest takes 33 bytes, and the last one is 0 exactly where
    no bit is set that belongs to no byte.
    """
    data = binascii.a2b_base64("".join(texts).replace("=", "A"), strict_mode=True)
    if any(data[DIGEST_BYTES::_PADDED_BYTES]):
        return None
    starts = range(0, len(data), _PADDED_BYTES)
    return [data[at : at + DIGEST_BYTES] for at in starts]


def _decode_signature(text: str) -> bytes:
    return _read_signature(text) if text else b""


def _read_signed(value: object) -> tuple[Snapshot, bytes]:
    fields = read_exact(value, "a signed snapshot", _SIGNED_FIELDS)
    return (
        read_snapshot(fields["Snapshot"], "the snapshot"),
        _read_signature(fields["Signature"]),
    )


def _read_signature(value: object) -> bytes:
    """Return 64 bytes or none; `null` is how Go writes no bytes."""
    signature = b"" if value is None else read_bytes(value, "Signature")
    if len(signature) not in (0, SIGNATURE_BYTES):
        raise MalformedError(
            f"Signature has {len(signature)} bytes; a signature has {SIGNATURE_BYTES}"
        )
    return signature


def _read_claim(fields: Mapping[str, object]) -> tuple[bytes | None, tuple[bytes, ...]]:
    """Return checkpoint and consistency of a batch's fields."""
    if "Checkpoint" not in fields:
        if "Consistency" in fields:
            raise MalformedError("the batch has a Consistency but no Checkpoint")
        return None, ()
    text = read_text(fields["Checkpoint"], "Checkpoint")
    try:
        note = text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError("Checkpoint is not UTF-8") from None
    if len(note) > BOUNDS.note_bytes:
        raise MalformedError(f"Checkpoint has {len(note)} bytes, more than {BOUNDS.note_bytes}")
    proof = read_list(fields.get("Consistency", []), "Consistency")
    if len(proof) > BOUNDS.log_path:
        raise MalformedError(f"Consistency has {len(proof)} hashes, more than {BOUNDS.log_path}")
    return note, tuple(read_digest(one, "a hash of Consistency") for one in proof)


def _check_count(count: int) -> None:
    if count == 0:
        raise MalformedError("Snapshots is empty; a batch has at least one snapshot")
    if count > BOUNDS.batch_snapshots:
        raise TooLargeError(
            f"the batch has {count} snapshots, more than {BOUNDS.batch_snapshots}",
            hint="split it over several batches",
        )
