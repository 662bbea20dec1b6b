"""`qed client bulk`: add the lines of a file, many in one request."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click

from qed.cli import client_flags, output, values
from qed.cli.groups import Command, flag
from qed.cli.progress import progress_bar
from qed.client.sync_client import Client
from qed.durable import storage_errors
from qed.errors import MalformedError, QedError, TooLargeError
from qed.trees.values import Snapshot

LINE_LIMIT_BYTES = 16 * 1024 * 1024
BATCH_LIMIT_BYTES = 16 * 1024 * 1024  # of events; a server takes 32 MiB of base64
BATCH_LIMIT_EVENTS = 20_000

_HELP = """Add every line of a file, or of standard input for -, as one event.

The bytes of a line are the event, without the newline that ends it. A batch is added whole or not
at all; one that was added stays when a later one fails, and how many were is said.

One line is printed for each event: version, event digest, history digest, hyper digest, with tabs
between.

\b
  qed client bulk access.log
  journalctl -o json | qed client bulk - --batch-size 500 > snapshots.tsv
"""


@dataclass(slots=True)
class _Added:
    """What has been added so far; the command alone owns it."""

    count: int = 0
    batches: list[dict[str, Any]] = field(default_factory=list)
    last: Snapshot | None = None

    def take(self, snapshots: list[Snapshot]) -> None:
        self.count += len(snapshots)
        self.last = snapshots[-1]
        self.batches.append(
            {
                "FirstVersion": snapshots[0].version,
                "LastVersion": snapshots[-1].version,
                "HistoryDigest": snapshots[-1].history_digest.hex(),
                "HyperDigest": snapshots[-1].hyper_digest.hex(),
            }
        )


@click.command("bulk", cls=Command, help=_HELP, short_help="Add every line of a file.")
@click.argument("source", metavar="FILE|-")
@flag(
    "--batch-size",
    type=click.IntRange(1, BATCH_LIMIT_EVENTS),
    default=1000,
    help="Events in one request.",
)
@flag("--skip-empty", type=values.BOOL, default=False, help="Pass over empty lines.")
@flag("--quiet", type=values.BOOL, default=False, help="Print no line for each event.")
@click.pass_context
def bulk(ctx: click.Context, source: str, batch_size: int, skip_empty: bool, quiet: bool) -> None:  # noqa: FBT001 - click passes by name
    """Add the lines batch after batch and print a line for each event."""
    printed = not (quiet or output.wants_json(ctx))
    added = _Added()
    with client_flags.open_client(ctx) as client, _open_lines(source) as (stream, size_bytes):
        batches = read_batches(stream, batch_size, skip_empty=skip_empty)
        try:
            _add_all(client, batches, added, size_bytes=size_bytes, printed=printed)
        except (QedError, output.OutputClosedError):
            output.remark(_summary(added) + " before this failed")
            raise
    if output.wants_json(ctx):
        output.emit_document({"Added": added.count, "Batches": added.batches})
    output.remark(_summary(added))


def _add_all(
    client: Client,
    batches: Iterator[tuple[list[bytes], int]],
    added: _Added,
    *,
    size_bytes: int,
    printed: bool,
) -> None:
    """Add batch after batch; the bar counts bytes of the file, whose number is known."""
    with progress_bar("adding", unit="bytes") as report:
        for events, read_bytes in batches:
            snapshots = client.add_bulk(events)
            added.take(snapshots)
            if printed:
                output.emit("".join(_format_line(snapshot) for snapshot in snapshots))
            if report is not None:
                report(read_bytes, size_bytes)


def read_batches(
    stream: IO[bytes], batch_size: int, *, skip_empty: bool
) -> Iterator[tuple[list[bytes], int]]:
    """Yield up to `batch_size` lines at a time, with the number of bytes read so far.

    Errors: MalformedError for an empty line, TooLargeError for one without an end, each after the
    lines before it have been yielded.
    """
    batch: list[bytes] = []
    batch_bytes = read_bytes = number = 0
    problem: QedError | None = None
    while problem is None:
        with storage_errors("read", "the lines"):
            line = stream.readline(LINE_LIMIT_BYTES + 1)
        if not line:
            break
        number += 1
        read_bytes += len(line)
        event = line.removesuffix(b"\n")
        if len(line) > LINE_LIMIT_BYTES:
            problem = TooLargeError(f"line {number} is larger than {LINE_LIMIT_BYTES} bytes")
        elif event:
            if batch and batch_bytes + len(event) > BATCH_LIMIT_BYTES:
                yield batch, read_bytes
                batch, batch_bytes = [], 0
            batch.append(event)
            batch_bytes += len(event)
        elif not skip_empty:
            problem = MalformedError(
                f"line {number} is empty; an event has at least one byte",
                hint="--skip-empty passes over empty lines",
            )
        if len(batch) == batch_size:
            yield batch, read_bytes
            batch, batch_bytes = [], 0
    if batch:
        yield batch, read_bytes
    if problem is not None:
        raise problem


@contextlib.contextmanager
def _open_lines(source: str) -> Iterator[tuple[IO[bytes], int]]:
    """Give a stream of lines and its size in bytes, 0 where that is not known."""
    if source == "-":
        yield sys.stdin.buffer, 0
        return
    path = Path(source)
    with storage_errors("open", path):
        stream = path.open("rb")
    with stream:
        yield stream, path.stat().st_size


def _format_line(snapshot: Snapshot) -> str:
    digests = (snapshot.event_digest, snapshot.history_digest, snapshot.hyper_digest)
    return "\t".join([str(snapshot.version), *(digest.hex() for digest in digests)]) + "\n"


def _summary(added: _Added) -> str:
    """Return how many events were added, for a person."""
    if added.last is None:
        return "no event was added"
    if added.count == 1:
        return f"1 event was added, as version {added.last.version}"
    return f"{added.count} events were added, the last one as version {added.last.version}"
