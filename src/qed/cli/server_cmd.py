"""`qed server start`: run a log server in this process until it is told to stop."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qed.cli import output, paths, values
from qed.cli.groups import Command, Group, Inherited, inherited, shared
from qed.cli.server_part import server_part
from qed.web.limits import MAX_REQUEST_EVENTS, MIB, MIN_BODY_BYTES, WebLimits

if TYPE_CHECKING:  # the server is not part of a plain install
    from qed.server.config import ServerConfig
    from qed.server.sites import Places

_LOG = logging.getLogger(__name__)

# Which limit each flag sets; the limits without one are nobody's to choose.
LIMIT_FIELDS = {
    "--max-body": "body_bytes",
    "--max-request-events": "request_events",
    "--max-queue-events": "queue_events",
    "--max-queue-requests": "queue_requests",
    "--max-connections": "connections",
    "--read-timeout": "read_s",
    "--drain-timeout": "drain_s",
}

_HELP = """Run a log server.

\b
  qed server start
  qed server start --db-path /var/tmp/qed0/db --private-key-path /var/tmp/qed_ed25519

Where the path holds no database, an empty one is created, and said. Where the key's file does not
exist, it is made, readable by its owner only, and its public half is printed.
"""


def server_flags() -> list[Inherited]:
    """Return the flags of `qed server start`, with QED's names and defaults (SPEC 8)."""
    return [
        shared("--node-id", type=values.TEXT, default="", help="Its name; the machine's without."),
        _address("--http-addr", "127.0.0.1:8800", "Data port: events and proofs."),
        shared(
            "--http-advertise-addr",
            type=values.TEXT,
            default=None,
            show_default="--http-addr; the machine's name for a wildcard there",
            help="Host, or host:port, that clients are told.",
        ),
        _address("--mgmt-addr", "127.0.0.1:8700", "Management port: backups."),
        _address("--metrics-addr", "127.0.0.1:8600", "Metrics port."),
        _address("--raft-addr", "127.0.0.1:8500", "Shown in /info; nothing listens there."),
        shared(
            "--db-path",
            type=values.PATH,
            default=None,
            show_default="$XDG_DATA_HOME/qed/db",
            help="The database's directory.",
        ),
        shared(
            "--private-key-path",
            type=values.PATH,
            default=None,
            show_default="<db-path>.keys/qed_ed25519",
            help="The signing key: QED's form, PEM, or a note key.",
        ),
        shared(
            "--origin",
            type=values.TEXT,
            default=None,
            show_default="qed-<log id>",
            help="Name of a new log in everything that is signed.",
        ),
        shared(
            "--checkpoint-interval",
            type=values.Duration(at_most_s=24 * 3600),
            default=0.1,
            help="At most one checkpoint in so long; 0 for no pause.",
        ),
        shared(
            "--cosigner-key-path",
            type=values.PATH,
            default=None,
            help="ML-DSA-44 key that signs each checkpoint too; made when missing.",
        ),
        shared("--cosigner-name", type=values.TEXT, default=None, help="The name of that key."),
        shared("--enable-tls", type=values.BOOL, default=False, help="TLS on data and management."),
        shared("--tls-cert-path", type=values.PATH, default=None, help="Certificate chain, PEM."),
        shared("--tls-key-path", type=values.PATH, default=None, help="Its private key, PEM."),
        *_limit_flags(),
        *_accepted_flags(),
    ]


def _limit_flags() -> list[Inherited]:
    """Return the flags of `LIMIT_FIELDS`, and the bound of memory."""
    queue = values.Count(100_000_000)
    time = values.Duration(at_least_s=0.001, at_most_s=24 * 3600)
    return [
        _limit(
            "--max-body",
            values.Size(MIN_BODY_BYTES, 1024 * MIB),
            "Size of a request's body; above: 413.",
        ),
        _limit(
            "--max-request-events",
            values.Count(MAX_REQUEST_EVENTS),
            "Events of a request, and of a commit; above: 413.",
        ),
        _limit("--max-queue-events", queue, "Events that wait for a commit; above: 503."),
        _limit("--max-queue-requests", queue, "Add requests that wait for one; above: 503."),
        _limit(
            "--max-connections",
            values.Count(1_000_000),
            "Open connections of each port; above: 503.",
        ),
        shared(
            "--cache-size",
            type=values.Size(values.MIB, values.TIB),
            default=None,
            show_default="1GiB",
            heading="Limits",
            help="Memory for both trees; beyond it they are on disk too.",
        ),
        _limit("--read-timeout", time, "Time for a request to be whole; after: 408."),
        _limit("--drain-timeout", time, "Time that a stop leaves to what is in flight."),
    ]


