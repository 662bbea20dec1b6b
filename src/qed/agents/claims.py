"""What somebody serves as a checkpoint, judged by what is trusted; what fails is told at once.

The one place where a failed check of a checkpoint becomes an alert with its evidence, for all
agents: the same lie has the same kind, whoever meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from qed import durable
from qed.agents.runtime import Station
from qed.client.evidence import decode_evidence, new_lag, new_signature, write_evidence
from qed.client.evidence_frame import Evidence
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.errors import ContradictionError, QedError, UnavailableError, VerificationError
from qed.signing.checkpoint import Checkpoint, read_checkpoint

MAX_FILES = 100  # of evidence of one kind in an agent's directory


def fetch(station: Station, source: Source, after: int | None = None, wait_s: float = 0) -> bytes:
    """Return the note that a source serves as its checkpoint, unread.

    Raises: as `Source.checkpoint`; an answer that can be none has been told then.
    """
    try:
        return source.checkpoint(after, wait_s)
    except VerificationError as error:
        station.alert("feed", source.name, error.message)
        raise


def check_signed(station: Station, trusted: Trusted, source: Source, note: bytes) -> Checkpoint:
    """Return what a note says, signed by the pinned key; nothing else is known of it.

    Raises:
        VerificationError: it is not; told as `signature`, with what was served as evidence.
    """
    try:
        return trusted.read(note)
    except VerificationError as error:
        evidence = new_signature(trusted.origin, note, found=f"{source.name} served it")
        tell(station, "signature", source.name, error.message, evidence)
        raise


def judge(
    station: Station,
    trusted: Trusted,
    source: Source,
    note: bytes,
    others: Sequence[Source] = (),
) -> Checkpoint:
    """Return the checkpoint of a note that agrees with the trusted one, whichever is larger.

    A larger one has become the trusted one. That a smaller one is a beginning of the trusted one is
    shown by hashes of the trusted tree, which a source that is behind does not have; they are asked
    of `others`, one after the other.

    Raises, after telling of it:
        VerificationError: it is not signed by the pinned key (alert `signature`), or the hashes
            that a place serves prove nothing (alert `feed` about that place).
        ContradictionError: two histories (alert `equivocation`, with evidence).
        UnavailableError: nobody has the proof for a smaller one; nothing is told.
    """
    found = check_signed(station, trusted, source, note)
    ahead = found.size >= trusted.size
    trouble: QedError | None = None
    for place in [source] if ahead else [*others, source]:
        try:
            return trusted.compare(note, place.read_nodes)
        except ContradictionError as error:
            tell(station, "equivocation", source.name, error.message, error.evidence)
            raise
        except VerificationError as error:
            place.forget()
            station.alert("feed", place.name, error.message)
            trouble = error
        except QedError as error:
            trouble = trouble or error
    assert trouble is not None  # noqa: S101 - there is at least one place
    if ahead or isinstance(trouble, VerificationError):
        raise trouble
    raise UnavailableError(
        f"no place has the proof that {found.size} versions of {source.name} are a beginning of"
        f" {trusted.size}: {trouble.message}"
    ) from trouble


def tell_rollback(station: Station, source: Source, ahead: bytes, behind: bytes) -> None:
    """Tell that a source serves fewer leaves than it did; both notes have been verified."""
    before, now = read_checkpoint(ahead).size, read_checkpoint(behind).size
    evidence = new_lag(ahead, behind, found=f"{source.name} served the newer one before the older")
    text = f"it served {before} versions and now serves {now}"
    tell(station, "rollback", source.name, text, evidence)


def tell(
    station: Station, kind: str, subject: str, text: str, evidence: Evidence | bytes = b""
) -> None:
    """Write the evidence, if there is any, and tell of it."""
    station.alert(kind, subject, text, _keep(station, evidence))


def _keep(station: Station, evidence: Evidence | bytes) -> Path | None:
    """Write a file of evidence; None where there is none, or enough of its kind.

    Whoever lies a thousand times in a minute would fill the disk with what one file shows. That no
    more is kept is said once, and again when some were moved away and their place is taken.
    """
    if not evidence:
        return None
    held = decode_evidence(evidence) if isinstance(evidence, bytes) else evidence
    directory, kind = station.evidence_path, held.kind
    names = [path.name for path in durable.list_directory(directory)]
    if sum(name.startswith(f"{kind}-") for name in names) >= MAX_FILES:
        if kind not in station.full_kinds:
            station.full_kinds.add(kind)
            structlog.get_logger().warning(
                "evidence is not kept: there is enough of its kind",
                kind=kind,
                files=MAX_FILES,
                hint="move what is in the directory away, and the next one is kept",
                path=str(directory),
            )
        return None
    station.full_kinds.discard(kind)
    return write_evidence(directory, held)
