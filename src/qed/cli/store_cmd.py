"""`qed store`: run an independent mirror of what a log has signed, check it, read its alerts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qed.cli import output, paths, values
from qed.cli.groups import Command, Group, flag, inherited
from qed.cli.progress import progress_bar
from qed.cli.server_part import server_part
from qed.web.limits import MIB, MIN_BODY_BYTES, WebLimits

if TYPE_CHECKING:  # the store is not part of a plain install
    from qed.signing.note import VerifierKey
    from qed.snapshot_store.check import Report
    from qed.snapshot_store.rows import Alert
    from qed.snapshot_store.start import StorePlaces

_HELP = """Keep an independent copy of every snapshot that a log has signed.

\b
  qed store start --key qed-1+1e3b2a40+AQ...      the key that the server printed at its start
  qed store start --qed-endpoints http://127.0.0.1:8800
  qed store check --db-path /var/tmp/store
  qed store alerts --db-path /var/tmp/store
"""
_START_HELP = """Run a snapshot store.

\b
  qed store start --key qed-1+1e3b2a40+AQ...
  qed store start --key log.vkey --db-path /var/tmp/store --http-addr 0.0.0.0:8888
  qed store start --key log.vkey --cosigner-key cosigner.vkey
  qed store start --qed-endpoints http://127.0.0.1:8800

A new store takes the log's key from --key, or asks the servers of --qed-endpoints for it once and
says so. From then on it believes this key alone, for ever.
"""
_CHECK_HELP = """Recompute every root of a snapshot store from its leaves and compare each row.

Nothing is written. The store must not be running.

\b
  qed store check /var/tmp/store
  qed store check --db-path /var/tmp/store --json
"""
_ALERTS_HELP = """Print the alerts of a snapshot store that is not running.

With --evidence-dir its evidence files are written there. One that runs answers GET /alert and
GET /evidence itself.

\b
  qed store alerts --db-path /var/tmp/store
  qed store alerts --db-path /var/tmp/store --evidence-dir ./evidence
