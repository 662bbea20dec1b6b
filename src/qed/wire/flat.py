"""The bodies of the hot routes, as fast as can be had: in C where it was built, else readable.

`flat_twin` says what each function does. The choice is made once, when this module is loaded:
`_text` where it was built and answers a few known questions as the twin does (`trees.choice` says
how another choice is forced). `NAME` says which it is, `WHY_TWIN` why it is the twin.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from qed.trees.choice import choose
from qed.trees.paths import unflatten_incremental, unflatten_membership
from qed.trees.values import NO_VERSION, FlatIncremental, FlatMembership
from qed.wire import flat_twin, proofs
from qed.wire.bounds import BOUNDS

_Query = tuple[bytes, int | None]

_MAX_EVENTS = BOUNDS.request_values - 1
"""Events of a bulk: with its two brackets it has one value more, as `json_text` counts."""


def find_fault(text: ModuleType) -> str | None:
    """Return what a module says otherwise than the twin, as a sentence; None when it is right.

    Nothing that it raises gets out: that is an answer too.
    """
    for name, arguments in _questions():
        try:
            answer = getattr(text, name)(*arguments)
        except Exception as error:  # noqa: BLE001 (whatever it is, this module is not used)
            return f"its {name} failed: {type(error).__name__}: {error}"
        if answer != getattr(flat_twin, name)(*arguments):
            return f"its {name} differs from the twin's"
    return None


def _questions() -> list[tuple[str, tuple[object, ...]]]:
    """Return calls that between them touch each part of `_text`, right bodies and wrong ones."""
    hashes = bytes(range(256)) * 4
    present = FlatMembership(
        exists=True,
        current_version=99,
        query_version=99,
        actual_version=37,
        key_digest=hashes[:32],
        hyper=hashes[32 : 32 * 26],
        history=hashes[: 32 * 7],
    )
    absent = present._replace(exists=False, actual_version=99, history=None)
    beside = absent._replace(
        leaf_digest=hashes[:31] + b"\0", leaf_version=99, leaf_history=hashes[: 32 * 4]
    )
    empty = FlatMembership(False, NO_VERSION, NO_VERSION, NO_VERSION, hashes[:32], b"", None)  # noqa: FBT003 (the first of its fields)
    increment = FlatIncremental(37, 99, hashes[: 32 * 11])
    texts = [b'{"Event":"AQID"}', b' { "Event" : "AQ==" } ', b'{"Event":"AR=="}', b'{"Event":""}']
    bulks = [b'{"Events":["AQID", "AQ=="]}', b'{"Events":[]}', b'{"Events":["AQ==",]}']
    body = proofs.encode_membership(unflatten_membership(beside))
    path = proofs.encode_incremental(unflatten_incremental(increment))
    query = b'{"KeyDigest":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=","Version":7}'
    return [
        *(("encode_membership", (flat, None)) for flat in (present, absent, beside, empty)),
        ("encode_membership", (present, b"event")),
        ("encode_incremental", (increment,)),
        *(("decode_membership", (text,)) for text in (body, body + b" ", body[:-1], b"")),
        *(("decode_incremental", (text,)) for text in (path, path.replace(b"37", b"38"))),
        ("encode_snapshot", (0, hashes[:32], hashes[32:64], hashes[64:96])),
        ("encode_snapshots", (9, hashes[:64], hashes[64:128], hashes[:32])),
        *(("digest_add", (text,)) for text in texts),
        *(("digest_bulk", (text, 2)) for text in bulks),
        ("read_digest_query", (query,)),
        ("read_membership_query", (b'{"Key":"AQ==","Version":null}',)),
        ("read_incremental_query", (b'{"Start":0,"End":18446744073709551615}',)),
        ("read_incremental_query", (b'{"Start":0,"End":18446744073709551616}',)),
    ]


_native, WHY_TWIN = choose("qed.wire._text", "text of the hot routes", find_fault)
_chosen = flat_twin if _native is None else _native
NAME: str = _chosen.NAME

encode_membership: Callable[[FlatMembership, bytes | None], bytes] = _chosen.encode_membership
encode_incremental: Callable[[FlatIncremental], bytes] = _chosen.encode_incremental
decode_membership: Callable[[bytes], FlatMembership | None] = _chosen.decode_membership
decode_incremental: Callable[[bytes], FlatIncremental | None] = _chosen.decode_incremental
encode_snapshot: Callable[[int, bytes, bytes, bytes], bytes] = _chosen.encode_snapshot
encode_snapshots: Callable[[int, bytes, bytes, bytes], bytes] = _chosen.encode_snapshots
digest_add: Callable[[bytes], bytes | None] = _chosen.digest_add
read_digest_query: Callable[[bytes], _Query | None] = _chosen.read_digest_query
read_membership_query: Callable[[bytes], _Query | None] = _chosen.read_membership_query
read_incremental_query: Callable[[bytes], tuple[int, int] | None] = _chosen.read_incremental_query


def digest_bulk(body: bytes) -> bytes | None:
    """Return the digests, end to end, of the events in the usual `{"Events": [...]}`, else None."""
    digests: bytes | None = _chosen.digest_bulk(body, _MAX_EVENTS)
    return digests
