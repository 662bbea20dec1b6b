"""Where a command's words go.

Standard output carries results only: the forms that scripts read, or with `--json` one document.
Everything meant for a person beside that (remarks, progress, errors) goes to standard error.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import click

from qed.cli.groups import inherited
from qed.durable import storage_errors
from qed.errors import QedError, VerificationError

# Of the first and of the second half of Latin-1, and what turns the direction of writing.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class OutputClosedError(Exception):
    """Nobody reads standard output any more; there is nothing left to say."""


def fill_standard_streams() -> None:
    """Put /dev/null in the place of each standard stream that the caller has closed.

    The next file to be opened would get its number: with `2>&-`, what a library says on standard
    error would be written into a table of the database. `emit` still knows that nobody reads.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the life of the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - as above


def emit(form: str | bytes) -> None:
    """Write a form to standard output at once, byte for byte."""
    if sys.stdout is None:
        raise OutputClosedError
    data = form if isinstance(form, bytes) else form.encode("utf-8", "surrogateescape")
    try:
        with storage_errors("write to", "standard output"):
            stream = sys.stdout.buffer
            stream.write(data)
            stream.flush()
    except QedError as error:
        _drop(sys.stdout)
        if isinstance(error.__cause__, BrokenPipeError):
            raise OutputClosedError from error
        raise


def emit_document(document: Mapping[str, Any] | list[Any]) -> None:
    """Write the one JSON document of a command to standard output."""
    emit(json.dumps(document) + "\n")


def wants_json(ctx: click.Context) -> bool:
    """Return whether the command was called with `--json`."""
    return bool(inherited(ctx).get("json"))


def remark(text: str) -> None:
    """Write a line for a person to standard error; that nobody reads it stops nothing.

    It may repeat what a stranger wrote, in a file or an answer: a terminal is not moved by that.
    """
    try:
        click.echo(tame(text), err=True)
    except OSError:
        _drop(sys.stderr)


def tame(text: str) -> str:
    """Return a text with what would move a terminal's cursor, but for new lines, spelled out."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def describe_error(error: QedError) -> dict[str, Any]:
    """Return the document of an error: `{"error": {"code", "message", "hint"}}`."""
    fields = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, VerificationError):
        fields["step"] = error.step
    return {"error": fields}


def tell_error(document: Mapping[str, Any], *, as_json: bool) -> None:
    """Write an error for a person, and with `--json` also its document."""
    fields = document["error"]
    remark(f"Error: {fields['message']}")
    if fields["hint"]:
        remark(f"Hint: {fields['hint']}")
    if as_json:
        emit_document(document)


def _drop(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush cannot fail."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # not a file at all: a test's buffer
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
