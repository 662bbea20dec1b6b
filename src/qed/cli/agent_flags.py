"""The flags of every agent: QED's, the client's behind `--qed-`, ours, and what they come to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from qed.cli import paths, values
from qed.cli.client_flags import client_flags
from qed.cli.groups import Inherited, shared
from qed.client.pins import read_key
from qed.signing.note import VerifierKey

DATA_PORT = 8800
DEFAULT_SERVER = f"http://127.0.0.1:{DATA_PORT}"
DEFAULT_STORE = "http://127.0.0.1:8888"
METRICS = {
    "publisher": "127.0.0.1:18100",
    "auditor": "127.0.0.1:18200",
    "monitor": "127.0.0.1:18300",
}

_PREFIX = "--qed-"
# The client's flags that say something to an agent, which asks each place itself, and again for
# ever. The others are taken as QED's command lines have them.
_USED = frozenset({"endpoints", "snapshot_store_url", "insecure", "timeout", "dial_timeout"})


@dataclass(frozen=True, slots=True)
class AgentFlags:
    """What the flags of one agent say, typed; `remarks` is what was chosen for the caller."""

    servers: tuple[str, ...]
    stores: tuple[str, ...]
    notifiers: tuple[str, ...]
    key: VerifierKey | None
    state_path: Path
    metrics_addr: str
    node_name: str
    timeout_s: float
    dial_timeout_s: float
    insecure: bool
    interval_s: float
    max_lag: int
    max_lag_age_s: float
    once: bool
    remarks: tuple[str, ...]


def agent_flags() -> list[Inherited]:
    """Return the flags of `qed agent`, with QED's names (SPEC 8)."""
    urls = values.ListOf(values.URL)
    return [
        shared(
            "--metrics-addr",
            type=values.ADDRESS,
            default=None,
            show_default=", ".join(f"{address} ({role})" for role, address in METRICS.items()),
            help="Metrics port.",
        ),
        shared("--node-name", type=values.TEXT, default="", help="Its name in its metrics."),
        shared(
            "--start-join",
            type=values.ListOf(values.ADDRESS),
            multiple=True,
            default=[],
            help=f"Without --qed-endpoints: the server is this host, port {DATA_PORT}.",
        ),
        shared(
            "--store-endpoint",
            type=urls,
            multiple=True,
            default=[],
            show_default=f"{DEFAULT_STORE}; monitor: none",
            help="Base URL of a snapshot store; several are published to, and watched.",
        ),
        shared(
            "--notifier-endpoint",
            type=values.ListOf(values.TEXT),
            multiple=True,
            default=[],
            help="Who is told of alerts: a store's URL with /alert, any other URL (gets JSON), or"
            " stdout.",
        ),
        *_our_flags(),
        *_client_flags(),
        *_accepted_flags(),
    ]


def _our_flags() -> list[Inherited]:
    time = values.Duration(at_least_s=0.001, at_most_s=24 * 3600)
    return [
        shared(
            "--key",
            type=values.VERIFIER_KEY,
            metavar="VKEY|FILE",
            default=None,
            help="The log's verifier key, or a file of it; without, the server is asked once.",
        ),
        shared(
            "--state-path",
            type=values.PATH,
            default=None,
            show_default="$XDG_DATA_HOME/qed/agents/<role>",
            help="Where positions, the pinned key, evidence and undelivered alerts are kept.",
        ),
        shared(
            "--interval",
            type=time,
            default=10.0,
            help="How often a place is asked how it is; three without an answer are silence.",
        ),
        shared(
            "--max-lag",
            type=values.Count(2**63, at_least=0),
            default=0,
            show_default="0, no bound",
            help="Monitor: versions that a place may be behind.",
        ),
        shared(
            "--max-lag-age",
            type=values.Duration(0.0, 30 * 24 * 3600),
            default=60.0,
            help="Monitor: how long a place may lack what was published; 0s is no bound.",
        ),
        shared(
            "--once",
            type=values.BOOL,
            default=False,
            help="Make one round, without a port, and end with the code of what was found.",
        ),
    ]


