"""The values that both trees speak in. Shapes only: nothing here hashes, reads or decides.

A *digest* is 32 bytes. A *version* is the 0-based place of an event in the log. A position is
`(index, height)`: the index of its first leaf and its height; in the history tree an index is a
version, in the hyper tree a 256-bit integer. Source: SPEC 1 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
