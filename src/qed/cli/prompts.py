"""Asking for a digest that was not given as a flag.

The prompt is written exactly as QED writes it, on standard output; with `--json` on standard error,
because standard output then holds one document. The answer may be piped.
"""

from __future__ import annotations

import sys

import click

from qed.cli import output, values
from qed.durable import storage_errors
from qed.errors import MalformedError

ANSWER_LIMIT_BYTES = 1024


def ask_digest(ctx: click.Context, prompt: str, flag: str) -> bytes:
    """Write a prompt, read one line and return its digest.

    A line that is no digest is an error, and so is the end of input: asking again would loop for
    ever when the answers are piped.
    """
    if output.wants_json(ctx):
        click.echo(prompt, err=True, nl=False)
    else:
        output.emit(prompt)
    with storage_errors("read", "standard input"):
        line = sys.stdin.buffer.readline(ANSWER_LIMIT_BYTES)
    if not line.endswith(b"\n"):
        click.echo(err=True)
    if not line:
        raise MalformedError(
            "the input ended before the digest was given", hint=f"type it, pipe it, or say {flag}"
        )
    text = line.decode("utf-8", "backslashreplace").strip()
    try:
        return values.parse_digest(text)
    except ValueError:
        raise MalformedError(
            f"that is not a digest: {values.describe_bad_digest(text)}", hint=f"or say {flag}"
        ) from None