def _limit(name: str, kind: click.ParamType[Any], text: str) -> Inherited:
    default = getattr(WebLimits(), LIMIT_FIELDS[name])
    return shared(name, type=kind, default=default, heading="Limits", help=text)


def _accepted_flags() -> list[Inherited]:
    """Return the flags that QED has for what this server does not do."""

    def accepted(name: str, kind: click.ParamType[Any], default: Any = None) -> Inherited:
        settings: dict[str, Any] = {"type": kind, "default": default, "show_default": False}
        if isinstance(kind, values.ListOf):
            settings |= {"multiple": True, "default": []}
        return shared(name, accepted=True, **settings)

    return [
        accepted("--raft-path", values.PATH),
        accepted("--raft-join-addr", values.ListOf(values.ADDRESS)),
        accepted("--gossip-addr", values.ADDRESS, "127.0.0.1:8400"),
        accepted("--gossip-join-addr", values.ListOf(values.ADDRESS)),
        accepted("--db-wal-ttl", values.DURATION, 0.0),
        accepted("--tls-ca-cert-path", values.PATH),
        accepted("--enable-profiling", values.BOOL, default=False),
        accepted("--profiling-addr", values.ADDRESS, "127.0.0.1:6060"),
        accepted("--enable-rpc-tls", values.BOOL, default=False),
        accepted("--rpc-tls-verify", values.BOOL, default=False),
        accepted("--tls-verify-server", values.BOOL, default=False),
        accepted("--raft-election-timeout", values.DURATION, 1.0),
        accepted("--raft-heartbeat-timeout", values.DURATION, 1.0),
        accepted("--raft-lease-timeout", values.DURATION, 0.5),
    ]


def _address(name: str, default: str, text: str) -> Inherited:
    return shared(name, type=values.ADDRESS, default=default, help=text)


def _parameter(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def server_config(flags: dict[str, Any]) -> ServerConfig:
    """Return what the flags say, typed."""
    from qed.server.config import ServerConfig  # noqa: PLC0415 - not in a plain install

    db_path: Path = flags["db_path"] or paths.default_db_path()
    cache = {} if flags["cache_size"] is None else {"cache_bytes": flags["cache_size"]}
    limits = {field: flags[_parameter(name)] for name, field in LIMIT_FIELDS.items()}
    return ServerConfig(
        db_path=db_path,
        node_id=flags["node_id"],
        http_addr=flags["http_addr"],
        http_advertise_addr=flags["http_advertise_addr"] or "",
        mgmt_addr=flags["mgmt_addr"],
        metrics_addr=flags["metrics_addr"],
        raft_addr=flags["raft_addr"],
        private_key_path=flags["private_key_path"],
        origin=flags["origin"],
        checkpoint_interval_s=flags["checkpoint_interval"],
        cosigner_key_path=flags["cosigner_key_path"],
        cosigner_name=flags["cosigner_name"] or "",
        enable_tls=flags["enable_tls"],
        tls_cert_path=flags["tls_cert_path"],
        tls_key_path=flags["tls_key_path"],
        limits=WebLimits(**limits),
        **cache,
    )


server = Group("server", help=_HELP, flags=server_flags())


@server.command("start", cls=Command, service=True, help=_HELP)
@click.pass_context
def start(ctx: click.Context) -> None:
    """Serve until SIGTERM or SIGINT; everything in flight is answered first."""
    flags = inherited(ctx)
    if flags["raft_join_addr"]:
        _LOG.warning("--raft-join-addr is not followed: this server's log is its own")
    with server_part():
        from qed.server.start import serve  # noqa: PLC0415 - not in a plain install

    def on_ready(places: Places) -> None:
        if output.wants_json(ctx):
            output.emit_document(_document(places))

    announce = _say_nothing if flags["log"] == "off" else output.remark
    serve(server_config(flags), announce=announce, on_ready=on_ready)


def _say_nothing(text: str) -> None:
    del text


def _document(places: Places) -> dict[str, object]:
    """Return where the server answers, as it is printed once it does."""
    return {
        "Data": str(places.data.address),
        "Management": str(places.management.address),
        "Metrics": str(places.metrics.address),
        "Advertised": str(places.http_advertised),
    }
