"""`qed client get`: the published snapshot of a version."""

from __future__ import annotations

import click

from qed.cli import client_flags, forms, output, values
from qed.cli.documents import snapshot_document
from qed.cli.groups import Command, flag

_HELP = """Print the published snapshot of a version.

It is read from the snapshot store (or with --from-server from the log server) and believed only
when it lies under a checkpoint that the log's key has signed and that extends those seen before.
The key is --key, else the one of the pin, else the one that the server shows, which is said and
pinned. A version that is not published yet is waited for within --timeout.

\b
  qed client get --version 3
  qed client get --version 3 --from-server
  qed client get --version 3 --key log.vkey --snapshot-store-url http://store:8888
"""


@click.command("get", cls=Command, help=_HELP, short_help="The published snapshot of a version.")
@flag("--version", type=values.VERSION, required=True, help="Whose snapshot.")
@click.pass_context
def get(ctx: click.Context, version: int) -> None:
    """Fetch, authenticate and print."""
    with client_flags.open_client(ctx, pinned=True) as client:
        snapshot = client.get(version)
    if output.wants_json(ctx):
        output.emit_document(snapshot_document(snapshot))
    else:
        output.emit(forms.format_published(snapshot))
