"""`qed verify`: verify a saved proof against given digests, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import click

from qed.cli import forms, output, values, verification
from qed.cli.documents import incremental_document, membership_document
from qed.cli.groups import Command, flag
from qed.client.saved import SavedMembership, read_saved

_HELP = """Verify a proof that --save of `qed client membership` or `qed client incremental` kept.

Nothing is asked of a server. The digests come from snapshots that you trust: the hyper digest of
the answer's current version and the history digest of the version asked for, or for an incremental
proof the history digests of both versions.

\b
  qed verify event0.proof --hyper-digest 6a05...a0cb --history-digest b8fd...1846
  qed verify growth.proof --start-digest b8fd...1846 --end-digest 4f95...db13
"""


@click.command("verify", cls=Command, help=_HELP)
@click.argument("file", type=values.PATH)
@flag("--hyper-digest", type=values.DIGEST, help="Hyper digest of the current version.")
@flag("--history-digest", type=values.DIGEST, help="History digest of the version asked for.")
@flag("--start-digest", type=values.DIGEST, help="History digest of the earlier version.")
@flag("--end-digest", type=values.DIGEST, help="History digest of the later version.")
@click.pass_context
def verify(ctx: click.Context, /, file: Path, **digests: Any) -> None:
    """Read the file, print what it answers, verify it."""
    saved = read_saved(file)
    printed = not output.wants_json(ctx)

    def ask(prompt: str, missing: str) -> NoReturn:
        version = prompt.partition("[ ")[2].partition(" ]")[0]
        raise click.UsageError(f"this proof needs {missing}, of version {version}", ctx)

    if isinstance(saved, SavedMembership):
        _refuse_foreign(ctx, digests, ("start_digest", "end_digest"), "a membership proof")
        if printed:
            output.emit(forms.format_membership(saved.proof))
        verification.check_membership(
            ctx,
            saved,
            hyper_digest=digests["hyper_digest"],
            history_digest=digests["history_digest"],
            ask=ask,
        )
        document = membership_document(saved.proof, verified=True)
    else:
        _refuse_foreign(ctx, digests, ("hyper_digest", "history_digest"), "an incremental proof")
        if printed:
            output.emit(forms.format_incremental(saved.proof))
        verification.check_incremental(
            ctx,
            saved,
            start_digest=digests["start_digest"],
            end_digest=digests["end_digest"],
            ask=ask,
        )
        document = incremental_document(saved.proof, verified=True)
    if not printed:
        output.emit_document(document)


def _refuse_foreign(
    ctx: click.Context, digests: dict[str, Any], names: tuple[str, ...], kind: str
) -> None:
    """Refuse digests that the proof in the file has no use for."""
    for name in names:
        if digests[name] is not None:
            spelled = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"the file holds {kind}, which has no use for {spelled}", ctx)
