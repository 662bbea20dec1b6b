"""`qed client membership`: ask whether an event is in the log, and verify the answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from qed.cli import blinding, client_flags, forms, output, prompts, values, verification
from qed.cli.documents import membership_document
from qed.cli.events import name_event
from qed.cli.groups import Command, flag
from qed.client.saved import SavedMembership, write_saved
from qed.client.sync_client import Client

_HELP = """Ask whether an event is in the log, as of a version or now.

Only the event's digest is sent. With --verify the answer is checked against digests that you bring:
the hyper digest of the current version, and the history digest of the version asked for (of the
current version when the event is absent). They stand in the snapshots that adding printed; what is
not given as a flag is asked for. With --auto-verify published snapshots are taken, as `qed client
get` takes them: presence and absence are both verified, and a current version that is not published
yet is waited for within --timeout.

An event that was added blinded is asked about with the same salt or key.

\b
  qed client membership --event 'event 0'
  qed client membership --event 'event 0' --version 3 --verify
  qed client membership --event 'event 0' --auto-verify
  qed client membership --event 'Smith: approved' --blind --salt-file smith.salt
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
@flag("--auto-verify", type=values.BOOL, default=False, help="Check it by published snapshots.")
@flag("--save", type=values.PATH, help="Keep question and answer for `qed verify`.")
@blinding.blinding_flags("The salt that the event was added with.")
@click.pass_context
def membership(ctx: click.Context, /, **flags: Any) -> None:
    """Ask, print, keep and verify, in this order."""
    client_flags.refuse_two_ways_to_verify(ctx)
    client_flags.refuse_unverified_digests(ctx, "hyper_digest", "history_digest")
    blinding.check_flags(ctx, flags)
    named = name_event(
        ctx, event=flags["event"], event_file=flags["event_file"], digest=flags["event_digest"]
    )
    blinded = blinding.blind_to_ask(ctx, named, flags)
    if blinded is not None:
        named = blinded.event
    version: int | None = flags["version"]
    printed = not output.wants_json(ctx)
    if printed:
        output.emit(forms.format_membership_query(named.text, named.digest, version))
    with client_flags.open_client(ctx, pinned=flags["auto_verify"]) as client:
        proof = client.membership(digest=named.digest, version=version)
        if printed:
            output.emit(forms.format_membership(proof))
        if blinded is not None:
            blinding.remark_meaning(blinded, exists=proof.exists)
        saved = SavedMembership(named.digest, version, proof)
        save: Path | None = flags["save"]
        if save is not None:
            write_saved(save, saved)
        _verify(ctx, client, saved, flags)
    if not printed:
        verified = flags["verify"] or flags["auto_verify"]
        more = {} if blinded is None else blinded.fields
        output.emit_document(membership_document(proof, verified=verified) | more)


def _verify(
    ctx: click.Context, client: Client, saved: SavedMembership, flags: dict[str, Any]
) -> None:
    """Verify the answer in the way that the flags say, if they say one."""
    if flags["verify"]:
        verification.check_membership(
            ctx,
            saved,
            hyper_digest=flags["hyper_digest"],
            history_digest=flags["history_digest"],
            ask=partial(prompts.ask_digest, ctx),
        )
    elif flags["auto_verify"]:
        verification.auto_check_membership(ctx, saved, client.get)
