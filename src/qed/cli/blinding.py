"""Blinding on the command line: which secret, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from qed import durable
from qed.cli import output, values
from qed.cli.events import NamedEvent
from qed.cli.groups import flag
from qed.client import blind

_FRESH_SALT = (
    "--blind needs --salt-file here, the salt that the event was added with: under a fresh salt"
    " every event is absent, so that can prove no absence"
)


@dataclass(frozen=True, slots=True)
class Blinded:
    """An event by its blinded digest, and the secret: a salt's file or a key's fingerprint."""

    event: NamedEvent
    salt_file: Path | None = None
    fingerprint: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """What `--json` says of it."""
        if self.salt_file is not None:
            return {"SaltFile": str(self.salt_file)}
        return {"BlindKey": self.fingerprint}


def blinding_flags(salt_help: str) -> Callable[[Any], Any]:
    """Return a decorator that adds the flags; what `--salt-file` is depends on the command."""

    def add(function: Any) -> Any:
        for one in (
            flag("--blind-key", type=values.PATH, metavar="FILE", help="Blind by an owner's key."),
            flag("--salt-file", type=values.PATH, metavar="FILE", help=salt_help),
            flag(
                "--blind",
                type=values.BOOL,
                default=False,
                help="Use a digest that says nothing about an event that could be guessed.",
            ),
        ):
            function = one(function)
        return function

    return add


def blind_to_add(ctx: click.Context, named: NamedEvent, flags: Mapping[str, Any]) -> Blinded | None:
    """Return the event as it is to be added, its new salt written and said; None for a plain one.

    Raises: click's UsageError for flags that make no sense together; RequestError where the secret
    cannot be read, or a salt is there already.
    """
    if not check_flags(ctx, flags):
        return None
    if flags["blind_key"] is not None:
        return _blind_by_key(named, flags["blind_key"])
    salt = blind.draw_salt()
    hidden = _hide(named, salt)
    path: Path = flags["salt_file"] or Path(f"{hidden.digest.hex()}.salt")
    blind.create_salt_file(path, salt)
    # Stop here: the salt is there and the event is not in the log; adding again draws another.
    output.remark(
        f"the salt is in {path} (0600): keep it beside the event, nobody can show without it what"
        " the digest stands for; deleting it erases that for ever"
    )
    return Blinded(hidden, salt_file=path)


def blind_to_ask(ctx: click.Context, named: NamedEvent, flags: Mapping[str, Any]) -> Blinded | None:
    """Return the event as it was added, by its secret; None for a plain one. Raises as above."""
    if not check_flags(ctx, flags):
        return None
    if flags["blind_key"] is not None:
        return _blind_by_key(named, flags["blind_key"])
    path: Path | None = flags["salt_file"]
    if path is None:
        raise click.UsageError(_FRESH_SALT, ctx)
    salt = blind.read_salt(path)
    _remark_exposed(path)
    return Blinded(_hide(named, salt), salt_file=path)


def check_flags(ctx: click.Context, flags: Mapping[str, Any]) -> bool:
    """Return whether anything is to be blinded, once the flags make sense together."""
    if flags["blind"] and flags["blind_key"] is not None:
        raise click.UsageError(
            "--blind is a salt of its own for each event, --blind-key one key for all: say one", ctx
        )
    if flags["salt_file"] is not None and not flags["blind"]:
        raise click.UsageError("--salt-file only with --blind", ctx)
    wanted = flags["blind"] or flags["blind_key"] is not None
    if wanted and flags.get("event_digest") is not None:
        raise click.UsageError(
            "a digest cannot be blinded any more: say the event itself, or its blinded digest"
            " without --blind and --blind-key",
            ctx,
        )
    return bool(wanted)


def remark_meaning(blinded: Blinded, *, exists: bool) -> None:
    """Say relative to what an answer about a blinded event is."""
    if blinded.salt_file is None:
        output.remark(f"as of the blinding key with the fingerprint {blinded.fingerprint} alone")
    elif not exists:
        output.remark(
            "absent under this salt: that says nothing about the event under another one, or plain"
        )


def _blind_by_key(named: NamedEvent, path: Path) -> Blinded:
    key = blind.read_blind_key(path)
    _remark_exposed(path)
    return Blinded(_hide(named, key), fingerprint=blind.fingerprint(key))


def _hide(named: NamedEvent, secret: bytes) -> NamedEvent:
    assert named.body is not None  # noqa: S101 - `check_flags` refuses a digest
    return replace(named, digest=blind.blind(secret, named.body))


def _remark_exposed(path: Path) -> None:
    if not durable.is_private(path):
        output.remark(f"warning: others can read {path}: chmod 600 {path}")
