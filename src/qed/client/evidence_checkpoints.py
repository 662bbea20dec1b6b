"""Evidence made of checkpoints alone: two that exclude each other, one unsigned, one old."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from qed.client.evidence_frame import (
    Evidence,
    Fields,
    Finding,
    Frame,
    format_bytes_as_text,
    format_hashes,
    open_signed,
    read_hashes,
    read_text_as_bytes,
    shows_nothing,
)
from qed.errors import VerificationError
from qed.signing.checkpoint import read_checkpoint
from qed.signing.note import VerifierKey
from qed.trees.verify_log import verify_consistency
from qed.wire.bounds import BOUNDS
from qed.wire.fields import format_base64, read_bytes, read_digest


@dataclass(frozen=True, slots=True)
class Equivocation(Evidence):
    """Two checkpoints of one origin, both signed, that no one log can have.

    `root` is the root at the older one's size according to the newer one, which `consistency`
    proves; where both sizes are equal there is no need of it: `root` is None, `consistency` empty.
    """

    kind: ClassVar[str] = "equivocation"
    names: ClassVar[tuple[str, ...]] = ("Older", "Newer", "Root", "Consistency")

    older: bytes
    newer: bytes
    root: bytes | None
    consistency: tuple[bytes, ...]

    def format_fields(self) -> Sequence[str]:
        """Return notes, root and proof as JSON."""
        return (
            format_bytes_as_text(self.older),
            format_bytes_as_text(self.newer),
            "null" if self.root is None else f'"{format_base64(self.root)}"',
            format_hashes(self.consistency),
        )

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        root = fields["Root"]
        return cls(
            frame,
            older=read_text_as_bytes(fields["Older"], "Older"),
            newer=read_text_as_bytes(fields["Newer"], "Newer"),
            root=None if root is None else read_digest(root, "Root"),
            consistency=read_hashes(fields["Consistency"], "Consistency", BOUNDS.file_proof),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Open both; the older one's root must not be what the newer one makes of its size."""
        older = open_signed(self.older, key, "Older")
        newer = open_signed(self.newer, key, "Newer")
        if older.size > newer.size:
            raise shows_nothing(f"Older has the size {older.size}, Newer {newer.size}")
        if older.size == newer.size:
            if self.root is not None or self.consistency:
                raise shows_nothing("two checkpoints of one size need no consistency proof")
            root = newer.root
        else:
            if self.root is None:
                raise shows_nothing("the root at the older size is missing")
            root = self.root
            verify_consistency(older.size, root, newer.size, newer.root, list(self.consistency))
        if root == older.root:
            raise shows_nothing("both checkpoints are of one log")
        sentence = (
            f"{older.origin} signed the root {older.root.hex()} at size {older.size}, and"
            f" {'' if older.size == newer.size else f'a checkpoint of size {newer.size} with '}"
            f"the root {root.hex()} there: it showed two histories"
        )
        return self.found_that(sentence, signed=True)


@dataclass(frozen=True, slots=True)
class Signature(Evidence):
    """What was served as a checkpoint of the origin and is not signed by its key."""

    kind: ClassVar[str] = "signature"
    names: ClassVar[tuple[str, ...]] = ("Note",)

    note: bytes

    def format_fields(self) -> Sequence[str]:
        """Return the note in base64: it may be anything."""
        return (f'"{format_base64(self.note)}"',)

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        return cls(frame, note=read_bytes(fields["Note"], "Note"))

    def judge(self, key: VerifierKey) -> Finding:
        """Fail to open the note."""
        try:
            checkpoint = open_signed(self.note, key, "Note")
        except VerificationError as error:
            why = error.message
        else:
            raise shows_nothing(f"the key signed it, for size {checkpoint.size}")
        sentence = (
            f"what was served as a checkpoint of {self.frame.origin} is not signed by its key"
            f" ({why}); who served it, nobody signed"
        )
        return self.found_that(sentence, signed=False)


@dataclass(frozen=True, slots=True)
class Lag(Evidence):
    """An old checkpoint that was served although a newer one was published; both are signed."""

    kind: ClassVar[str] = "lag"
    names: ClassVar[tuple[str, ...]] = ("Ahead", "Behind")

    ahead: bytes
    behind: bytes

    def format_fields(self) -> Sequence[str]:
        """Return both notes as JSON."""
        return format_bytes_as_text(self.ahead), format_bytes_as_text(self.behind)

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        return cls(
            frame,
            ahead=read_text_as_bytes(fields["Ahead"], "Ahead"),
            behind=read_text_as_bytes(fields["Behind"], "Behind"),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Open both and compare their sizes."""
        ahead = open_signed(self.ahead, key, "Ahead")
        behind = open_signed(self.behind, key, "Behind")
        if behind.size >= ahead.size:
            raise shows_nothing(f"Behind has the size {behind.size}, Ahead {ahead.size}")
        less = ahead.size - behind.size
        sentence = (
            f"{ahead.origin} signed size {ahead.size}, and {behind.size} was served,"
            f" {less} {'version' if less == 1 else 'versions'} less; that it was served at"
            f" {_format_time(self.frame.when_s)}, nobody signed"
        )
        return self.found_that(sentence, signed=False)


def _format_time(when_s: int) -> str:
    """Return a time as people read it, in UTC; one that no calendar has as its seconds."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when_s))
    except (OverflowError, OSError, ValueError):
        return f"{when_s} (unix seconds)"


def origin_of(note: bytes) -> str:
    """Return the origin that a note says it is of, verified by nobody; "" where it says none."""
    try:
        return read_checkpoint(note).origin
    except VerificationError:
        return ""