def _client_flags() -> list[Inherited]:
    """Return the flags of `qed client` with `--qed-` in front."""
    found = []
    for flag in client_flags():
        spelled = _PREFIX + flag.opts[0].removeprefix("--")
        if flag.name not in _USED:
            found.append(accepted(spelled, flag.type, flag.default))
            continue
        again = copy.copy(flag)
        again.opts, again.name = [spelled], f"qed_{flag.name}"
        if flag.name == "endpoints":
            again.default, again.show_default = [], f"{DEFAULT_SERVER}; see --start-join"
            again.help = "Servers of the log; several of one log are held against each other."
        found.append(again)
    return found


def _accepted_flags() -> list[Inherited]:
    """Return the flags that QED has for its gossip and its queues; an agent of ours has neither."""
    return [
        accepted("--bind-addr", values.ADDRESS),
        accepted("--advertise-addr", values.ADDRESS),
        accepted("--role", values.TEXT),
        accepted("--leave-on-term", values.BOOL, default=False),
        accepted("--enable-compression", values.BOOL, default=False),
        accepted("--broadcast-timeout", values.DURATION, 10.0),
        accepted("--leave-propagate-delay", values.DURATION, 1.0),
        accepted("--alive-interval", values.DURATION, 1.0),
        accepted("--timeout-queues", values.DURATION, 0.2),
        accepted("--process-interval", values.DURATION, 1.0),
        accepted("--processing-interval", values.DURATION, 1.0),
        accepted("--in-queue-size", values.Count(2**31, at_least=0), 0),
        accepted("--out-queue-size", values.Count(2**31, at_least=0), 0),
        accepted("--max-in-flight", values.Count(2**31, at_least=0), 0),
        accepted("--max-sent", values.Count(2**31, at_least=0), 0),
        accepted("--max-senders", values.Count(2**31, at_least=0), 0),
        accepted("--cache-size", values.Count(2**31, at_least=0), 0),
    ]


def accepted(name: str, kind: click.ParamType[Any], default: Any = None) -> Inherited:
    """Return a flag that is taken as QED has it and changes nothing."""
    return shared(name, type=kind, default=default, show_default=False, accepted=True)


def read_flags(flags: dict[str, Any], role: str) -> AgentFlags:
    """Return what the flags say for an agent of this role.

    Raises:
        MalformedError: `--key` is no key and no file of one.
    """
    remarks: list[str] = []
    key = None if flags["key"] is None else read_key(flags["key"])
    return AgentFlags(
        servers=_find_servers(flags, remarks),
        stores=_find_stores(flags, role, remarks),
        notifiers=tuple(dict.fromkeys(flags["notifier_endpoint"])),
        key=key,
        state_path=flags["state_path"] or paths.default_state_path(role),
        metrics_addr=flags["metrics_addr"] or METRICS[role],
        node_name=flags["node_name"] or role,
        timeout_s=flags["qed_timeout"],
        dial_timeout_s=flags["qed_dial_timeout"],
        insecure=flags["qed_insecure"],
        interval_s=flags["interval"],
        max_lag=flags["max_lag"],
        max_lag_age_s=flags["max_lag_age"],
        once=flags["once"],
        remarks=tuple(remarks),
    )


def _find_servers(flags: dict[str, Any], remarks: list[str]) -> tuple[str, ...]:
    from qed.web.addresses import parse_address  # noqa: PLC0415 - servers only

    if flags["qed_endpoints"]:
        return tuple(dict.fromkeys(flags["qed_endpoints"]))
    hosts = [parse_address(text, "--start-join").host for text in flags["start_join"]]
    named = [f"[{host}]" if ":" in host else host for host in hosts]
    servers = tuple(dict.fromkeys(f"http://{host}:{DATA_PORT}" for host in named if host))
    why = f"the hosts of --start-join with port {DATA_PORT}" if servers else "the default"
    servers = servers or (DEFAULT_SERVER,)
    remarks.append(f"servers: {', '.join(servers)} ({why}; --qed-endpoints says others)")
    return servers


def _find_stores(flags: dict[str, Any], role: str, remarks: list[str]) -> tuple[str, ...]:
    if flags["store_endpoint"]:
        return tuple(dict.fromkeys(flags["store_endpoint"]))
    if role == "monitor":
        remarks.append("no store is watched: --store-endpoint names them")
        return ()
    store = flags["qed_snapshot_store_url"]
    remarks.append(f"snapshot store: {store} (--store-endpoint names others)")
    return (store,)
