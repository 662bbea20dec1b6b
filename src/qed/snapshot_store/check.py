"""Check a store that is not running: everything that opening does, and what is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qed.client.evidence import verify_evidence
from qed.errors import VerificationError
from qed.signing.checkpoint import open_checkpoint
from qed.signing.note import format_verifier_key
from qed.signing.policy import policy_of_key
from qed.snapshot_store import rows
from qed.snapshot_store.state import Progress
from qed.snapshot_store.store import Store


@dataclass(frozen=True, slots=True)
class Report:
    """What a store in order holds."""

    key: str  # the log's verifier key in note form
    origin: str
    snapshots: int
    published_size: int
    root: bytes  # over all snapshots
    alerts: int
    conflicts: int
    evidence: int


def check_store(path: Path, progress: Progress | None = None) -> Report:
    """Return what a store holds once every root, note, signature and evidence file was verified.

    Raises: NotFoundError without a store there, LockedError when it runs, DamagedError with the
    name of the first row that is wrong.
    """
    with Store.open(path, progress=progress) as store:
        policy = policy_of_key(store.key)
        names = store.alerts.evidence_names()
        for name in names:
            try:
                verify_evidence(store.alerts.evidence(name), policy)
            except VerificationError as error:
                raise rows.damaged(f"evidence/{name}", f"shows nothing: {error.message}") from error
        for note, _ in store.conflicting():
            try:
                open_checkpoint(note, store.key)
            except VerificationError as error:
                raise rows.damaged(
                    "conflicts", f"hold an unsigned note: {error.message}"
                ) from error
        store.verify_signatures()
        published = store.published()
        return Report(
            key=format_verifier_key(store.key),
            origin=store.key.name,
            snapshots=store.count,
            published_size=published.size if published else 0,
            root=store.root,
            alerts=len(store.alerts.listed()),
            conflicts=len(store.conflicting()),
            evidence=len(names),
        )
