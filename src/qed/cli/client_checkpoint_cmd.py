"""`qed client checkpoint`: the newest signed checkpoint, or how it extends an older one."""

from __future__ import annotations

from pathlib import Path

import click

from qed import durable
from qed.cli import client_flags, output, values
from qed.cli.client_receipt_cmd import STANDARD_OUTPUT
from qed.cli.groups import Command, flag
from qed.client.consistency import decode_consistency
from qed.client.saved import write_proof_file
from qed.errors import MalformedError, VerificationError
from qed.signing.checkpoint import Checkpoint, read_checkpoint
from qed.signing.note import NOTE_LIMIT_BYTES

_HELP = """Fetch the newest checkpoint of the log, verify it under the pinned key, and print it.

A checkpoint is what the log's key signs: how many versions there are, and their root. Keep one
where nobody who can change the log can change it: what is published later must extend it. With
--older FILE, which holds one that was kept, what comes is a consistency file: both checkpoints and
the proof that nothing before the older one was changed. `qed verify` verifies either, offline.

\b
  qed client checkpoint -o today.checkpoint
  qed client checkpoint --older yesterday.checkpoint -o growth.consistency
  qed verify growth.consistency --key log.vkey
"""


@click.command(
    "checkpoint", cls=Command, help=_HELP, short_help="The newest signed state of the log."
)
@flag(
    "-o",
    "--output",
    "output_path",
    type=values.PATH,
    metavar="F",
    help="Where to; standard output without.",
)
@flag("--older", type=values.PATH, metavar="F", help="A checkpoint that was kept.")
@click.pass_context
def checkpoint(ctx: click.Context, /, output_path: Path | None, older: Path | None) -> None:
    """Fetch, verify, write or print."""
    known = None if older is None else _read_own(older)
    with client_flags.open_client(ctx, pinned=True) as client:
        data = client.checkpoint() if known is None else client.consistency(known)
    note = data if known is None else decode_consistency(data).newer
    to_output = output_path in (None, STANDARD_OUTPUT)
    if output_path is not None and not to_output:
        write_proof_file(output_path, data)
    if output.wants_json(ctx):
        output.emit_document(
            _document(read_checkpoint(note), data, known)
            | ({} if to_output else {"File": str(output_path)})
        )
    elif to_output:
        output.emit(data)
    else:
        output.remark(f"{output_path}: {_describe(read_checkpoint(note), known)}")


def _read_own(path: Path) -> bytes:
    """Return the caller's own checkpoint; MalformedError names the file when it is none."""
    data = durable.read_file(path, NOTE_LIMIT_BYTES)
    try:
        read_checkpoint(data)
    except VerificationError as error:
        raise MalformedError(
            f"{path} is no checkpoint: {error.message}",
            hint="--older takes a file that qed client checkpoint -o wrote",
        ) from error
    return data


def _document(found: Checkpoint, data: bytes, older: bytes | None) -> dict[str, object]:
    name = "Checkpoint" if older is None else "Consistency"
    document: dict[str, object] = {
        "Origin": found.origin,
        "Size": found.size,
        "Root": found.root.hex(),
        name: data.decode("utf-8"),
        "Verify": "OK",
    }
    if older is not None:
        document["OlderSize"] = read_checkpoint(older).size
    return document


def _describe(found: Checkpoint, older: bytes | None) -> str:
    said = f"{found.origin} has signed {found.size} versions"
    if older is None:
        return said
    return f"{said}, and they begin with those {read_checkpoint(older).size} that were known"
