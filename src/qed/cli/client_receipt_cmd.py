"""`qed client receipt`: a file that proves offline that an event is in the log, or is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qed.cli import blinding, client_flags, output, values
from qed.cli.events import name_event
from qed.cli.groups import Command, flag
from qed.cli.verify_files import format_document, receipt_document
from qed.client.receipt_text import ABSENT, KINDS, LOGGED
from qed.client.receipts import Verified
from qed.client.saved import write_proof_file

STANDARD_OUTPUT = Path("-")

_HELP = """Get a receipt: a file that proves offline what the log says about an event.

logged: the event is in the log, at its newest version or at --version. newest: which version is its
newest one, as of now. absent: it is in no version up to now. `qed verify` verifies the file with
the log's key alone, and so can anybody else (docs/receipts.md).

The receipt is verified before it is written. It waits for a checkpoint that covers the version, at
most --timeout. The log is read from the snapshot store (or with --from-server from the log server).

\b
  qed client receipt --event 'event 0'
  qed client receipt --event 'event 0' --kind newest -o event0.tlog-proof
  qed client receipt --event 'never added' --kind absent --from-server
  qed client receipt --event-digest 5bee...561b -o - | ssh archive 'cat > event0.tlog-proof'
"""


@click.command(
    "receipt", cls=Command, help=_HELP, short_help="A proof of an event that needs no server."
)
@flag("--event", type=values.TEXT, help="The event itself; only its digest is sent.")
@flag("--event-file", type=values.TEXT, metavar="F", help="A file that holds it; - is the input.")
@flag("--event-digest", type=values.DIGEST, help="Its SHA-256, or its blinded digest.")
@flag("--kind", type=click.Choice(KINDS), default=LOGGED, help="What the receipt is to show.")
@flag("--version", type=values.VERSION, help="logged: which version; the newest one without.")
@flag("-o", "--output", type=values.PATH, metavar="F", help="Where to; - is standard output.")
@blinding.blinding_flags("The salt that the event was added with.")
@click.pass_context
def receipt(ctx: click.Context, /, **flags: Any) -> None:
    """Ask, wait, verify, write and print, in this order."""
    kind: str = flags["kind"]
    if flags["version"] is not None and kind != LOGGED:
        raise click.UsageError(f"--version only with --kind {LOGGED}: {kind} is as of now", ctx)
    to_output = flags["output"] == STANDARD_OUTPUT
    if to_output and output.wants_json(ctx):
        raise click.UsageError("-o - and --json both want standard output: say one", ctx)
    blinding.check_flags(ctx, flags)
    named = name_event(
        ctx, event=flags["event"], event_file=flags["event_file"], digest=flags["event_digest"]
    )
    blinded = blinding.blind_to_ask(ctx, named, flags)
    if blinded is not None:
        named = blinded.event
        if blinded.salt_file is not None and kind == ABSENT:
            raise click.UsageError(
                "under a salt of its own every event is absent: --blind proves no absence", ctx
            )
    with client_flags.open_client(ctx, pinned=True) as client:
        data, found = client.receipt(digest=named.digest, kind=kind, version=flags["version"])
    if blinded is not None:
        blinding.remark_meaning(blinded, exists=kind != ABSENT)
    if to_output:
        output.emit(data)
        return
    path: Path = flags["output"] or default_path(found)
    write_proof_file(path, data)
    # Stop here: the file is there, whole and verified; nothing else changed anywhere.
    document = {"File": str(path), **receipt_document(found)}
    if output.wants_json(ctx):
        more = {} if blinded is None else blinded.fields
        output.emit_document(document | more)
    else:
        output.emit(format_document(document))


def default_path(found: Verified) -> Path:
    """Return a name that says event, kind and version, in the current directory."""
    return Path(f"{found.digest.hex()[:16]}-{found.kind}-{found.current}.tlog-proof")
