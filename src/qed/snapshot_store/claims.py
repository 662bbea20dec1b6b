"""What a log said of itself, as a store holds it: a checkpoint, its note, and the way to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from qed.signing.checkpoint import SignedCheckpoint, format_checkpoint_text


@dataclass(frozen=True, slots=True)
class Claim(SignedCheckpoint):
    """A signed checkpoint, and what leads to it from leaves."""

    path: tuple[bytes, ...] = ()

    @property
    def text_hash(self) -> bytes:
        """What tells this claim from any other, whoever signed it how often."""
        return hashlib.sha256(format_checkpoint_text(self.checkpoint).encode()).digest()
