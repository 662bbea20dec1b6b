"""`qed generate`: signing keys, certificates, and requests for certificates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from qed.cli import output, values
from qed.cli.groups import Group, inherited, shared
from qed.errors import MalformedError

_HELP = """Make the files that a server needs for signing and for TLS. Nothing is overwritten.

\b
  qed generate signerkeys --path /etc/qed --origin log.example.org
  qed generate verifierkey --private-key-path /etc/qed/qed_ed25519 --origin log.example.org
  qed generate cosignerkey --path /etc/qed --name log.example.org/ml-dsa
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


_NAMELESS = (
    "verifier key: it carries the log's origin, so give --origin (also later, to qed generate "
    "verifierkey), or read it where the server prints it at its start"
)


@generate.command("signerkeys", help="Make an Ed25519 key, qed_ed25519, and its public half.")
@click.option("--origin", type=values.TEXT, help="The log's name, for the verifier key.")
@click.pass_context
def signerkeys(ctx: click.Context, origin: str | None) -> None:
    """Make a key and print where it lies, its public half, and the verifier key of the log."""
    from qed.signing import keys, note, origins  # noqa: PLC0415 - 60 ms that the help does not pay

    if origin is not None:
        origins.check_origin(origin)
    path = _directory(ctx) / keys.KEY_NAME
    key = keys.create_private_key(path)
    public_path = keys.public_key_path(path)
    shown = keys.format_public(key.public)
    named = None if origin is None else note.NoteSigner(key, origin).verifier_key
    verifier_key = None if named is None else note.format_verifier_key(named)
    if output.wants_json(ctx):
        document = {"PrivateKey": str(path), "PublicKey": str(public_path), "Public": shown}
        output.emit_document({**document, "VerifierKey": verifier_key})
        return
    output.emit(f"New signer keys generated at:\n{public_path}\n{path}\n")
    output.remark(f"public key: {shown}")
    output.remark(_NAMELESS if verifier_key is None else f"verifier key: {verifier_key}")


@generate.command("cosignerkey", help="Make an ML-DSA-44 key, which cosigns checkpoints.")
@click.option("--name", type=values.TEXT, required=True, help="The cosigner's own name.")
@click.pass_context
def cosignerkey(ctx: click.Context, name: str) -> None:
    """Make a cosigner's key and print where it lies and its verifier key."""
    from qed.signing import cosignature, note  # noqa: PLC0415 - as above

    cosignature.check_cosigner_name(name)
    path = _directory(ctx) / cosignature.KEY_NAME
    key = cosignature.create_cosigner_key(path)
    verifier_key = note.format_verifier_key(cosignature.Cosigner(name, key).verifier_key)
    if output.wants_json(ctx):
        output.emit_document({"PrivateKey": str(path), "VerifierKey": verifier_key})
        return
    output.emit(f"New cosigner key generated at:\n{path}\n")
    output.remark(f"verifier key: {verifier_key}")


@generate.command("verifierkey", help="Print the verifier key of a key that was made before.")
@click.option("--private-key-path", type=values.PATH, help="A log's signing key, in any form.")
@click.option("--cosigner-key-path", type=values.PATH, help="A cosigner's key.")
@click.option(
    "--origin",
    type=values.TEXT,
    help="The log's or the cosigner's name; a note key has one already.",
)
@click.pass_context
def verifierkey(
    ctx: click.Context,
    private_key_path: Path | None,
    cosigner_key_path: Path | None,
    origin: str | None,
) -> None:
    """Print one line that others verify with: it holds nothing secret, and makes nothing."""
    from qed.signing import cosignature, keys, note  # noqa: PLC0415 - as above

    if (private_key_path is None) == (cosigner_key_path is None):
        raise MalformedError("give either --private-key-path or --cosigner-key-path")
    if private_key_path is not None:
        key = keys.read_private_key(private_key_path)
        named = note.NoteSigner(key, _name(origin or key.name)).verifier_key
    elif cosigner_key_path is not None:
        cosigner_key = cosignature.read_cosigner_key(cosigner_key_path)
        named = cosignature.Cosigner(_name(origin), cosigner_key).verifier_key
    shown = note.format_verifier_key(named)
    if output.wants_json(ctx):
        output.emit_document({"VerifierKey": shown})
    else:
        output.emit(f"{shown}\n")


def _name(name: str | None) -> str:
    if not name:
        raise MalformedError(
            "a verifier key carries a name", hint="give it with --origin: the log's is its origin"
        )
    return name


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
