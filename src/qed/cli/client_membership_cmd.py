"""`qed client membership`: ask whether an event is in the log, and verify the answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from qed.cli import client_flags, forms, output, prompts, values, verification
from qed.cli.documents import membership_document
from qed.cli.events import name_event
from qed.cli.groups import Command, flag
from qed.client.saved import SavedMembership, write_saved

_HELP = """Ask whether an event is in the log, as of a version or now.

Only the event's digest is sent. With --verify the answer is checked against digests that you bring:
the hyper digest of the current version, and the history digest of the version asked for (of the
current version when the event is absent). They stand in the snapshots that adding printed; what is
not given as a flag is asked for.

\b
  qed client membership --event 'event 0'
  qed client membership --event 'event 0' --version 3 --verify
  qed client membership --event-digest 5bee...561b --save event0.proof
"""


@click.command("membership", cls=Command, help=_HELP, short_help="Is an event in the log?")
@flag("--event", type=values.TEXT, help="The event itself.")
@flag("--event-file", type=values.TEXT, metavar="F", help="A file that holds it; - is the input.")
@flag("--event-digest", type=values.DIGEST, help="Its SHA-256.")
@flag("--version", type=values.VERSION, help="As of this version; the latest without.")
@flag("--verify", type=values.BOOL, default=False, help="Check the answer.")
@flag("--hyper-digest", type=values.DIGEST, help="Hyper digest of the current version.")
@flag("--history-digest", type=values.DIGEST, help="History digest of the version asked for.")
@flag("--auto-verify", type=values.BOOL, default=False, help="Not in this version: see --verify.")
@flag("--save", type=values.PATH, help="Keep question and answer for `qed verify`.")
@click.pass_context
def membership(ctx: click.Context, /, **flags: Any) -> None:
    """Ask, print, keep and verify, in this order."""
    verify: bool = flags["verify"]
    client_flags.refuse_auto_verify(ctx, asked=flags["auto_verify"])
    client_flags.refuse_unverified_digests(ctx, "hyper_digest", "history_digest")
    named = name_event(
        ctx, event=flags["event"], event_file=flags["event_file"], digest=flags["event_digest"]
    )
    version: int | None = flags["version"]
    printed = not output.wants_json(ctx)
    if printed:
        output.emit(forms.format_membership_query(named.text, named.digest, version))
    with client_flags.open_client(ctx) as client:
        proof = client.membership(digest=named.digest, version=version)
    if printed:
        output.emit(forms.format_membership(proof))
    saved = SavedMembership(named.digest, version, proof)
    save: Path | None = flags["save"]
    if save is not None:
        write_saved(save, saved)
    if verify:
        verification.check_membership(
            ctx,
            saved,
            hyper_digest=flags["hyper_digest"],
            history_digest=flags["history_digest"],
            ask=partial(prompts.ask_digest, ctx),
        )
    if not printed:
        output.emit_document(membership_document(proof, verified=verify))
