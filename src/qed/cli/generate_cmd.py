"""`qed generate`: signing keys, certificates, and requests for certificates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from qed.cli import output, values
from qed.cli.groups import Group, inherited, shared

_HELP = """Make the files that a server needs for signing and for TLS. Nothing is overwritten.

\b
  qed generate signerkeys --path /etc/qed
  qed generate self-signed-cert --path /etc/qed --host log.example.org,127.0.0.1
  qed generate csr --path /etc/qed --host log.example.org
"""

generate = Group(
    "generate",
    help=_HELP,
    flags=[
        shared("--path", type=values.PATH, default="/var/tmp", help="Directory of the files."),  # noqa: S108 - QED's default
        shared(
            "--host",
            type=values.ListOf(values.TEXT),
            multiple=True,
            default=["localhost"],
            show_default="localhost",
            help="Names and addresses that the certificate is for.",
        ),
    ],
)


@generate.command("signerkeys", help="Make an Ed25519 key, qed_ed25519, and its public half.")
@click.pass_context
def signerkeys(ctx: click.Context) -> None:
    """Make a key and print where it lies and its public half."""
    from qed.signing import keys  # noqa: PLC0415 - 60 ms that the help does not pay

    path = _directory(ctx) / keys.KEY_NAME
    key = keys.create_private_key(path)
    public_path = keys.public_key_path(path)
    shown = keys.format_public(key.public)
    if output.wants_json(ctx):
        document = {"PrivateKey": str(path), "PublicKey": str(public_path), "Public": shown}
        output.emit_document(document)
        return
    output.emit(f"New signer keys generated at:\n{public_path}\n{path}\n")
    output.remark(f"public key: {shown}")


@generate.command("self-signed-cert", help="Make a certificate for a year that vouches for itself.")
@click.pass_context
def self_signed_cert(ctx: click.Context) -> None:
    """Make a certificate and its key, and print where they lie."""
    from qed.signing import tls  # noqa: PLC0415 - as above

    now = dt.datetime.now(dt.UTC)
    written = tls.create_self_signed(_directory(ctx), list(inherited(ctx)["host"]), now=now)
    _tell(ctx, "New self-signed certificate and private key", "Certificate", written)


@generate.command("csr", help="Make a request for a certificate that somebody else signs.")
@click.pass_context
def csr(ctx: click.Context) -> None:
    """Make a request and its key, and print where they lie."""
    from qed.signing import tls  # noqa: PLC0415 - as above

    written = tls.create_request(_directory(ctx), list(inherited(ctx)["host"]))
    _tell(ctx, "New certificate signing request and private key", "Request", written)


def _directory(ctx: click.Context) -> Path:
    path: Path = inherited(ctx)["path"]
    return path


def _tell(ctx: click.Context, what: str, name: str, written: Any) -> None:
    if output.wants_json(ctx):
        output.emit_document({name: str(written.public), "PrivateKey": str(written.private)})
    else:
        output.emit(f"{what} generated at:\n{written.public}\n{written.private}\n")
