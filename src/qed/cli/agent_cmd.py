"""`qed agent`: programs that copy what a log has signed, watch it, and ask it to prove itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from qed.cli import output, values
from qed.cli.agent_flags import AgentFlags, agent_flags, read_flags
from qed.cli.groups import Command, Group, flag, inherited
from qed.cli.server_part import server_part

if TYPE_CHECKING:  # agents are not part of a plain install
    from qed.agents.runtime import Station, Work
    from qed.agents.trust import Trust
    from qed.client.feed import Source
    from qed.web.addresses import Address

    Open = Callable[[str], Source]
    BuildWorks = Callable[[AgentFlags, Station, Trust, Open], Sequence[Work]]

_HELP = """Run an agent: the publisher, the auditor or the monitor of a log.

\b
  qed agent publisher --qed-endpoints http://127.0.0.1:8800 --store-endpoint http://127.0.0.1:8888
  qed agent monitor --qed-endpoints http://127.0.0.1:8800 --store-endpoint http://127.0.0.1:8888
  qed agent auditor --qed-endpoints http://127.0.0.1:8800 --store-endpoint http://127.0.0.1:8888

docs/agents.md says what each of them finds out, and what it cannot.
"""
_PUBLISHER_HELP = """Bring what a log has signed into every snapshot store, at least once.

\b
  qed agent publisher --start-join 127.0.0.1:8400 --store-endpoint http://127.0.0.1:8888
  qed agent publisher --store-endpoint http://a:8888,http://b:8888 --key log.vkey

It reads the server's feed and verifies it; of what does not verify nothing is published.
"""
_MONITOR_HELP = """Watch that everything a log signs, wherever it is served, is of one history.

\b
  qed agent monitor --store-endpoint http://127.0.0.1:8888 --notifier-endpoint stdout
  qed agent monitor --qed-endpoints http://a:8800,http://b:8800 --max-lag-age 30s
  qed agent monitor --once --json

With --once: 0 when all is well, 31 for two histories, 30 for what does not verify, 24 for a place
that does not answer, 25 for one that is behind.
"""
_AUDITOR_HELP = """Ask the server to prove each published snapshot, and recompute every root.

\b
  qed agent auditor --store-endpoint http://127.0.0.1:8888 --notifier-endpoint stdout
  qed agent auditor --sampling 0.1 --replay=false

The snapshots are those of the store, so that the server cannot choose what it is asked about.
"""


class Share(click.ParamType[float]):
    """A part of everything: 0 to 1, in plain decimal."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        text = str(value)
        whole, _, rest = text.partition(".")
        if not (text.isascii() and (whole + rest).isdigit()) or not 0 <= float(text) <= 1:
            self.fail(f"{value!r} is not a number from 0 to 1, such as 0.25", param, ctx)
        return float(text)


agent = Group("agent", help=_HELP, flags=agent_flags())


@agent.command("publisher", cls=Command, service=True, help=_PUBLISHER_HELP)
@click.pass_context
def publisher(ctx: click.Context) -> None:
    """Publish until SIGTERM or SIGINT."""
    with server_part():
        from qed.agents.publisher import build_publisher  # noqa: PLC0415 - not in a plain install

    def build(
        flags: AgentFlags, station: Station, trust: Trust, open_place: Open
    ) -> Sequence[Work]:
        return build_publisher(
            station,
            trust,
            flags.servers,
            flags.stores,
            open_place,
            check_every_s=flags.interval_s,
        )

    _run(ctx, "publisher", build)


@agent.command("monitor", cls=Command, service=True, help=_MONITOR_HELP)
@click.pass_context
def monitor(ctx: click.Context) -> None:
    """Watch until SIGTERM or SIGINT."""
    with server_part():
        from qed.agents.monitor import Thresholds, build_monitor  # noqa: PLC0415 - as above

    def build(
        flags: AgentFlags, station: Station, trust: Trust, open_place: Open
    ) -> Sequence[Work]:
        thresholds = Thresholds(flags.interval_s, flags.max_lag, flags.max_lag_age_s)
        return build_monitor(
            station, trust, flags.servers, flags.stores, open_place, thresholds=thresholds
        )

    _run(ctx, "monitor", build)


