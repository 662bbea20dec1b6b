"""Receipts of a published log in memory, true ones and whatever a test makes of them.

What an honest server and its published log would give; nothing here is the code of the client.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from publishing import PublishedLog
from qed.client.receipt_text import Receipt, format_receipt
from qed.trees.tiles import prove_consistency, prove_inclusion

EVENTS = [b"event %d" % n for n in range(12)]
# The map of a log this small mostly ends at empty nodes; this one ends at the leaf of event 0.
ABSENT_EVENT = b"never added"


def small_log(count: int = 7, **settings: object) -> PublishedLog:
    """Return a log of events added one by one, published after the last."""
    log = PublishedLog(**settings)
    for event in EVENTS[:count]:
        log.add(event, publish=False)
    log.publish()
    return log


def beside(event: bytes) -> bytes:
    """Return a digest whose way in the map ends at the leaf of an event, for any small log."""
    return (int.from_bytes(sha256(event).digest(), "big") ^ 1).to_bytes(32, "big")


def make_receipt(
    log: PublishedLog, kind: str, digest: bytes, *, version: int | None = None
) -> Receipt:
    """Return a receipt under the log's newest checkpoint; `version` is for `logged` alone."""
    answer = log.log.membership(digest)
    index = answer.current_version
    if kind == "logged":
        index = answer.actual_version if version is None else version
    size = log.size
    path = prove_inclusion(lambda nodes: log.read_nodes(nodes, size), index, size)
    return Receipt(
        kind=kind,
        snapshot=log.snapshots[index],
        answer=None if kind == "logged" else answer,
        index=index,
        path=tuple(path),
        note=log.note,
    )


def receipt(log: PublishedLog, kind: str, digest: bytes, *, version: int | None = None) -> bytes:
    """Return the file of `make_receipt`."""
    return format_receipt(make_receipt(log, kind, digest, version=version))


def one_of_each(log: PublishedLog) -> dict[str, tuple[bytes, bytes]]:
    """Return (digest, file) of a receipt of each kind, of both kinds of absence."""
    event = sha256(EVENTS[2]).digest()
    nowhere, there = sha256(ABSENT_EVENT).digest(), beside(EVENTS[3])
    return {
        "logged": (event, receipt(log, "logged", event)),
        "newest": (event, receipt(log, "newest", event)),
        "absent": (nowhere, receipt(log, "absent", nowhere)),
        "absent beside a leaf": (there, receipt(log, "absent", there)),
    }


def consistency(log: PublishedLog, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` begins with that of `old`."""
    return prove_consistency(lambda nodes: log.read_nodes(nodes, new), old, new)


def with_extra(data: bytes, extra: bytes) -> bytes:
    """Return a receipt's file with other bytes in `extra`."""
    lines = data.split(b"\n")
    lines[1] = b"extra " + base64.b64encode(extra)
    return b"\n".join(lines)


def extra_of(data: bytes) -> bytes:
    """Return the JSON in a receipt's `extra`."""
    return base64.b64decode(data.split(b"\n")[1].removeprefix(b"extra "))


def flips(data: bytes, masks: tuple[int, ...]) -> Iterator[tuple[int, int, bytes]]:
    """Yield (place, mask, file) with one byte of a file changed, at every place."""
    for place, byte in enumerate(data):
        for mask in masks:
            yield place, mask, data[:place] + bytes([byte ^ mask]) + data[place + 1 :]


def changed_receipts(true: Receipt) -> Iterator[tuple[str, Receipt]]:
    """Yield receipts with one number, digest or hash changed."""
    other = sha256(b"other").digest()
    for name in ("event_digest", "history_digest", "hyper_digest"):
        yield name, replace(true, snapshot=replace(true.snapshot, **{name: other}))
    for number in (0, true.index + 1, true.index - 1, 2**63, 2**64 - 1):
        if number not in {true.index, -1}:
            yield f"index {number}", replace(true, index=number)
            moved = replace(true.snapshot, version=number)
            yield f"snapshot of {number}", replace(true, snapshot=moved)
            yield f"all of {number}", replace(true, snapshot=moved, index=number)
    for place in range(len(true.path)):
        path = list(true.path)
        path[place] = other
        yield f"path {place}", replace(true, path=tuple(path))
        yield f"path without {place}", replace(true, path=(*path[:place], *path[place + 1 :]))
    yield "path longer", replace(true, path=(*true.path, other))
    yield "path of 64", replace(true, path=(other,) * 64)
