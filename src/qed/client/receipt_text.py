"""The file of a receipt as text: a c2sp.org/tlog-proof whose `extra` says what the leaf is.

```
c2sp.org/tlog-proof@v1
extra <base64 of one line of JSON: kind, snapshot, answer>
index <the version of the leaf>
<base64 of a hash of the path>            one line each, from the leaf upward
                                          an empty line
<the signed checkpoint, as it was published>
```

Strict: what was parsed is formatted again and compared, so there is one file for one receipt.
`docs/receipts.md` specifies it byte by byte; whether it proves anything is for `receipts` to say.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import Final

from qed.errors import MalformedError, VerificationError
from qed.trees.values import DIGEST_BYTES, MembershipProof, Snapshot
from qed.wire.bounds import MAX_U64
from qed.wire.fields import read_exact, read_text
from qed.wire.json_text import parse_answer
from qed.wire.proofs import format_membership, read_membership
from qed.wire.snapshots import format_snapshot, read_snapshot

FIRST_LINE: Final = b"c2sp.org/tlog-proof@v1"
FORMAT: Final = "qed/receipt/v1"
LOGGED: Final = "logged"
NEWEST: Final = "newest"
ABSENT: Final = "absent"
KINDS: Final = (LOGGED, NEWEST, ABSENT)

MAX_EXTRA_BYTES: Final = 128 * 1024
"""Bytes of the JSON; 256 hyper and 128 history positions take 48 KiB."""

MAX_RECEIPT_BYTES: Final = 512 * 1024
"""Bytes of the file: `extra` in base64, and a checkpoint with 64 signatures of 4 KiB."""

MAX_PATH_LINES: Final = 63

LATER: Final = "a later version of qed may have written it: verify it with that one"

_EXTRA, _INDEX = b"extra ", b"index "
_DECIMAL = re.compile(rb"(0|[1-9][0-9]{0,19})\Z")
_EXTRA_FIELDS = ("Format", "Kind", "Snapshot", "Answer")
_HASH_TEXT_BYTES = 44  # of base64


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the file of a receipt holds; nothing of it is verified.

    `index` is the version of `snapshot`, which is the leaf: of the event for `logged`, the current
    version for `newest` and `absent`. `answer` is None for `logged`. `path` goes from the leaf's
    sibling upward; `note` is the signed checkpoint to the byte.
    """

    kind: str
    snapshot: Snapshot
    answer: MembershipProof | None
    index: int
    path: tuple[bytes, ...]
    note: bytes


def format_receipt(receipt: Receipt) -> bytes:
    """Return the bytes of the file."""
    lines = [
        FIRST_LINE,
        _EXTRA + binascii.b2a_base64(_format_extra(receipt), newline=False),
        _INDEX + str(receipt.index).encode("ascii"),
        *(binascii.b2a_base64(value, newline=False) for value in receipt.path),
        b"",
        receipt.note,
    ]
    return b"\n".join(lines)


def parse_receipt(data: bytes) -> Receipt:
    """Return what a file holds. This is step 1 of `docs/receipts.md`, but for the note.

    Raises:
        VerificationError: the bytes are not exactly those that `format_receipt` writes for any
            receipt; `step` is "receipt". A later format is hinted at.
    """
    try:
        receipt = _parse(data)
    except MalformedError as error:
        raise VerificationError(
            f"the receipt does not parse: {error.message}", step="receipt", hint=error.hint
        ) from error
    if format_receipt(receipt) != data:
        raise VerificationError("the receipt is not in canonical form", step="receipt")
    return receipt


def looks_like_receipt(data: bytes) -> bool:
    """Return whether the file says that it is a tlog-proof, ours or another's."""
    return data.startswith(b"c2sp.org/tlog-proof@")


def _parse(data: bytes) -> Receipt:
    if len(data) > MAX_RECEIPT_BYTES:
        raise MalformedError(f"it has {len(data)} bytes, more than {MAX_RECEIPT_BYTES}")
    head, empty_line, note = data.partition(b"\n\n")
    if not empty_line:
        raise MalformedError("no empty line stands before the checkpoint")
    lines = head.split(b"\n", 3 + MAX_PATH_LINES)
    if lines[0] != FIRST_LINE:
        raise MalformedError(f"its first line is not {FIRST_LINE.decode()}")
    if len(lines) < len((FIRST_LINE, _EXTRA, _INDEX)):
        raise MalformedError("it has no lines extra and index")
    if not lines[1].startswith(_EXTRA) or not lines[2].startswith(_INDEX):
        raise MalformedError("its second and third line are not extra and index")
    if len(lines) > 3 + MAX_PATH_LINES:
        raise MalformedError(f"its path has more than {MAX_PATH_LINES} lines")
    kind, snapshot, answer = _read_extra(lines[1][len(_EXTRA) :])
    return Receipt(
        kind=kind,
        snapshot=snapshot,
        answer=answer,
        index=_parse_index(lines[2][len(_INDEX) :]),
        path=tuple(map(_parse_hash, lines[3:])),
        note=note,
    )


def _parse_index(text: bytes) -> int:
    if _DECIMAL.match(text) is None or int(text) > MAX_U64:
        raise MalformedError(f"the index {text[:32]!r} is not an integer from 0 to 2^64 - 1")
    return int(text)


def _parse_hash(text: bytes) -> bytes:
    value = _decode_base64(text, "a line of the path") if len(text) == _HASH_TEXT_BYTES else b""
    if len(value) != DIGEST_BYTES:
        raise MalformedError("a line of the path is not a hash of 32 bytes")
    return value


def _decode_base64(text: bytes, name: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise MalformedError(f"{name} is not standard base64 with padding") from None


def _read_extra(text: bytes) -> tuple[str, Snapshot, MembershipProof | None]:
    body = _decode_base64(text, "extra")
    fields = read_exact(parse_answer(body, max_bytes=MAX_EXTRA_BYTES), "extra", _EXTRA_FIELDS)
    written = read_text(fields["Format"], "Format")
    if written != FORMAT:
        if written.startswith("qed/receipt/v"):
            raise MalformedError(f"its format is {written[:64]!r}, this is {FORMAT!r}", hint=LATER)
        raise MalformedError(f"its format is {written[:64]!r}")
    kind = read_text(fields["Kind"], "Kind")
    if kind not in KINDS:
        raise MalformedError(f"the kind {kind[:64]!r} is none of {', '.join(KINDS)}")
    answer = fields["Answer"]
    if (answer is None) != (kind == LOGGED):
        raise MalformedError(f"a receipt of the kind {kind} is written otherwise about its Answer")
    proof = None if answer is None else read_membership(answer)
    if proof is not None and proof.key is not None:
        raise MalformedError("Key of the Answer is not null")
    return kind, read_snapshot(fields["Snapshot"], "Snapshot"), proof


def _format_extra(receipt: Receipt) -> bytes:
    answer = "null" if receipt.answer is None else format_membership(receipt.answer)
    return (
        f'{{"Format":"{FORMAT}","Kind":"{receipt.kind}"'
        f',"Snapshot":{format_snapshot(receipt.snapshot)},"Answer":{answer}}}'
    ).encode("ascii")
