"""Evidence of a snapshot that somebody served otherwise than the log signed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from qed.client.evidence_frame import (
    Evidence,
    Fields,
    Finding,
    Frame,
    format_bytes_as_text,
    read_text_as_bytes,
    shows_nothing,
)
from qed.client.receipt_text import LOGGED
from qed.client.receipts import encode_leaf, verify_under_key
from qed.errors import VerificationError
from qed.signing.note import VerifierKey
from qed.signing.snapshot_signature import verify_snapshot_signature
from qed.trees.values import Snapshot
from qed.wire.fields import format_base64, read_bytes, read_exact
from qed.wire.snapshots import format_snapshot, read_snapshot


@dataclass(frozen=True, slots=True)
class ServedSnapshot(Evidence):
    """The receipt of a version's true leaf, and the snapshot that was served for that version.

    `signature` is what came with it, b"" for none: where it is the log's own, the log signed both.
    """

    kind: ClassVar[str] = "snapshot"
    names: ClassVar[tuple[str, ...]] = ("Receipt", "Served")

    receipt: bytes
    served: Snapshot
    signature: bytes

    def format_fields(self) -> Sequence[str]:
        """Return the receipt, and the snapshot with its signature as a store serves them."""
        signature = format_base64(self.signature)
        return (
            format_bytes_as_text(self.receipt),
            f'{{"Snapshot":{format_snapshot(self.served)},"Signature":"{signature}"}}',
        )

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        served = read_exact(fields["Served"], "Served", ("Snapshot", "Signature"))
        return cls(
            frame,
            receipt=read_text_as_bytes(fields["Receipt"], "Receipt"),
            served=read_snapshot(served["Snapshot"], "Snapshot"),
            signature=read_bytes(served["Signature"], "Signature"),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Verify the receipt, and compare the snapshot served with its leaf."""
        try:
            true = verify_under_key(self.receipt, key, kind=LOGGED).snapshot
        except VerificationError as error:
            raise VerificationError(f"Receipt: {error.message}", step="receipt") from error
        if self.served.version != true.version:
            raise shows_nothing(f"the snapshots are of {true.version} and {self.served.version}")
        if self.served == true:
            raise shows_nothing("the snapshot that was served is the true one")
        signed = self._is_signed(key)
        claim = (
            "signed one snapshot with its name and another one under its checkpoint"
            if signed
            else "signed another snapshot than the one that was served, which nobody signed"
        )
        sentence = f"for version {true.version} {self.frame.origin} {claim}"
        return self.found_that(sentence, signed=signed)

    def _is_signed(self, key: VerifierKey) -> bool:
        if not self.signature:
            return False
        try:
            verify_snapshot_signature(key, encode_leaf(self.served), self.signature)
        except VerificationError:
            return False
        return True
