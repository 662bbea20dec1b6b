"""Evidence about the map: signed leaves that it lacks, and answers that do not verify."""

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
from qed.client.receipt_text import ABSENT, LOGGED, NEWEST
from qed.client.receipts import Verified, verify_under_key
from qed.client.verify_answers import (
    history_root,
    hyper_root,
    roots_needed,
    verify_membership_answer,
)
from qed.errors import MalformedError, NotProvenError, VerificationError
from qed.signing.note import VerifierKey
from qed.trees.values import MembershipProof
from qed.trees.verify import Root
from qed.wire.fields import (
    format_base64,
    read_bytes,
    read_digest,
    read_exact,
    read_list,
    read_u64,
)
from qed.wire.proofs import decode_membership, format_membership, read_membership

_MAX_RECEIPTS = 2  # of the hyper digest and of the history digest


@dataclass(frozen=True, slots=True)
class Absence(Evidence):
    """A leaf with a digest, and a map of the same version or later that says it is absent."""

    kind: ClassVar[str] = "absence"
    names: ClassVar[tuple[str, ...]] = ("Logged", "Absent")

    logged: bytes
    absent: bytes

    def format_fields(self) -> Sequence[str]:
        """Return both receipts as JSON."""
        return format_bytes_as_text(self.logged), format_bytes_as_text(self.absent)

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        return cls(
            frame,
            logged=read_text_as_bytes(fields["Logged"], "Logged"),
            absent=read_text_as_bytes(fields["Absent"], "Absent"),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Verify both receipts for one digest and compare their versions."""
        logged = _verify_receipt(self.logged, key, "Logged", LOGGED)
        absent = _verify_receipt(self.absent, key, "Absent", ABSENT, logged.digest)
        if absent.current < logged.current:
            raise shows_nothing(
                f"it is logged at version {logged.current}, and absent as of {absent.current}"
            )
        sentence = (
            f"{logged.origin} signed the event {logged.digest.hex()} as version {logged.current},"
            f" and a map of version {absent.current} that lacks it"
        )
        return self.found_that(sentence, signed=True)


@dataclass(frozen=True, slots=True)
class Outdated(Evidence):
    """A leaf with a digest, and a map of the same version or later that knows only an older one.

    `earlier` is the receipt of the leaf that the map knows: its hyper digest must be another one
    than that of `logged`, else both lie in one group, where the first of equal events counts.
    """

    kind: ClassVar[str] = "outdated"
    names: ClassVar[tuple[str, ...]] = ("Logged", "Newest", "Earlier")

    logged: bytes
    newest: bytes
    earlier: bytes

    def format_fields(self) -> Sequence[str]:
        """Return the three receipts as JSON."""
        return tuple(map(format_bytes_as_text, (self.logged, self.newest, self.earlier)))

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        return cls(
            frame,
            logged=read_text_as_bytes(fields["Logged"], "Logged"),
            newest=read_text_as_bytes(fields["Newest"], "Newest"),
            earlier=read_text_as_bytes(fields["Earlier"], "Earlier"),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Verify the receipts for one digest and compare their versions and groups."""
        logged = _verify_receipt(self.logged, key, "Logged", LOGGED)
        newest = _verify_receipt(self.newest, key, "Newest", NEWEST, logged.digest)
        earlier = _verify_receipt(self.earlier, key, "Earlier", LOGGED, logged.digest)
        known = newest.version
        if known is None or known >= logged.current or newest.current < logged.current:
            raise shows_nothing(f"the map of {newest.current} knows version {known}")
        if earlier.current != known:
            raise shows_nothing(f"Earlier is of version {earlier.current}, not of {known}")
        if earlier.snapshot.hyper_digest == logged.snapshot.hyper_digest:
            raise shows_nothing("both versions lie in one group, where the first counts")
        sentence = (
            f"{logged.origin} signed the event {logged.digest.hex()} as version {logged.current},"
            f" and a map of version {newest.current} that knows only its version {known}"
        )
        return self.found_that(sentence, signed=True)


@dataclass(frozen=True, slots=True)
class FalseAnswer(Evidence):
    """An answer that does not verify against the signed snapshots that it speaks of.

    `receipts` are of the kind `logged`: of the current version, and of the smaller of it and the
    version asked for where that is another one. An answer that does not even parse is kept as the
    bytes that came, and with one receipt: of the event that was asked about.
    """

    kind: ClassVar[str] = "answer"
    names: ClassVar[tuple[str, ...]] = ("Question", "Answer", "Receipts")

    digest: bytes
    version: int | None
    answer: MembershipProof | bytes
    receipts: tuple[bytes, ...]

    def format_fields(self) -> Sequence[str]:
        """Return question, answer and receipts as JSON."""
        version = "null" if self.version is None else str(self.version)
        if isinstance(self.answer, bytes):
            answer = f'"{format_base64(self.answer)}"'
        else:
            answer = format_membership(self.answer)
        return (
            f'{{"KeyDigest":"{format_base64(self.digest)}","Version":{version}}}',
            answer,
            "[" + ",".join(map(format_bytes_as_text, self.receipts)) + "]",
        )

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        question = read_exact(fields["Question"], "Question", ("KeyDigest", "Version"))
        version, answer = question["Version"], fields["Answer"]
        receipts = read_list(fields["Receipts"], "Receipts")
        if len(receipts) > _MAX_RECEIPTS:
            raise MalformedError(f"Receipts has {len(receipts)}, more than {_MAX_RECEIPTS}")
        return cls(
            frame,
            digest=read_digest(question["KeyDigest"], "KeyDigest"),
            version=None if version is None else read_u64(version, "Version"),
            answer=(
                read_bytes(answer, "Answer") if isinstance(answer, str) else read_membership(answer)
            ),
            receipts=tuple(read_text_as_bytes(receipt, "a receipt") for receipt in receipts),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Verify the snapshots, then fail to verify the answer against them."""
        if isinstance(self.answer, bytes):
            return self._judge_unreadable(self.answer, key)
        hyper, history = self._trusted_roots(key, self.answer)
        try:
            verify_membership_answer(
                self.answer,
                digest=self.digest,
                version=self.version,
                hyper=hyper,
                history=history,
            )
        except VerificationError as error:
            why = error.message
        else:
            raise shows_nothing("the answer is right")
        sentence = (
            f"an answer about the event {self.digest.hex()} is false against snapshots that"
            f" {self.frame.origin} signed ({why}); the answer itself, nobody signed"
        )
        return self.found_that(sentence, signed=False)

    def _judge_unreadable(self, body: bytes, key: VerifierKey) -> Finding:
        """Verify that the event is logged, then fail to read the answer about it."""
        if len(self.receipts) != 1:
            raise shows_nothing("an answer that cannot be read has one receipt, of its event")
        logged = _verify_receipt(self.receipts[0], key, "Receipts", LOGGED, self.digest)
        try:
            decode_membership(body)
        except MalformedError as error:
            why = error.message
        else:
            raise shows_nothing("the answer can be read, and is kept as bytes")
        sentence = (
            f"an answer about the event {self.digest.hex()}, which {self.frame.origin} signed as"
            f" version {logged.current}, is none ({why}); the answer itself, nobody signed"
        )
        return self.found_that(sentence, signed=False)

    def _trusted_roots(self, key: VerifierKey, answer: MembershipProof) -> tuple[Root, Root | None]:
        """Return the digests that the answer is judged by, out of the receipts."""
        leaves = {}
        for receipt in self.receipts:
            leaf = _verify_receipt(receipt, key, "Receipts", LOGGED).snapshot
            leaves[leaf.version] = leaf
        try:
            needed = roots_needed(answer)
        except NotProvenError as error:
            raise shows_nothing(error.message) from error
        version = needed.history_version
        wanted = {needed.hyper_version} | (set() if version is None else {version})
        if wanted != set(leaves):
            raise shows_nothing(f"its receipts are not those of the versions {sorted(wanted)}")
        hyper = hyper_root(leaves[needed.hyper_version])
        return hyper, None if version is None else history_root(leaves[version])


def _verify_receipt(
    receipt: bytes, key: VerifierKey, name: str, kind: str, digest: bytes | None = None
) -> Verified:
    """Return what a receipt in the field `name` proves under the key, whatever any quorum."""
    try:
        return verify_under_key(receipt, key, kind=kind, digest=digest)
    except VerificationError as error:
        raise VerificationError(f"{name}: {error.message}", step=name.lower()) from error
