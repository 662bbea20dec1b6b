"""What a log said of itself, as a store holds it: a checkpoint, its note, and the way to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from qed.signing.checkpoint import Checkpoint, format_checkpoint_text


@dataclass(frozen=True, slots=True)
class Claim:
    """A checkpoint with the note in which the log signed it, and what leads to it from leaves."""

    note: bytes
    checkpoint: Checkpoint
    path: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """How many leaves the checkpoint covers."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self.checkpoint.root

    @property
    def text_hash(self) -> bytes:
        """What tells this claim from any other, whoever signed it how often."""
        return hashlib.sha256(format_checkpoint_text(self.checkpoint).encode()).digest()
