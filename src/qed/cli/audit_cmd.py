"""`qed audit --replay`: recompute what a log has signed from its published events, and compare."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qed.cli import output, paths, values
from qed.cli.groups import Command, flag
from qed.cli.progress import progress_bar
from qed.cli.server_part import server_part
from qed.client import pins
from qed.client.evidence import write_evidence
from qed.client.feed import Source, open_source
from qed.client.trusted import Trusted
from qed.errors import (
    ContradictionError,
    MalformedError,
    NotFoundError,
    NotPublishedError,
    UnavailableError,
)
from qed.signing.note import VerifierKey, format_verifier_key

if TYPE_CHECKING:  # agents are not part of a plain install
    from qed.agents.replay import Replayer

_HELP = """Recompute everything that a log has signed from its published events alone.

History digest of every version, hyper digest of every group, root of the snapshot log: each is
computed again and compared with what was signed. A proof cannot show that the server put every
event into its map; this does. The leaves come from a server, a snapshot store, or a directory with
a copy of the tiles. A contradiction leaves a file of evidence, which `qed verify` checks offline.

\b
  qed audit --replay http://127.0.0.1:8800
  qed audit --replay http://store:8888 --key "$(cat log.vkey)" --state-path ~/audit --follow
  qed audit --replay /srv/mirror --key log.vkey --json
"""

_WAIT_S = 30.0  # for news, in one request
_REST_S = 2.0  # where nobody answers
_SCHEMES = ("http://", "https://")
_PLACE = "a server or a store (http://...), or a directory of tiles"


@click.command("audit", cls=Command, help=_HELP)
@flag("--replay", "place", metavar="PLACE", required=True, help=f"Where to read: {_PLACE}.")
@flag("--key", metavar="VKEY|FILE", help="The log's verifier key, or a file that holds it.")
@flag("--pin", type=values.PATH, help="Where the key and the newest checkpoint are remembered.")
@flag("--state-path", type=values.PATH, help="Keep what was replayed here, to go on next time.")
@flag("--evidence-path", type=values.PATH, default=Path(), help="Where evidence is written.")
@flag("--follow", type=values.BOOL, default=False, help="Go on with every new checkpoint.")
@flag("--timeout", type=values.DURATION, default=10.0, help="Time for one answer.")
@flag("--insecure", type=values.BOOL, default=False, help="Take a certificate unchecked.")
@click.pass_context
def audit(ctx: click.Context, /, place: str, state_path: Path | None, **flags: Any) -> None:
    """Replay up to the newest checkpoint, and with `--follow` on from there."""
    with server_part():
        from qed.agents.replay import Replayer  # noqa: PLC0415 - not in a plain install
        from qed.agents.replay_files import ReplayFiles  # noqa: PLC0415 - as above
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(
            open_source(place, timeout_s=flags["timeout"], insecure=flags["insecure"])
        )
        pin_path = _pin_path(place, flags["pin"])
        trusted = _open_trusted(source, pin_path, flags["key"])
        if state_path is None:
            state_path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qed-audit-")))
        files = stack.enter_context(ReplayFiles(state_path))
        with progress_bar("reading what was replayed", unit="events", rate=True) as progress:
            replayer = Replayer(files, trusted.origin, progress=progress)
        for _ in _checkpoints(source, trusted, follow=flags["follow"]):
            if pin_path is not None:
                pins.keep_pin(pin_path, trusted)
            _replay(replayer, source, trusted, flags["evidence_path"])
            _tell(ctx, replayer, source, trusted)


def _pin_path(place: str, said: Path | None) -> Path | None:
    """Return the pin of a log: the one said, or that of the address; a directory has none."""
    if said is not None or not place.startswith(_SCHEMES):
        return said
    return paths.default_pin_path(place)


def _open_trusted(source: Source, path: Path | None, key_text: str | None) -> Trusted:
    """Return what is trusted: by the pin, by `--key`, or the key that the server says, once."""

    def ask() -> VerifierKey:
        if not source.name.startswith(_SCHEMES):
            raise MalformedError(
                f"{source.name} does not say which key the log has",
                hint="give it with --key: the server prints it at its start",
            )
        return pins.ask_key(source)

    def announce(key: VerifierKey) -> None:
        output.remark(f"trusting {format_verifier_key(key)} on first use")
        if path is not None:
            output.remark(f"it is pinned in {path}; compare it with what others have pinned")

    key = None if key_text is None else pins.read_key(key_text)
    return pins.open_first(path, key, ask, announce)


def _checkpoints(source: Source, trusted: Trusted, *, follow: bool) -> Iterator[None]:
    """Extend what is trusted to the newest checkpoint; with `follow` to each one, for ever."""
    try:
        note = source.checkpoint()
    except NotFoundError as error:
        raise NotPublishedError(f"{source.name} has no checkpoint yet") from error
    trusted.compare(note, source.read_nodes)
    yield
    while follow:
        before = trusted.size
        try:
            trusted.compare(source.checkpoint(before, _WAIT_S), source.read_nodes)
        except UnavailableError as error:
            output.remark(f"{error.message}; trying again")
            time.sleep(_REST_S)
        if trusted.size > before:
            yield
        elif not source.name.startswith(_SCHEMES):
            time.sleep(_REST_S)  # a directory does not wait for news


def _replay(replayer: Replayer, source: Source, trusted: Trusted, evidence_path: Path) -> None:
    """Replay to the trusted checkpoint; a contradiction is told with the path of its evidence."""
    from qed.agents.replay import replay_to  # noqa: PLC0415 - not in a plain install

    if trusted.size < replayer.size:
        output.remark(f"{source.name} has {trusted.size} events, {replayer.size} were replayed")
    try:
        with progress_bar("replaying", unit="events", rate=True) as progress:
            replay_to(replayer, source, trusted, progress=progress)
    except ContradictionError as error:
        if not error.evidence:
            raise
        path = write_evidence(evidence_path, error.evidence)
        replayer.commit(caught=str(path.absolute()))
        raise ContradictionError(
            error.message,
            step=error.step,
            hint=f"keep {path}; anybody checks it with: qed verify {path} --key"
            f" '{format_verifier_key(trusted.key)}'",
            evidence=error.evidence,
        ) from error
    replayer.commit()


def _tell(ctx: click.Context, replayer: Replayer, source: Source, trusted: Trusted) -> None:
    compared = replayer.compared
    if output.wants_json(ctx):
        output.emit_document(
            {
                "Source": source.name,
                "Origin": trusted.origin,
                "Events": compared.events,
                "Groups": compared.groups,
                "Root": compared.root.hex(),
                "Size": trusted.size,
            }
        )
        return
    output.emit(
        f"{source.name}: {compared.events} events in {compared.groups} groups;"
        " history, map and snapshot log lead to the signed root\n"
        f"    Origin: {trusted.origin}\n"
        f"    Root: {compared.root.hex()}\n"
    )
