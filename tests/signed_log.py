"""A log as its readers see it: snapshots, signed checkpoints and batches, without a server."""

from __future__ import annotations

import hashlib
from functools import cached_property

from qed.signing.checkpoint import sign_checkpoint
from qed.signing.snapshot_signature import sign_snapshot
from qed.trees.snapshot_log import encode_leaf, hash_leaf, hash_node
from qed.trees.tiles import compute_root, prove_consistency
from qed.trees.values import Snapshot
from qed.wire.batches import Batch
from signers import signer

ORIGIN = "a.test/log"


class SignedLog:
    """So many snapshots, in groups of three; two with another `branch` differ from there on."""

    def __init__(
        self, size: int, *, branch: int | None = None, seed: bytes = b"", origin: str = ORIGIN
    ) -> None:
        self.signer = signer(origin, seed=seed)
        self.key = self.signer.verifier_key
        self.snapshots = [self._snapshot(version, branch) for version in range(size)]

    @staticmethod
    def _snapshot(version: int, branch: int | None) -> Snapshot:
        way = f"{branch}" if branch is not None and version >= branch else ""

        def digest(what: str) -> bytes:
            return hashlib.sha256(f"{what} {way}".encode()).digest()

        return Snapshot(
            version,
            digest(f"event {version}"),
            digest(f"history {version}"),
            digest(f"group {version // 3}"),
        )

    @cached_property
    def hashes(self) -> list[list[bytes]]:
        """The hashes of all perfect subtrees, by height."""
        row = [hash_leaf(self.leaf(version)) for version in range(len(self.snapshots))]
        found = [row]
        while len(row) > 1:
            row = [hash_node(*row[at : at + 2]) for at in range(0, len(row) - 1, 2)]
            found.append(row)
        return found

    def leaf(self, version: int) -> bytes:
        one = self.snapshots[version]
        return encode_leaf(version, one.event_digest, one.history_digest, one.hyper_digest)

    def read(self, nodes):
        return [self.hashes[height][index] for height, index in nodes]

    def root(self, size: int) -> bytes:
        return compute_root(self.read, size)

    def note(self, size: int) -> bytes:
        return sign_checkpoint(self.signer, size, self.root(size))

    def signature(self, version: int) -> bytes:
        return sign_snapshot(self.signer, self.leaf(version))

    def batch(
        self, first: int, stop: int, size: int | None = None, *, signed: bool = False
    ) -> Batch:
        """Return snapshots [first, stop) under the checkpoint of a size, or of `stop`."""
        size = stop if size is None else size
        signatures = [self.signature(v) if signed else b"" for v in range(first, stop)]
        proof = tuple(prove_consistency(self.read, stop, size))
        return Batch(self.snapshots[first:stop], signatures, self.note(size), proof)