@agent.command("auditor", cls=Command, service=True, help=_AUDITOR_HELP)
@flag("--sampling", type=Share(), default=1.0, help="Share of the snapshots that are asked about.")
@flag(
    "--replay",
    type=values.BOOL,
    default=True,
    show_default="true",
    help="Recompute every root from the published leaves, all the time.",
)
@click.pass_context
def auditor(ctx: click.Context, /, *, sampling: float, replay: bool) -> None:
    """Audit until SIGTERM or SIGINT."""
    with server_part():
        from qed.agents.auditor import build_auditor  # noqa: PLC0415 - as above

    def build(
        flags: AgentFlags, station: Station, trust: Trust, open_place: Open
    ) -> Sequence[Work]:
        return build_auditor(
            station,
            trust,
            flags.stores,
            flags.servers[0],
            open_place,
            sampling=sampling,
            replay=replay,
            interval_s=flags.interval_s,
        )

    _run(ctx, "auditor", build)


def _run(ctx: click.Context, role: str, build_works: BuildWorks) -> None:
    """Run an agent to its end."""
    from qed.agents.notifiers import open_notifier  # noqa: PLC0415 - not in a plain install
    from qed.agents.runtime import AgentConfig, run_agent  # noqa: PLC0415
    from qed.agents.trust import Trust  # noqa: PLC0415
    from qed.client.feed import open_source  # noqa: PLC0415
    from qed.web.process import step_back  # noqa: PLC0415

    flags = read_flags(inherited(ctx), role)
    notifiers = [open_notifier(one, insecure=flags.insecure) for one in flags.notifiers]
    announce = _say_nothing if inherited(ctx)["log"] == "off" else output.remark
    for remark in flags.remarks:
        announce(remark)

    def build(station: Station) -> Sequence[Work]:
        def open_place(address: str) -> Source:
            source = open_source(
                address,
                timeout_s=flags.timeout_s,
                dial_timeout_s=flags.dial_timeout_s,
                insecure=flags.insecure,
            )
            return station.stack.enter_context(source)

        trust = Trust(flags.state_path / "pins" / "log.json", flags.key, announce)
        station.stack.callback(trust.flush)
        return build_works(flags, station, trust, open_place)

    def on_ready(address: Address | None) -> None:
        if output.wants_json(ctx) and not flags.once:
            output.emit_document(_document(role, flags, address))

    config = AgentConfig(
        role=role,
        state_path=flags.state_path,
        name=flags.node_name,
        metrics_addr=flags.metrics_addr,
        once=flags.once,
        longest_rest_s=max(flags.interval_s, 1.0),
    )
    step_back()  # behind a server on the same machine: whoever adds waits for nobody's audit
    run_agent(config, build, notifiers, announce=announce, on_ready=on_ready)
    if flags.once:
        _tell_done(ctx, role, flags)


def _tell_done(ctx: click.Context, role: str, flags: AgentFlags) -> None:
    """Print that a round has found nothing wrong."""
    if output.wants_json(ctx):
        output.emit_document(_document(role, flags, None))
        return
    places = ", ".join((*flags.servers, *flags.stores))
    output.emit(f"{role}: nothing wrong at {places}\n")


def _document(role: str, flags: AgentFlags, address: Address | None) -> dict[str, object]:
    """Return what the agent works on, as it is printed once it does."""
    return {
        "Role": role,
        "Metrics": None if address is None else str(address),
        "Servers": list(flags.servers),
        "Stores": list(flags.stores),
        "State": str(flags.state_path),
    }


def _say_nothing(text: str) -> None:
    del text
