"""Every bound of the room `wire`, in one value; each is checked before what it bounds is parsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large and how deep a body may be before it is refused unread."""

    nesting: int = 32
    """Objects and lists inside one another; a body of ours needs 4."""

    request_values: int = 400_000
    """Values in one request; the largest bulk that a server can be told to take has 200,000."""

    answer_values: int = 2_000_000
    """Values in one answer; that bulk is answered with 1,000,000."""

    number_chars: int = 20
    """Characters of a number; 2^64 - 1 has 20 digits."""

    snapshot_bytes: int = 4096
    """Bytes of one snapshot's answer; ours has about 200."""

    snapshots_bytes: int = 64 * 2**20
    """Bytes of the answer to a bulk; 20,000 events answer with 4 MiB."""

    proof_bytes: int = 2**20
    """Bytes of a proof; 256 hyper and 64 history positions take 36 KiB, the rest is `Key`."""

    topology_bytes: int = 2**20
    """Bytes of `/info` and `/info/shards`."""

    backups_bytes: int = 16 * 2**20
    """Bytes of the list of backups; about 100 each, and a sentence for a damaged one."""

    batch_bytes: int = 64 * 2**20
    """Bytes of a batch for a snapshot store; a full one without signatures has 16 MiB, with 22."""

    batch_snapshots: int = 65_536
    """Snapshots in one batch."""

    note_bytes: int = 64 * 2**10
    """Bytes of a checkpoint in a batch; one with a cosignature of ML-DSA-44 has 4 KiB."""

    log_path: int = 65
    """Hashes of a proof of consistency; two sizes of 63 bits need no more than 64."""

    file_proof: int = 128
    """Hashes of the same in a consistency file or in evidence, whose format allows so many."""


BOUNDS = Bounds()
MAX_U64 = 2**64 - 1
