"""The flags of every client command, and the client that they describe."""

from __future__ import annotations

from typing import Any

import click

from qed.cli import values
from qed.cli.groups import Inherited, inherited, shared
from qed.client.config import ClientConfig
from qed.client.sync_client import Client


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
            help="The snapshot store; not contacted before something is asked of it.",
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


def open_client(ctx: click.Context) -> Client:
    """Return a client as the flags of `qed client` describe it; close it by leaving its block."""
    return Client(ClientConfig(**config_fields(inherited(ctx))))


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


def refuse_auto_verify(ctx: click.Context, *, asked: bool) -> None:
    """Refuse `--auto-verify`: it reads snapshots from a store, which this version does not have."""
    if asked:
        raise click.UsageError(
            "--auto-verify needs a snapshot store, which this version of qed does not have;"
            " use --verify with the digests that adding printed",
            ctx,
        )
