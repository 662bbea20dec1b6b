"""`qed dev`: everything on this machine, to play with, without any configuration."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qed.cli import dev_process, output, paths, values
from qed.cli.dev_companions import Companions, Setting
from qed.cli.dev_process import DevState
from qed.cli.groups import Command, flag
from qed.cli.server_part import server_part
from qed.errors import UnavailableError

if TYPE_CHECKING:  # the server is not part of a plain install
    from qed.server.sites import Places

DATA = "127.0.0.1:8800"
MANAGEMENT = "127.0.0.1:8700"
METRICS = "127.0.0.1:8600"
STORE = "127.0.0.1:8888"

_STOPS = "qed dev --stop stops it"

_HELP = """Run everything on this machine for you to play with, without any configuration.

That is a log server, a snapshot store, and the three agents: the publisher brings what the server
signs to the store, auditor and monitor watch both. Their data is kept below --path and is there
again next time; what they say lies in --path/output. What already runs is left alone.

\b
  qed dev             run here, until Ctrl-C
  qed dev --detach    run in the background; returns once it answers
  qed dev --stop      stop that
"""


@click.command("dev", cls=Command, service=True, log_level="warn", help=_HELP)
@flag("--detach", type=values.BOOL, default=False, help="Run in the background.")
@flag("--stop", type=values.BOOL, default=False, help="Stop what runs in the background.")
@flag(
    "--path",
    type=values.PATH,
    default=None,
    show_default="$XDG_DATA_HOME/qed/dev",
    help="Where its data lies.",
)
@flag("--http-addr", type=values.ADDRESS, default=DATA, help="Data port.")
@flag("--mgmt-addr", type=values.ADDRESS, default=MANAGEMENT, help="Management port.")
@flag("--metrics-addr", type=values.ADDRESS, default=METRICS, help="Metrics port.")
@flag("--store-addr", type=values.ADDRESS, default=STORE, help="The snapshot store's port.")
@flag("--ready-fd", type=click.IntRange(3), default=None, hidden=True)
@click.pass_context
def dev(ctx: click.Context, /, **flags: Any) -> None:
    """Start, or stop, or say what runs already."""
    path: Path = (flags["path"] or paths.default_dev_path()).absolute()
    if flags["stop"]:
        if flags["detach"]:
            raise click.UsageError("say one of --detach and --stop", ctx)
        _stop(ctx, path)
    elif flags["detach"]:
        _detach(ctx, path, flags)
    else:
        _run(ctx, path, flags)


def _run(ctx: click.Context, path: Path, flags: dict[str, Any]) -> None:
    """Serve in this process until it is told to stop."""
    with server_part():
        from qed.server.config import ServerConfig  # noqa: PLC0415 - not in a plain install
        from qed.server.start import serve  # noqa: PLC0415 - as above
        from qed.web.stop import Stop  # noqa: PLC0415 - as above
    ready_fd: int | None = flags["ready_fd"]
    if ready_fd is not None:
        os.set_inheritable(ready_fd, False)  # noqa: FBT003 - the name is all there is
    config = ServerConfig(
        db_path=path / "db",
        http_addr=flags["http_addr"],
        mgmt_addr=flags["mgmt_addr"],
        metrics_addr=flags["metrics_addr"],
    )

    stop = Stop()
    beside: list[Companions] = []

    def on_ready(places: Places) -> None:
        setting = Setting(path, f"http://{places.data.address}", flags["store_addr"], "warn")

        def everything_answers(key: str) -> None:
            state = DevState(
                pid=os.getpid(),
                data=setting.data,
                management=f"http://{places.management.address}",
                metrics=f"http://{places.metrics.address}/metrics",
                store=setting.store_url,
                db_path=str(config.db_path),
                verifier_key=key,
            )
            dev_process.write_state(path, state)
            if ready_fd is not None:
                dev_process.tell_ready(ready_fd)
            _tell_running(ctx, path, state, "Ctrl-C stops it" if ready_fd is None else _STOPS)

        beside.append(Companions(setting, everything_answers, stop.request, output.remark))
        beside[0].start()

    with dev_process.hold(path) as mine:
        if mine:
            try:
                serve(config, announce=output.remark, stop=stop, on_ready=on_ready)
            finally:
                for companions in beside:
                    companions.stop()
            return
    _tell_already(ctx, path)


def _detach(ctx: click.Context, path: Path, flags: dict[str, Any]) -> None:
    """Serve in another process and return once it answers."""
    if dev_process.is_running(path):
        _tell_already(ctx, path)
        return
    names = ("http_addr", "mgmt_addr", "metrics_addr", "store_addr")
    words = [f"--{name.replace('_', '-')}={flags[name]}" for name in names]
    try:
        state = dev_process.start_apart(path, words)
    except UnavailableError:
        if not dev_process.is_running(path):
            raise
        _tell_already(ctx, path)  # somebody else was faster
        return
    _tell_running(ctx, path, state, _STOPS)


def _stop(ctx: click.Context, path: Path) -> None:
    """Stop what runs; that nothing runs is fine too."""
    stopped = dev_process.stop(path)
    if output.wants_json(ctx):
        output.emit_document({"Running": False, "Stopped": stopped})
    else:
        output.emit("qed dev is stopped\n" if stopped else "qed dev is not running\n")


def _tell_already(ctx: click.Context, path: Path) -> None:
    state = dev_process.read_state(path)
    if state is not None:
        _tell_running(ctx, path, state, f"it ran already; {_STOPS}")
    elif output.wants_json(ctx):
        output.emit_document({"Running": False, "Starting": True})
    else:
        output.emit("qed dev is starting in another process\n")


def _tell_running(ctx: click.Context, path: Path, state: DevState, remark: str) -> None:
    """Print the addresses and what to type next."""
    if output.wants_json(ctx):
        fields = asdict(state)
        output.emit_document({"Running": True, **{_label(name): fields[name] for name in fields}})
        return
    client = "qed client"
    if not state.data.endswith(DATA):
        client += f" --endpoints {state.data}"
    if not state.store.endswith(STORE):
        client += f" --snapshot-store-url {state.store}"
    backup = "qed backup"
    if not state.management.endswith(MANAGEMENT):
        backup = f"qed backup --endpoint {state.management}"
    key = shlex.quote(str(path / "verifier-key"))
    output.emit(
        f"qed dev is running (process {state.pid}); {remark}\n"
        f"    data port        {state.data}\n"
        f"    management port  {state.management}\n"
        f"    metrics port     {state.metrics}\n"
        f"    snapshot store   {state.store}\n"
        f"    database         {state.db_path}\n"
        f"    verifier key     {state.verifier_key}\n"
        "\n"
        "Type next:\n"
        f"    {client} add --event 'event 0'\n"
        f"    {client} membership --event 'event 0' --auto-verify\n"
        f"    {client} receipt --event 'event 0' -o event0.tlog-proof\n"
        f"    qed verify event0.tlog-proof --event 'event 0' --key {key}\n"
        f"    {backup} create\n"
        f"    {backup} list\n"
    )


def _label(name: str) -> str:
    """Return a field's name as the other documents write theirs."""
    return "".join(part.capitalize() for part in name.split("_"))