"""

store = Group("store", help=_HELP)


def _db_path_flag() -> Callable[[Any], Any]:
    return flag(
        "--db-path",
        type=values.PATH,
        default=None,
        show_default="$XDG_DATA_HOME/qed/store",
        help="The store's directory.",
    )


@store.command("start", cls=Command, service=True, help=_START_HELP)
@flag("--http-addr", type=values.ADDRESS, default="127.0.0.1:8888", help="The store's port.")
@flag("--metrics-addr", type=values.ADDRESS, default="127.0.0.1:8889", help="Metrics port.")
@_db_path_flag()
@flag(
    "--key",
    type=values.VERIFIER_KEY,
    metavar="VKEY|FILE",
    default=None,
    help="The log's verifier key, or a file of it.",
)
@flag(
    "--cosigner-key",
    type=values.VERIFIER_KEY,
    metavar="VKEY|FILE",
    default=(),
    multiple=True,
    help="Verifier key whose cosignatures are kept too, or a file of it; repeatable.",
)
@flag(
    "--qed-endpoints",
    type=values.ListOf(values.URL),
    default=(),
    multiple=True,
    help="Servers asked for a new store's key, and for signatures of snapshots.",
)
@flag("--insecure", type=values.BOOL, default=False, help="Take any TLS certificate of those.")
@flag("--enable-tls", type=values.BOOL, default=False, help="TLS on the store's port.")
@flag("--tls-cert-path", type=values.PATH, default=None, help="Certificate chain, PEM.")
@flag("--tls-key-path", type=values.PATH, default=None, help="Its private key, PEM.")
@flag(
    "--max-alerts",
    type=values.Count(1_000_000),
    default=10_000,
    help="Posted alerts that are kept; above: 503, none is dropped.",
)
@flag(
    "--max-body",
    type=values.Size(MIN_BODY_BYTES, 64 * MIB),
    default=WebLimits().body_bytes,
    help="Size of a batch's body; above: 413.",
)
@flag(
    "--max-connections",
    type=values.Count(1_000_000),
    default=WebLimits().connections,
    help="Open connections of each port; above: 503.",
)
@click.pass_context
def start(ctx: click.Context, /, **flags: Any) -> None:
    """Serve until SIGTERM or SIGINT; everything in flight is answered first."""
    with server_part():
        from qed.client.pins import read_key  # noqa: PLC0415 - not in a plain install
        from qed.snapshot_store.config import StoreConfig  # noqa: PLC0415
        from qed.snapshot_store.start import serve  # noqa: PLC0415
    config = StoreConfig(
        db_path=flags["db_path"] or paths.default_store_path(),
        http_addr=flags["http_addr"],
        metrics_addr=flags["metrics_addr"],
        key=None if flags["key"] is None else read_key(flags["key"]),
        cosigner_keys=tuple(map(_read_cosigner_key, flags["cosigner_key"])),
        qed_endpoints=tuple(url for part in flags["qed_endpoints"] for url in part),
        max_alerts=flags["max_alerts"],
        enable_tls=flags["enable_tls"],
        tls_cert_path=flags["tls_cert_path"],
        tls_key_path=flags["tls_key_path"],
        insecure=flags["insecure"],
        limits=WebLimits(body_bytes=flags["max_body"], connections=flags["max_connections"]),
    )

    def on_ready(places: StorePlaces) -> None:
        if output.wants_json(ctx):
            output.emit_document(_places_document(places))

    announce = _say_nothing if inherited(ctx)["log"] == "off" else output.remark
    serve(config, announce=announce, on_ready=on_ready)


def _read_cosigner_key(text: str) -> VerifierKey:
    """Return the key that a `--cosigner-key` gives; a refusal names the flag."""
    from qed.client.pins import read_cosigner_key  # noqa: PLC0415 - as above
    from qed.errors import MalformedError, NotFoundError  # noqa: PLC0415

    try:
        return read_cosigner_key(text)
    except (MalformedError, NotFoundError) as error:
        error.message = f"--cosigner-key: {error.message}"
        raise


@store.command("check", cls=Command, help=_CHECK_HELP)
@click.argument("path", type=values.PATH, required=False)
@_db_path_flag()
@click.pass_context
def check(ctx: click.Context, path: Path | None, db_path: Path | None) -> None:
    """Check the store and print what it holds."""
    target = _one_path(ctx, path, db_path)
    with server_part():
        from qed.snapshot_store.check import check_store  # noqa: PLC0415 - not in a plain install
    with progress_bar("checking", unit="snapshots") as progress:
        report = check_store(target, progress)
    if output.wants_json(ctx):
        output.emit_document(_report_document(target, report))
    else:
        output.emit(_report_form(target, report))


@store.command("alerts", cls=Command, help=_ALERTS_HELP)
@click.argument("path", type=values.PATH, required=False)
@_db_path_flag()
@flag("--evidence-dir", type=values.PATH, default=None, help="Write the evidence files there.")
@click.pass_context
def alerts(
    ctx: click.Context, path: Path | None, db_path: Path | None, evidence_dir: Path | None
) -> None:
    """Print every alert, the oldest first."""
    target = _one_path(ctx, path, db_path)
    with server_part():
        from qed.client.evidence import write_evidence  # noqa: PLC0415 - not in a plain install
        from qed.snapshot_store.store import Store  # noqa: PLC0415
    with Store.open(target) as opened:
        found = opened.alerts.listed()
        names = opened.alerts.evidence_names()
        files = [opened.alerts.evidence(name) for name in names] if evidence_dir else []
    written = [str(write_evidence(evidence_dir, data)) for data in files] if evidence_dir else []
    if output.wants_json(ctx):
        listed = [_alert_document(alert) for alert in found]
        output.emit_document({"Alerts": listed, "Evidence": written or names})
        return
    output.emit("".join(_alert_form(alert) for alert in found))
    for name in written or names:
        output.remark(f"evidence {name}")


def _one_path(ctx: click.Context, path: Path | None, db_path: Path | None) -> Path:
    if path is not None and db_path is not None and path != db_path:
        raise click.UsageError("say the path once: as an argument or with --db-path", ctx)
    return path or db_path or paths.default_store_path()


def _say_nothing(text: str) -> None:
    del text


def _places_document(places: StorePlaces) -> dict[str, object]:
    """Return where the store answers, as it is printed once it does."""
    from qed.signing.note import format_verifier_key  # noqa: PLC0415 - only a store prints it

    return {
        "Store": str(places.store),
        "Metrics": str(places.metrics),
        "Key": format_verifier_key(places.key),
    }


def _report_form(path: Path, report: Report) -> str:
    lines = [
        f"{path}: every root agrees with the snapshots",
        f"    Snapshots: {report.snapshots}",
        f"    Published: {report.published_size}",
        f"    Root: {report.root.hex()}",
        f"    Origin: {report.origin}",
        f"    Alerts: {report.alerts}",
        f"    Conflicts: {report.conflicts}",
        f"    Evidence: {report.evidence}",
    ]
    return "\n".join(lines) + "\n"


def _report_document(path: Path, report: Report) -> dict[str, object]:
    return {
        "Path": str(path),
        "Snapshots": report.snapshots,
        "Published": report.published_size,
        "Root": report.root.hex(),
        "Origin": report.origin,
        "Key": report.key,
        "Alerts": report.alerts,
        "Conflicts": report.conflicts,
        "Evidence": report.evidence,
    }


def _alert_form(alert: Alert) -> str:
    text = output.tame(alert.text).replace("\n", "\n    ")  # anybody may post one
    return f"{_format_time(alert.when_s)} {_raised_by(alert)}: {text}\n"


def _alert_document(alert: Alert) -> dict[str, object]:
    return {
        "Number": alert.number,
        "Time": _format_time(alert.when_s),
        "By": _raised_by(alert),
        "Text": alert.text,
    }


def _raised_by(alert: Alert) -> str:
    return "store" if alert.is_own else "posted"


def _format_time(when_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when_s))
