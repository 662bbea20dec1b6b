"""An event as the command line names it: its text, a file, or its digest."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from qed import durable
from qed.errors import MalformedError, TooLargeError

EVENT_LIMIT_BYTES = 64 * 1024 * 1024  # above what any server takes; keeps a mistake out of memory


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """The digest asked about, the event where it is known, and its text where it was typed."""

    digest: bytes
    body: bytes | None
    text: str | None


def name_event(
    ctx: click.Context, *, event: str | None, event_file: str | None, digest: bytes | None = None
) -> NamedEvent:
    """Return the event that exactly one of the flags names.

    Errors: click's UsageError for none or several; MalformedError for an empty event.
    """
    flags = {"--event": event, "--event-file": event_file, "--event-digest": digest}
    written = [name for name, value in flags.items() if value is not None]
    if len(written) != 1:
        known = [param.opts[0] for param in ctx.command.params if param.opts[0] in flags]
        choice = f"{', '.join(known[:-1])} or {known[-1]}"
        said = f", not {' and '.join(written)} together" if written else ""
        raise click.UsageError(f"say exactly one of {choice}{said}", ctx)
    if digest is not None:
        return NamedEvent(digest, None, None)
    body = os.fsencode(event) if event is not None else _read_event_file(str(event_file))
    if not body:
        raise MalformedError("the event is empty; an event has at least one byte")
    return NamedEvent(hashlib.sha256(body).digest(), body, event)


def _read_event_file(name: str) -> bytes:
    """Return the bytes of a file, or of standard input for `-`, unchanged."""
    if name != "-":
        return durable.read_file(Path(name), EVENT_LIMIT_BYTES)
    with durable.storage_errors("read", "standard input"):
        data = sys.stdin.buffer.read(EVENT_LIMIT_BYTES + 1)
    if len(data) > EVENT_LIMIT_BYTES:
        raise TooLargeError(f"the event is larger than {EVENT_LIMIT_BYTES} bytes")
    return data
