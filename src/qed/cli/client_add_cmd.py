"""`qed client add`: add one event."""

from __future__ import annotations

from typing import Any

import click

from qed.cli import blinding, client_flags, forms, output, values
from qed.cli.documents import snapshot_document
from qed.cli.events import name_event
from qed.cli.groups import Command, flag

_HELP = """Add one event and print its snapshot.

The event is the bytes given, unchanged: nothing is trimmed or encoded again. Keep the snapshot:
its digests are what proofs are verified against.

The digest of an event that could be guessed tells which it is. With --blind it is an HMAC under a
salt of 32 random bytes, kept in a file of yours: it proves presence to whoever sees both, deleting
the file erases, and it can prove no absence. With --blind-key the same under one owner's key. Then
neither the event nor its plain digest leaves this machine.

\b
  qed client add --event 'event 0'
  qed client add --event-file picture.png
  printf 'event 1' | qed client add --event-file -
  qed client add --event 'Smith: approved' --blind --salt-file smith.salt
"""


@click.command("add", cls=Command, help=_HELP, short_help="Add one event.")
@flag("--event", type=values.TEXT, help="The event itself.")
@flag("--event-file", type=values.TEXT, metavar="F", help="A file that holds it; - is the input.")
@blinding.blinding_flags("Where the new salt is written; <digest>.salt without.")
@click.pass_context
def add(ctx: click.Context, /, **flags: Any) -> None:
    """Add the event and print what came back."""
    blinding.check_flags(ctx, flags)
    named = name_event(ctx, event=flags["event"], event_file=flags["event_file"])
    assert named.body is not None  # noqa: S101 - there is no --event-digest here
    with client_flags.open_client(ctx) as client:
        blinded = blinding.blind_to_add(ctx, named, flags)
        if blinded is None:
            snapshot = client.add(named.body)
        else:
            (snapshot,) = client.add_digests([blinded.event.digest])
    if blinded is not None and blinded.fingerprint:
        output.remark(f"blinded by the key with the fingerprint {blinded.fingerprint}")
    if output.wants_json(ctx):
        more = {} if blinded is None else blinded.fields
        output.emit_document(snapshot_document(snapshot) | more)
    else:
        output.emit(forms.format_snapshot(snapshot))
