"""Checkpoints that are known, to hold others against: a log has one root for each size."""

from __future__ import annotations

import time
from collections.abc import Iterable

from qed.client.evidence_checkpoints import Equivocation
from qed.client.evidence_frame import Frame
from qed.errors import ContradictionError
from qed.signing.checkpoint import Checkpoint
from qed.signing.policy import Policy, check_checkpoint


class Known:
    """Signed checkpoints by origin and size. What differs in size is not compared here.

    Not locked: it belongs to one thread.
    """

    def __init__(self, policy: Policy, notes: Iterable[bytes] = ()) -> None:
        """Know these notes.

        Raises:
            VerificationError: the key of no log in the policy has signed one of them.
            ContradictionError: two of them exclude each other.
        """
        self._by_size: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        for note in notes:
            self.take(note, open_under_policy(note, policy))

    def compare(self, note: bytes, checkpoint: Checkpoint) -> None:
        """Return if nothing known excludes a checkpoint, which was verified; `note` says it.

        Raises:
            ContradictionError: another root of its origin and size is known; with the evidence.
        """
        there = self._by_size.get((checkpoint.origin, checkpoint.size))
        if there is None or there[0] == checkpoint.root:
            return
        root, known = there
        what = f"{checkpoint.origin} signed two roots for size {checkpoint.size}"
        frame = Frame(checkpoint.origin, what, int(time.time()))
        raise ContradictionError(
            f"{what}: {root.hex()} is known, {checkpoint.root.hex()} is another",
            step="known",
            hint="stop trusting this log, and keep both files: together they show it to anybody",
            evidence=Equivocation(frame, known, note, None, ()).encode(),
        )

    def take(self, note: bytes, checkpoint: Checkpoint) -> None:
        """Know one more; raises as `compare`, and then what was known first stays."""
        self.compare(note, checkpoint)
        self._by_size[checkpoint.origin, checkpoint.size] = (checkpoint.root, note)


def open_under_policy(note: bytes, policy: Policy) -> Checkpoint:
    """Return the checkpoint of a note that the key of its origin has signed; no quorum is asked.

    Raises: VerificationError; its step is "note", "origin" or "signature".
    """
    return check_checkpoint(Policy(policy.logs), note)[0]
