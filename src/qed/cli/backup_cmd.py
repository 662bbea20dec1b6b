"""`qed backup`: make, list and delete backups through a server's management port."""

from __future__ import annotations

import click

from qed.cli import client_flags, forms, output, values
from qed.cli.documents import backups_document
from qed.cli.groups import Group, flag, shared
from qed.client.refusals import one_line

_HELP = """Make, list and delete backups of a running server, through its management port.

\b
  qed backup create
  qed backup list
  qed backup delete --backup-id 1

To bring one back: qed restore.
"""

backup = Group(
    "backup",
    help=_HELP,
    flags=[
        shared(
            "--endpoint",
            type=values.URL,
            default="http://127.0.0.1:8700",
            help="The management port.",
        ),
        shared("--api-key", type=values.TEXT, default="my-key", help="Sent with every request."),
        shared(
            "--insecure",
            type=values.BOOL,
            default=False,
            help="Take a server's certificate unchecked.",
        ),
        shared(
            "--timeout",
            type=values.DURATION,
            default=0.0,
            show_default="none",
            help="Time for one answer; a large backup takes long.",
        ),
    ],
)


@backup.command("create", help="Make a backup while the server keeps running.")
@click.pass_context
def create(ctx: click.Context) -> None:
    """Make a backup and say so."""
    with client_flags.open_management_client(ctx) as client:
        client.create_backup()
    if output.wants_json(ctx):
        output.emit_document({"Created": True})
    else:
        output.emit(forms.BACKUP_CREATED)


@backup.command("list", help="List the backups: id, local time, last version, size, files.")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Print every backup that there is; what is wrong with one goes to standard error."""
    with client_flags.open_management_client(ctx) as client:
        entries = client.backups()
    if output.wants_json(ctx):
        output.emit_document(backups_document(entries))
    else:
        output.emit(forms.format_backups(entries))
    for entry in entries:
        if entry.problem:
            output.remark(f"Problem: {one_line(entry.problem)}")


@backup.command("delete", help="Delete a backup; what others need of it stays.")
@flag("--backup-id", type=click.IntRange(1, 2**32 - 1), required=True, help="Id in the list.")
@click.pass_context
def delete(ctx: click.Context, backup_id: int) -> None:
    """Delete a backup and say so."""
    with client_flags.open_management_client(ctx) as client:
        client.delete_backup(backup_id)
    if output.wants_json(ctx):
        output.emit_document({"Deleted": backup_id})
    else:
        output.emit(forms.BACKUP_DELETED)
