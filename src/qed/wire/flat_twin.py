"""The bodies of the hot routes, readable: what `_text` does in C, on the other files of this room.

Both are used through `wire.flat`, whose tests hold them together byte for byte. Writing takes flat
proofs and digests end to end. Reading knows one spelling alone, the usual one of every client, and
returns None for anything else: that says nothing about the body, and the exact readers (`requests`,
`proofs`) decide about it and find the words. They would accept whatever is read here, and read the
same. Source: SPEC 5.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

from qed.errors import MalformedError
from qed.trees.paths import (
    flatten_incremental,
    flatten_membership,
    unflatten_incremental,
    unflatten_membership,
)
from qed.trees.values import DIGEST_BYTES, NO_VERSION, FlatIncremental, FlatMembership, Snapshot
from qed.wire import proofs, snapshots
from qed.wire.bounds import MAX_U64

NAME = "twin (pure Python)"

# What JSON allows between its marks, and base64 that is at least not empty. Possessive, so that a
# body is never tried a second time.
_S = rb"[ \t\n\r]*+"
_TEXT = rb'"([A-Za-z0-9+/]++={0,2})"'
_NUMBER = rb"(0|[1-9][0-9]{0,19})"
_VERSION = rb'(?:%b,%b"Version"%b:%b(null|0|[1-9][0-9]{0,19}))?' % (_S, _S, _S, _S)


def _object(*fields: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"%b\{%b%b%b\}%b\Z" % (_S, _S, b"".join(fields), _S, _S))


def _field(name: bytes, value: bytes) -> bytes:
    return rb'"%b"%b:%b%b' % (name, _S, _S, value)


_ADD = _object(_field(b"Event", _TEXT))
# Not a possessive group of these: Python 3.11.2, which is Debian 12's, takes one with another
# possessive part in it for matched when it was tried and failed.
_EVENT = re.compile(rb"%b%b%b\Z" % (_S, _TEXT, _S))
_BULK = _object(_field(b"Events", rb"\[([^\]]*+)\]"))
_DIGEST_QUERY = _object(_field(b"KeyDigest", _TEXT), _VERSION)
_EVENT_QUERY = _object(_field(b"Key", _TEXT), _VERSION)
_INCREMENTAL_QUERY = _object(
    _field(b"Start", _NUMBER), rb"%b,%b" % (_S, _S), _field(b"End", _NUMBER)
)


def encode_membership(flat: FlatMembership, key: bytes | None) -> bytes:
    """Return the body that answers a membership query; `key` is the event, where it was given."""
    return proofs.encode_membership(unflatten_membership(flat, key))


def encode_incremental(flat: FlatIncremental) -> bytes:
    """Return the body that answers an incremental query."""
    return proofs.encode_incremental(unflatten_incremental(flat))


def decode_membership(body: bytes) -> FlatMembership | None:
    """Return the proof of a body without `Key` that `encode_membership` writes, else None."""
    try:
        proof = proofs.decode_membership(body)
    except MalformedError:
        return None
    flat = flatten_membership(proof)
    exact = flat is not None and proof.key is None and proofs.encode_membership(proof) == body
    return flat if exact else None


def decode_incremental(body: bytes) -> FlatIncremental | None:
    """Return the proof of a body that `encode_incremental` writes, else None."""
    try:
        proof = proofs.decode_incremental(body)
    except MalformedError:
        return None
    return flatten_incremental(proof) if proofs.encode_incremental(proof) == body else None


def encode_snapshot(version: int, digest: bytes, root: bytes, hyper_digest: bytes) -> bytes:
    """Return the body that answers the addition of one event."""
    _check_digests(version, digest, root, hyper_digest, 1)
    return snapshots.encode_snapshot(Snapshot(version, digest, root, hyper_digest))


def encode_snapshots(
    first_version: int, digests: bytes, roots: bytes, hyper_digest: bytes
) -> bytes:
    """Return the body that answers the addition of a bulk."""
    _check_digests(first_version, digests, roots, hyper_digest, len(digests) // DIGEST_BYTES)
    starts = range(0, len(digests), DIGEST_BYTES)
    return snapshots.encode_snapshots(
        [
            Snapshot(
                version,
                digests[start : start + DIGEST_BYTES],
                roots[start : start + DIGEST_BYTES],
                hyper_digest,
            )
            for version, start in enumerate(starts, first_version)
        ]
    )


def digest_add(body: bytes) -> bytes | None:
    """Return the digest of the event in the usual `{"Event": b64}`, else None."""
    found = _ADD.match(body)
    event = found and _decode(found[1])
    return sha256(event).digest() if event else None


def digest_bulk(body: bytes, max_events: int) -> bytes | None:
    """Return the digests, end to end, of the events in the usual `{"Events": [...]}`, else None.

    More than `max_events` are left to the exact reader.
    """
    found = _BULK.match(body)
    if found is None or found[1].count(b",") >= max_events:
        return None
    digests = []
    for part in found[1].split(b","):
        text = _EVENT.match(part)
        event = None if text is None else _decode(text[1])
        if event is None:
            return None
        digests.append(sha256(event).digest())
    return b"".join(digests)


def read_digest_query(body: bytes) -> tuple[bytes, int | None] | None:
    """Return digest and version of the usual `{"KeyDigest": b64, "Version": n}`, else None."""
    query = _read_query(_DIGEST_QUERY.match(body))
    return query if query and len(query[0]) == DIGEST_BYTES else None


def read_membership_query(body: bytes) -> tuple[bytes, int | None] | None:
    """Return event and version of the usual `{"Key": b64, "Version": n}`, else None."""
    return _read_query(_EVENT_QUERY.match(body))


def read_incremental_query(body: bytes) -> tuple[int, int] | None:
    """Return both versions of the usual `{"Start": n, "End": n}`, else None."""
    found = _INCREMENTAL_QUERY.match(body)
    if found is None or int(found[1]) > MAX_U64 or int(found[2]) > MAX_U64:
        return None
    return int(found[1]), int(found[2])


def _read_query(found: re.Match[bytes] | None) -> tuple[bytes, int | None] | None:
    value = found and _decode(found[1])
    if found is None or value is None:
        return None
    version = None if found[2] in (None, b"null") else int(found[2])
    return None if version is not None and version > MAX_U64 else (value, version)


def _decode(text: bytes) -> bytes | None:
    """Return the bytes of canonical base64, else None."""
    try:
        value = a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return value if b2a_base64(value, newline=False) == text else None


def _check_digests(
    first_version: int, digests: bytes, roots: bytes, hyper_digest: bytes, count: int
) -> None:
    """Refuse what is no group: a bug, for nothing here comes from outside."""
    size = count * DIGEST_BYTES
    if not len(digests) == len(roots) == size or len(hyper_digest) != DIGEST_BYTES:
        raise AssertionError("a group is as many digests as roots, and one hyper digest")
    if not 0 <= first_version <= NO_VERSION or count > NO_VERSION - first_version:
        raise AssertionError("a group's versions are within 64 bits")
