"""`qed client add`: add one event."""

from __future__ import annotations

import click

from qed.cli import client_flags, forms, output, values
from qed.cli.documents import snapshot_document
from qed.cli.events import name_event
from qed.cli.groups import Command, flag

_HELP = """Add one event and print its snapshot.

The event is the bytes given, unchanged: nothing is trimmed or encoded again. Keep the snapshot:
its digests are what proofs are verified against.

\b
  qed client add --event 'event 0'
  qed client add --event-file picture.png
  printf 'event 1' | qed client add --event-file -
"""


@click.command("add", cls=Command, help=_HELP, short_help="Add one event.")
@flag("--event", type=values.TEXT, help="The event itself.")
@flag("--event-file", type=values.TEXT, metavar="F", help="A file that holds it; - is the input.")
@click.pass_context
def add(ctx: click.Context, event: str | None, event_file: str | None) -> None:
    """Add the event and print what came back."""
    named = name_event(ctx, event=event, event_file=event_file)
    assert named.body is not None  # noqa: S101 - there is no --event-digest here
    with client_flags.open_client(ctx) as client:
        snapshot = client.add(named.body)
    if output.wants_json(ctx):
        output.emit_document(snapshot_document(snapshot))
    else:
        output.emit(forms.format_snapshot(snapshot))
