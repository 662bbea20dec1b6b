"""`qed client incremental`: ask for the proof that one version extends another, and verify it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from qed.cli import client_flags, forms, output, prompts, values, verification
from qed.cli.documents import incremental_document
from qed.cli.groups import Command, flag
from qed.client.saved import SavedIncremental, write_saved

_HELP = """Ask for the proof that the log of one version begins with the log of another.

With --verify it is checked against the history digests of both versions, as their snapshots have
them; what is not given as a flag is asked for. With --auto-verify published snapshots are taken,
as `qed client get` takes them.

\b
  qed client incremental --start 0 --end 3
  qed client incremental --start 0 --end 3 --verify
  qed client incremental --start 0 --end 3 --auto-verify
"""


@click.command("incremental", cls=Command, help=_HELP, short_help="Was nothing changed between?")
@flag("--start", type=values.VERSION, required=True, help="The earlier version.")
@flag("--end", type=values.VERSION, required=True, help="The later version.")
@flag("--verify", type=values.BOOL, default=False, help="Check the answer.")
@flag("--start-digest", type=values.DIGEST, help="History digest of the earlier version.")
@flag("--end-digest", type=values.DIGEST, help="History digest of the later version.")
@flag("--auto-verify", type=values.BOOL, default=False, help="Check it by published snapshots.")
@flag("--save", type=values.PATH, help="Keep the answer for `qed verify`.")
@click.pass_context
def incremental(ctx: click.Context, /, start: int, end: int, verify: bool, **flags: Any) -> None:  # noqa: FBT001 - click passes by name
    """Ask, print, keep and verify, in this order."""
    client_flags.refuse_two_ways_to_verify(ctx)
    client_flags.refuse_unverified_digests(ctx, "start_digest", "end_digest")
    if start > end:
        raise click.UsageError(f"--start {start} is after --end {end}", ctx)
    printed = not output.wants_json(ctx)
    if printed:
        output.emit(forms.format_incremental_query(start, end))
    with client_flags.open_client(ctx, pinned=flags["auto_verify"]) as client:
        proof = client.incremental(start, end)
        if printed:
            output.emit(forms.format_incremental(proof))
        saved = SavedIncremental(start, end, proof)
        save: Path | None = flags["save"]
        if save is not None:
            write_saved(save, saved)
        if verify:
            verification.check_incremental(
                ctx,
                saved,
                start_digest=flags["start_digest"],
                end_digest=flags["end_digest"],
                ask=partial(prompts.ask_digest, ctx),
            )
        elif flags["auto_verify"]:
            verification.auto_check_incremental(ctx, saved, client.get)
    if not printed:
        verified = verify or flags["auto_verify"]
        output.emit_document(incremental_document(proof, verified=verified))
