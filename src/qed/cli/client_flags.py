"""The flags of every client command, and the client that they describe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import click

from qed.cli import paths, values
from qed.cli.groups import Inherited, inherited, shared
from qed.client.config import ClientConfig
from qed.client.sync_client import Client
from qed.errors import ContradictionError


def client_flags() -> list[Inherited]:
    """Return the flags of `qed client`, with QED's names and defaults (SPEC 8)."""
    return [
        shared(
            "--endpoints",
            type=values.ListOf(values.URL),
            multiple=True,
            default=["http://127.0.0.1:8800"],
            show_default="http://127.0.0.1:8800",
            help="Where the log is served; the first that answers is asked.",
        ),
        shared(
            "--snapshot-store-url",
            type=values.URL,
            default="http://127.0.0.1:8888",
            help="Where published snapshots are read; not contacted before one is needed.",
        ),
        shared(
            "--insecure",
            type=values.BOOL,
            default=False,
            help="Take a server's certificate unchecked.",
        ),
        shared("--timeout", type=values.DURATION, default=10.0, help="Time for one answer."),
        shared(
            "--dial-timeout", type=values.DURATION, default=5.0, help="Time for one connection."
        ),
        shared(
            "--handshake-timeout",
            type=values.DURATION,
            default=5.0,
            help="Time for one TLS handshake.",
        ),
        shared(
            "--max-retries",
            type=click.IntRange(0, 1000),
            default=0,
            show_default="0",
            help="How often a call is repeated where that cannot add an event twice.",
        ),
        *_topology_flags(),
    ]


def trust_flags() -> list[Inherited]:
    """Return the flags that say where published snapshots are read and by which key."""
    return [
        shared(
            "--key",
            type=values.VERIFIER_KEY,
            metavar="VKEY|FILE",
            default=None,
            help="The log's verifier key, or a file that holds it.",
        ),
        shared(
            "--pin",
            type=values.PATH,
            metavar="FILE",
            default=None,
            show_default="$XDG_DATA_HOME/qed/pins/<host>_<port>.json",
            help="Where the key and the newest checkpoint seen are remembered.",
        ),
        shared(
            "--from-server",
            type=values.BOOL,
            default=False,
            help="Read published snapshots from the log server instead of a store.",
        ),
    ]


def _topology_flags() -> list[Inherited]:
    return [
        shared(
            "--enable-topology-discovery",
            type=values.BOOL,
            default=True,
            show_default="true",
            help="Ask the endpoints which address to send to.",
        ),
        shared(
            "--enable-health-checks",
            type=values.BOOL,
            default=True,
            show_default="true",
            help="Ask an address whether it is well before sending to it.",
        ),
        shared(
            "--health-check-interval",
            type=values.DURATION,
            default=60.0,
            help="How long such an answer is believed.",
        ),
        shared(
            "--health-check-timeout",
            type=values.DURATION,
            default=2.0,
            help="Time for such an answer.",
        ),
        shared(
            "--attempt-to-revive-endpoints",
            type=values.BOOL,
            default=False,
            help="Try addresses again that did not answer.",
        ),
    ]


def config_fields(flags: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a ClientConfig that the flags of `qed client` say."""
    return {
        "endpoints": flags["endpoints"],
        "snapshot_store_url": flags["snapshot_store_url"],
        "insecure": flags["insecure"],
        "timeout_s": flags["timeout"],
        "dial_timeout_s": flags["dial_timeout"],
        "handshake_timeout_s": flags["handshake_timeout"],
        "max_retries": flags["max_retries"],
        "enable_topology_discovery": flags["enable_topology_discovery"],
        "enable_health_checks": flags["enable_health_checks"],
        "health_check_interval_s": flags["health_check_interval"],
        "health_check_timeout_s": flags["health_check_timeout"],
        "attempt_to_revive_endpoints": flags["attempt_to_revive_endpoints"],
    }


@contextlib.contextmanager
def open_client(ctx: click.Context, *, pinned: bool = False) -> Iterator[Client]:
    """Give a client as the flags of `qed client` describe it, closed behind the block.

    `pinned` is for what verifies published snapshots: it looks at `trust_flags` and finds the pin.
    The evidence of a contradiction is written before the error goes on, and its hint says where.
    """
    flags = inherited(ctx)
    fields = config_fields(flags)
    if pinned:
        fields |= _trust_fields(flags, fields["endpoints"])
    with Client(ClientConfig(**fields)) as client:
        try:
            yield client
        except ContradictionError as error:
            _keep_evidence(error)
            raise


def _trust_fields(flags: dict[str, Any], endpoints: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a ClientConfig that `trust_flags` say."""
    if not endpoints:
        return {}  # which the configuration refuses
    pin = flags["pin"] or paths.default_pin_path(endpoints[0])
    fields = {"key": flags["key"] or "", "pin": str(pin)}
    if flags["from_server"]:
        fields["snapshot_store_url"] = endpoints[0]
    return fields


def _keep_evidence(error: ContradictionError) -> None:
    """Write what shows a contradiction, and say in its hint where it is."""
    if error.evidence:
        from qed.client.evidence import write_evidence  # noqa: PLC0415 - hardly ever needed

        path = write_evidence(paths.evidence_directory(), error.evidence)
        error.hint = f"the evidence is in {path}; anybody checks it with the log's key: qed verify"


def open_management_client(ctx: click.Context) -> Client:
    """Return a client for the management port as the flags of `qed backup` describe it."""
    flags = inherited(ctx)
    fields = {
        "management_endpoint": flags["endpoint"],
        "api_key": flags["api_key"],
        "insecure": flags["insecure"],
        "timeout_s": flags["timeout"],
    }
    return Client(ClientConfig(**fields))


def refuse_unverified_digests(ctx: click.Context, *names: str) -> None:
    """Refuse digests that would be passed over because `--verify` is missing."""
    spelled = [f"--{name.replace('_', '-')}" for name in names if ctx.params.get(name) is not None]
    if spelled and not ctx.params["verify"]:
        raise click.UsageError(f"{' and '.join(spelled)} only with --verify", ctx)


def refuse_two_ways_to_verify(ctx: click.Context) -> None:
    """Refuse `--verify` and `--auto-verify` together: the digests come from one place."""
    if ctx.params["verify"] and ctx.params["auto_verify"]:
        raise click.UsageError(
            "--verify takes digests that you bring, --auto-verify published ones: say one of them",
            ctx,
        )
