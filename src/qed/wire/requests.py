"""The bodies of requests: written by the client, read by the server. Source: SPEC 5.

Read as Go reads them: unknown fields are passed over, names match in any letter case, of repeated
names the last counts. What is refused beyond QED, which accepts it, drops the connection or dies:
an empty event, an empty bulk, a digest that is not 32 bytes, a bound that is missing. All of it is
MalformedError; a body of more values than any request has is a TooLargeError.
"""

from __future__ import annotations

from collections.abc import Sequence

from qed.errors import MalformedError
from qed.trees.values import DIGEST_BYTES
from qed.wire.fields import (
    check_digest,
    format_base64,
    read_bytes_leniently,
    read_list,
    read_u64,
)
from qed.wire.json_text import Pairs, parse_request


def encode_add(event: bytes) -> bytes:
    """Return `{"Event": b64}`."""
    return f'{{"Event":"{format_base64(event)}"}}'.encode("ascii")


def decode_add(body: bytes) -> bytes:
    """Return the event to add; it is never empty."""
    return _read_event(_read_fields(body, "Event")[0], "Event")


def encode_bulk(events: Sequence[bytes]) -> bytes:
    """Return `{"Events": [b64, ...]}`."""
    texts = ",".join(f'"{format_base64(event)}"' for event in events)
    return f'{{"Events":[{texts}]}}'.encode("ascii")


def decode_bulk(body: bytes) -> list[bytes]:
    """Return the events to add, at least one and none of them empty."""
    (value,) = _read_fields(body, "Events")
    if value is None:
        raise MalformedError("the field Events is missing")
    events = read_list(value, "Events")
    if not events:
        raise MalformedError("Events is empty; a bulk has at least one event")
    return [_read_event(event, f"Events[{at}]") for at, event in enumerate(events)]


def encode_digests(digests: Sequence[bytes]) -> bytes:
    """Return the raw body of `POST /events/digests`: the digests, one after the other."""
    return b"".join(digests)


def decode_digests(body: bytes) -> list[bytes]:
    """Return the event digests of a raw body, at least one."""
    if not body or len(body) % DIGEST_BYTES:
        raise MalformedError(
            f"the body has {len(body)} bytes; it must be one or more digests of {DIGEST_BYTES}"
        )
    return [body[at : at + DIGEST_BYTES] for at in range(0, len(body), DIGEST_BYTES)]


def encode_membership_query(event: bytes, version: int | None) -> bytes:
    """Return `{"Key": b64, "Version": n or null}`; it tells the server the event."""
    return f'{{"Key":"{format_base64(event)}","Version":{_format_version(version)}}}'.encode(
        "ascii"
    )


def decode_membership_query(body: bytes) -> tuple[bytes, int | None]:
    """Return the event asked for and the version, None for the current one."""
    key, version = _read_fields(body, "Key", "Version")
    return _read_event(key, "Key"), _read_version(version)


def encode_digest_query(digest: bytes, version: int | None) -> bytes:
    """Return `{"KeyDigest": b64, "Version": n or null}`."""
    text = format_base64(digest)
    return f'{{"KeyDigest":"{text}","Version":{_format_version(version)}}}'.encode("ascii")


def decode_digest_query(body: bytes) -> tuple[bytes, int | None]:
    """Return the event digest asked for and the version, None for the current one."""
    digest, version = _read_fields(body, "KeyDigest", "Version")
    if digest is None:
        raise MalformedError("the field KeyDigest is missing")
    raw = read_bytes_leniently(digest, "KeyDigest")
    return check_digest(raw, "KeyDigest"), _read_version(version)


def encode_incremental_query(start: int, end: int) -> bytes:
    """Return `{"Start": n, "End": n}`."""
    return f'{{"Start":{start},"End":{end}}}'.encode("ascii")


def decode_incremental_query(body: bytes) -> tuple[int, int]:
    """Return both versions asked for; whether they are in order is for the log to say."""
    start, end = _read_fields(body, "Start", "End")
    for value, name in ((start, "Start"), (end, "End")):
        if value is None:
            raise MalformedError(f"the field {name} is missing")
    return read_u64(start, "Start"), read_u64(end, "End")


def _read_fields(body: bytes, *names: str) -> list[object]:
    """Return the values of the fields named, None for one that is missing or null."""
    value = parse_request(body)
    if not isinstance(value, Pairs):
        raise MalformedError("the body is not a JSON object")
    wanted = {name.casefold(): at for at, name in enumerate(names)}
    found: list[object] = [None] * len(names)
    for name, field in value:
        at = wanted.get(name.casefold())
        # The length: casefold also turns a ligature into two letters, which no letter case does.
        if at is not None and len(name) == len(names[at]):
            found[at] = field
    return found


def _read_event(value: object, name: str) -> bytes:
    if value is None:
        raise MalformedError(f"the field {name} is missing")
    event = read_bytes_leniently(value, name)
    if not event:
        raise MalformedError(f"{name} is empty; an event has at least one byte")
    return event


def _format_version(version: int | None) -> str:
    return "null" if version is None else str(version)


def _read_version(value: object) -> int | None:
    return None if value is None else read_u64(value, "Version")
