"""`qed check`: recompute every root of a database from its events, and compare."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qed.cli import output, paths, values
from qed.cli.groups import Command, flag
from qed.cli.progress import progress_bar
from qed.cli.server_part import server_part
from qed.errors import QedError

if TYPE_CHECKING:  # the engine is not part of a plain install
    from qed.engine.check import Report

_HELP = """Recompute every root of a database from its events and compare it with every row.

Nothing is written, unless the derived index is to be made again. The database must not be in use.

\b
  qed check /var/tmp/qed0/db
  qed check --db-path /var/tmp/qed0/db --rebuild-index
"""


@click.command("check", cls=Command, help=_HELP)
@click.argument("path", type=values.PATH, required=False)
@flag("--db-path", type=values.PATH, help="The database, when it is not named as an argument.")
@flag("--rebuild-index", type=values.BOOL, default=False, help="Make the derived index again.")
@flag(
    "--cache-size",
    type=values.Size(values.MIB, values.TIB),
    show_default="1GiB",
    help="Memory for both trees; beyond it they are on disk while it runs.",
)
@click.pass_context
def check(
    ctx: click.Context,
    path: Path | None,
    db_path: Path | None,
    rebuild_index: bool,  # noqa: FBT001 - click passes by name
    cache_size: int | None,
) -> None:
    """Check the database and print what it holds."""
    if path is not None and db_path is not None and path != db_path:
        raise click.UsageError("say the path once: as an argument or with --db-path", ctx)
    with server_part():
        from qed.engine.check import CACHE_BYTES  # noqa: PLC0415 - not in a plain install
        from qed.engine.check import check as check_log  # noqa: PLC0415
    target = path or db_path or paths.default_db_path()
    _remark_pending(target)
    with progress_bar("checking", unit="events") as progress:
        report = check_log(
            target,
            rebuild_index=rebuild_index,
            progress=progress,
            cache_bytes=cache_size or CACHE_BYTES,
        )
    if output.wants_json(ctx):
        output.emit_document(_document(target, report))
    else:
        output.emit(_form(target, report))


def _remark_pending(path: Path) -> None:
    """Say that a restore waits: the next start will serve another log than the one checked."""
    from qed.backup.stage import read_commit  # noqa: PLC0415 - not in a plain install

    with contextlib.suppress(QedError):
        pending = read_commit(path)
        if pending is not None:
            output.remark(
                f"the restore of backup {pending.backup_id} into {path} is decided; "
                "the next start of a server finishes it"
            )


def _form(path: Path, report: Report) -> str:
    """Return what is printed of a database in order."""
    lines = [
        f"{path}: every root agrees with the events",
        f"    Events: {report.size}",
        f"    Groups: {report.groups}",
        f"    HyperDigest: {report.hyper_digest.hex()}",
        f"    HistoryDigest: {report.history_digest.hex()}",
        f"    Origin: {report.identity.origin}",
    ]
    if report.index_rebuilt:
        lines.append("The derived index was made again.")
    return "\n".join(lines) + "\n"


def _document(path: Path, report: Report) -> dict[str, object]:
    return {
        "Path": str(path),
        "Events": report.size,
        "Groups": report.groups,
        "HyperDigest": report.hyper_digest.hex(),
        "HistoryDigest": report.history_digest.hex(),
        "LogId": report.identity.log_id.hex(),
        "Origin": report.identity.origin,
        "NodeId": report.identity.node_id,
        "IndexRebuilt": report.index_rebuilt,
    }
