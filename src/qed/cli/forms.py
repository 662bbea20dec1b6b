"""What is printed, byte for byte, as QED's manual shows it: scripts read labels and values.

Every function returns the text of one form and does nothing else. Source: SPEC 8.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from qed.trees.values import IncrementalProof, MembershipProof, Snapshot
from qed.wire import BackupEntry

GIB = 1024**3


def format_snapshot(snapshot: Snapshot) -> str:
    """Return what `client add` prints."""
    return _format_snapshot("Received", snapshot)


def format_published(snapshot: Snapshot) -> str:
    """Return what `client get` prints."""
    return _format_snapshot("Retrieved", snapshot)


def _format_snapshot(how: str, snapshot: Snapshot) -> str:
    return (
        f"\n{how} snapshot with values:\n\n"
        f"    EventDigest: {snapshot.event_digest.hex()}\n"
        f"    HyperDigest: {snapshot.hyper_digest.hex()}\n"
        f"    HistoryDigest: {snapshot.history_digest.hex()}\n"
        f"    Version: {snapshot.version}\n\n"
    )


def format_membership_query(event: str | None, digest: bytes, version: int | None) -> bytes:
    """Return the line that `client membership` prints before it asks.

    The event is shown as it was written, whatever its bytes; without one, its digest.
    """
    asked = f"digest [ {digest.hex()} ]" if event is None else f"key [ {event} ]"
    return os.fsencode(f"\nQuerying {asked} with {_format_version(version)}\n")


def _format_version(version: int | None) -> str:
    return "latest version" if version is None else f"version [ {version} ]"


def format_membership(proof: MembershipProof) -> str:
    """Return what `client membership` prints of an answer, for or against."""
    return (
        "\nReceived membership proof:\n\n"
        f"    Exists: {'true' if proof.exists else 'false'}\n"
        "    Hyper audit path: <TRUNCATED>\n"
        "    History audit path: <TRUNCATED>\n"
        f"    CurrentVersion: {proof.current_version}\n"
        f"    QueryVersion: {proof.query_version}\n"
        f"    ActualVersion: {proof.actual_version}\n"
        f"    KeyDigest: {proof.key_digest.hex()}\n\n"
    )


def ask_hyper_digest(version: int) -> str:
    """Return the prompt for the hyper digest of the current version."""
    return f"Please, provide the hyperDigest for current version [ {version} ]: "


def ask_history_digest(version: int) -> str:
    """Return the prompt for the history digest."""
    return f"Please, provide the historyDigest for version [ {version} ] : "


def format_membership_check(
    event_digest: bytes, hyper_digest: bytes, history_digest: bytes, version: int
) -> str:
    """Return what `--verify` prints before its verdict; no history digest is shown as nothing."""
    return (
        "\nVerifying event with:\n\n"
        f"    EventDigest: {event_digest.hex()}\n"
        f"    HyperDigest: {hyper_digest.hex()}\n"
        f"    HistoryDigest: {history_digest.hex()}\n"
        f"    Version: {version}\n"
    )


def format_auto_membership_check(event_digest: bytes, version: int) -> str:
    """Return what `--auto-verify` prints before its verdict."""
    return (
        "\nAuto-Verifying event with:\n\n"
        f"    EventDigest: {event_digest.hex()}\n"
        f"    Version: {version}\n"
    )


def format_auto_incremental_check(start: int, end: int) -> str:
    """Return what `--auto-verify` of an incremental proof prints before its verdict."""
    return f"\nAuto-Verifying event with:\n\n    Start: {start}\n    End: {end}\n"


def format_verdict(*, good: bool) -> str:
    """Return the verdict of every verification."""
    return f"\nVerify: {'OK' if good else 'KO'}\n\n"


def format_incremental_query(start: int, end: int) -> str:
    """Return the line that `client incremental` prints before it asks."""
    return f"\nQuerying incremental between versions [ {start} ] and [ {end} ]\n"


def format_incremental(proof: IncrementalProof) -> str:
    """Return what `client incremental` prints of an answer."""
    return (
        "\nReceived incremental proof:\n\n"
        f"    Start version: {proof.start}\n"
        f"    End version: {proof.end}\n"
        "    Incremental audit path: <TRUNCATED>\n\n"
    )


def ask_start_digest(version: int) -> str:
    """Return the prompt for the history digest of the earlier version."""
    return f"Please, provide the starting historyDigest for version [ {version} ]: "


def ask_end_digest(version: int) -> str:
    """Return the prompt for the history digest of the later version."""
    return f"Please, provide the ending historyDigest for version [ {version} ] : "


def format_incremental_check(start: int, start_digest: bytes, end: int, end_digest: bytes) -> str:
    """Return what `--verify` of an incremental proof prints before its verdict."""
    return (
        "\nVerifying with snapshots:\n"
        f"    HistoryDigest for start version [ {start} ]: {start_digest.hex()}\n"
        f"    HistoryDigest for end version [ {end} ]: {end_digest.hex()}\n"
    )


def format_backups(entries: Sequence[BackupEntry]) -> str:
    """Return what `backup list` prints: local time, sizes in whole GiB, tabs between."""
    lines = (
        f"Id: {entry.id}\t"
        f"Timestamp: {_format_local(entry.timestamp_s)}\t"
        f"Version: {_format_line(entry.metadata)}\t"
        f"Size(GB): {entry.size_bytes // GIB}\t"
        f"Num.Files: {entry.num_files}\t \n"
        for entry in entries
    )
    return "Backup list:\n" + "".join(lines)


def _format_local(time_s: int) -> str:
    """Return local time; the bare seconds where no calendar reaches."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time_s))
    except (OverflowError, OSError, ValueError):
        return str(time_s)


def _format_line(text: str) -> str:
    """Return a text of another program such that it stays one field of one line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


BACKUP_CREATED = "Backup created!\n"
BACKUP_DELETED = "Backup deleted!\n"


def format_restored(backup_id: int | None) -> str:
    """Return what `restore` prints once it is done; None was "the latest"."""
    which = "latest backup" if backup_id is None else f"backup {backup_id}"
    return f"Restore from {which} completed!\n"
