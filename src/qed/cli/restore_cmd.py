"""`qed restore`: bring a database back from a backup, offline or under a running server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qed.cli import forms, output, values
from qed.cli.groups import Command, flag
from qed.cli.progress import progress_bar
from qed.cli.server_part import server_part

if TYPE_CHECKING:  # the engine is not part of a plain install
    from qed.backup.restore import Restored

MAX_BACKUP_ID = 2**32 - 1

_HELP = """Restore a backup into a database's directory.

Everything is verified before anything is touched. A server that runs on the directory goes on; it
serves the restored log from its next start. The database that was there is kept aside.

\b
  qed restore --backup-dir /var/tmp/qed0/db/backups --restore-path /var/tmp/qed0/db
  qed restore --backup-dir /mnt/backups --restore-path /var/tmp/qed0/db --backup-id 2
"""


@click.command("restore", cls=Command, help=_HELP)
@flag("--backup-dir", type=values.PATH, required=True, help="Where the backups lie.")
@flag("--restore-path", type=values.PATH, required=True, help="The database's directory.")
@flag(
    "--backup-id",
    type=click.IntRange(0, MAX_BACKUP_ID),
    default=0,
    show_default="the latest",
    help="Which one; 0 is the latest.",
)
@click.pass_context
def restore(ctx: click.Context, backup_dir: Path, restore_path: Path, backup_id: int) -> None:
    """Restore, and say where the database is that was there."""
    chosen = backup_id or None
    with server_part():
        from qed.backup.restore import restore_backup  # noqa: PLC0415 - not in a plain install
    with progress_bar("restoring", unit="bytes") as progress:
        restored = restore_backup(backup_dir, restore_path, chosen, progress=progress)
    if output.wants_json(ctx):
        output.emit_document(_document(restored))
    else:
        output.emit(forms.format_restored(chosen))
    for line in _remarks(restored):
        output.remark(line)


def _remarks(restored: Restored) -> list[str]:
    """Return what a person must know beside that it is done."""
    lines = [f"backup {restored.backup_id} holds the log up to version {restored.version_text}"]
    if not restored.manifest:
        lines.append("it was made by another program: its checksums hold, nothing vouches for it")
    if restored.swapped is None:
        lines.append(
            f"{restored.target} is in use: restart the server, and it will serve the restored log"
        )
        return lines
    if restored.kept_aside is not None:
        lost = restored.swapped.lost_versions
        lines.append(f"the database that was there is kept in {restored.kept_aside}")
        if lost is None:
            lines.append("it could not be opened, so nobody knows which of its versions are gone")
        elif lost:
            verb = "is" if lost == 1 else "are"
            lines.append(f"{lost} of its versions {verb} not in the restored log")
    return lines


def _document(restored: Restored) -> dict[str, object]:
    swapped = restored.swapped
    return {
        "BackupId": restored.backup_id,
        "Version": restored.version_text,
        "Manifest": restored.manifest,
        "RestorePath": str(restored.target),
        "Swapped": swapped is not None,
        "KeptAside": str(restored.kept_aside) if restored.kept_aside is not None else None,
        "LostVersions": swapped.lost_versions if swapped is not None else None,
    }
