"""The values that both trees speak in. Shapes only: nothing here hashes, reads or decides.

A *digest* is 32 bytes. A *version* is the 0-based place of an event in the log. A position is
`(index, height)`: the index of its first leaf and its height; in the history tree an index is a
version, in the hyper tree a 256-bit integer. A *flat* proof holds its hashes alone: their positions
are a function of its digest and its versions, and `paths` says which. Source: SPEC 1 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

DIGEST_BYTES = 32
HYPER_HEIGHT = 256
SHORTCUT_HEIGHT = 232  # a lone member sits at this height or below, never above
NO_VERSION = 2**64 - 1  # the "current version" of an empty log, on the wire and on the screen

Position = tuple[int, int]
AuditPath = Mapping[Position, bytes]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one addition yields: the event's digest and both roots, as of version and group."""

    version: int
    event_digest: bytes
    history_digest: bytes
    hyper_digest: bytes


@dataclass(frozen=True, slots=True)
class HyperLeaf:
    """The shortcut leaf met on the way to an absent digest, and the path that binds its key."""

    key_digest: bytes
    version: int
    history: AuditPath


@dataclass(frozen=True, slots=True)
class MembershipProof:
    """An answer to "is this digest in the log", for or against. `history` is None when against."""

    exists: bool
    hyper: AuditPath
    history: AuditPath | None
    current_version: int
    query_version: int
    actual_version: int
    key_digest: bytes
    key: bytes | None = None
    hyper_leaf: HyperLeaf | None = None


@dataclass(frozen=True, slots=True)
class IncrementalProof:
    """The nodes from which the roots of both versions can be recomputed."""

    start: int
    end: int
    audit_path: AuditPath


class FlatMembership(NamedTuple):
    """A `MembershipProof` without its positions; what the engine hands out and the wire carries.

    `hyper[32 * d : 32 * d + 32]` is the sibling at height 255 - d. `history` ties the leaf of
    `actual_version` to the root as of the smaller of query and current version, from the root down;
    it is None for an absence. The `leaf_` fields are the `HyperLeaf` of an absence that met one,
    its history as of the current version; all three are None otherwise.
    """

    exists: bool
    current_version: int
    query_version: int
    actual_version: int
    key_digest: bytes
    hyper: bytes
    history: bytes | None
    leaf_digest: bytes | None = None
    leaf_version: int | None = None
    leaf_history: bytes | None = None


class FlatIncremental(NamedTuple):
    """An `IncrementalProof` without its positions; the hashes go from left to right."""

    start: int
    end: int
    hashes: bytes


def split_digests(digests: bytes) -> list[bytes]:
    """Return digests that lie end to end one by one; no whole number of them: `ValueError`."""
    if len(digests) % DIGEST_BYTES:
        raise ValueError(f"{len(digests)} bytes are no whole number of digests")
    return [digests[i : i + DIGEST_BYTES] for i in range(0, len(digests), DIGEST_BYTES)]
