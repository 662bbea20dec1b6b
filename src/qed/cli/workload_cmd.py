"""`qed workload`: put load on a log server, and check what it answers."""

from __future__ import annotations

from typing import Any

import click

from qed.cli import exit_codes, output, values
from qed.cli.groups import Command, flag
from qed.cli.progress import progress_bar
from qed.errors import MalformedError
from qed.workload.plan import (
    DEFAULT_MIX,
    DEFAULT_REQUESTS,
    KINDS,
    MAX_BULK,
    MAX_CONNECTIONS,
    MAX_NUMBER,
    MAX_RATE,
    MAX_TIME_S,
    SAMPLE,
    VERIFY,
    Plan,
)
from qed.workload.report import Result, document_of, format_result

_HELP = """Put load on a log server, check every answer, and say how long they took.

The kinds: add (one event a request), bulk and digests (--bulk-size events a request), membership
and incremental (one proof a request), mixed (see --mix). Event number 7 is the text "event 7".

\b
  qed workload --kind add --num-requests 20000 --max-go-routines 64
  qed workload --kind add --size 20000 --rate 500 --duration 1m0s
  qed workload --kind membership --size 20000 --seed 1 --duration 30s
  qed workload --kind mixed --mix add=1,membership=4 --duration 30s --json

Without --rate each connection sends its next request when it has the answer to the last. With it
requests leave at that rate, and a latency counts from when the request was due: what a stall does
to everybody who waits is in the figures.

What is added stays in the log for ever: do not put load on one that matters.
"""


class Mix(click.ParamType[tuple[tuple[str, int], ...]]):
    """Kinds with their weights: `add=1,membership=4`."""

    name = "kind=n,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, int], ...]:
        """Return pairs; whether they are kinds that can be mixed is for the plan to say."""
        if isinstance(value, tuple):
            return value
        pairs = []
        for part in value.split(","):
            kind, mark, weight = part.strip().partition("=")
            if not mark or not (
                weight.isascii() and weight.isdigit() and len(weight) <= len("1000")
            ):
                self.fail(f"{part!r} is not a kind and its weight, such as add=1", param, ctx)
            pairs.append((kind, int(weight)))
        return tuple(pairs)


class Rate(click.ParamType[float]):
    """Requests a second, in plain decimal."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        text = str(value)
        whole, _, rest = text.partition(".")
        if not (text.isascii() and (whole + rest).isdigit()) or not 0 < float(text) <= MAX_RATE:
            self.fail(f"{value!r} is not a number above 0, at most {MAX_RATE:,.0f}", param, ctx)
        return float(text)


def _format_mix(mix: tuple[tuple[str, int], ...]) -> str:
    return ",".join(f"{kind}={weight}" for kind, weight in mix)


_TIME = values.Duration(at_least_s=0.001, at_most_s=MAX_TIME_S)
_NUMBER = values.Count(MAX_NUMBER, at_least=0)


@click.command("workload", cls=Command, help=_HELP)
@flag("--kind", type=click.Choice(KINDS), default=None, help="What to send.")
@flag(
    "--endpoints",
    type=values.ListOf(values.URL),
    multiple=True,
    default=["http://localhost:8800"],
    show_default="http://localhost:8800",
    help="Data ports of one log; the connections are shared out over them.",
)
@flag(
    "--num-requests",
    type=values.Count(MAX_NUMBER),
    default=None,
    show_default=f"{DEFAULT_REQUESTS}; no bound with --duration",
    help="Events to send or to ask about (a bulk of 20 is 20); requests, if mixed.",
)
@flag("--bulk-size", type=values.Count(MAX_BULK), default=20, help="Events of a bulk.")
@flag(
    "--offset",
    type=_NUMBER,
    default=0,
    show_default="0",
    help="Number of the first event; first start version of incremental proofs.",
)
@flag(
    "--incremental-delta",
    type=_NUMBER,
    default=1000,
    help="Versions between the two of an incremental proof.",
)
@flag(
    "--max-go-routines",
    type=values.Count(MAX_CONNECTIONS),
    default=10,
    help="Connections, each with one request at a time.",
)
@flag("--insecure", type=values.BOOL, default=False, help="Take a certificate unchecked.")
@flag(
    "--duration",
    type=_TIME,
    default=None,
    show_default=False,
    help="How long to send, the warm-up not counted.",
)
@flag("--warmup", type=values.DURATION, default=0.0, help="How long to send before measuring.")
@flag("--rate", type=Rate(), default=None, help="Requests a second, come what may (open loop).")
@flag(
    "--mix",
    type=Mix(),
    default=None,
    show_default=_format_mix(DEFAULT_MIX),
    help="For mixed: how many of each kind.",
)
@flag(
    "--size",
    type=_NUMBER,
    default=None,
    help="Events that are there already, numbered from --offset: adding goes on behind them, and"
    " that one of them is absent is a false answer.",
)
@flag(
    "--seed",
    type=values.Count(2**64 - 1, at_least=0),
    default=None,
    help="Ask in an order drawn from this number; one after the other without.",
)
@flag("--label", type=values.TEXT, default="event ", help="What stands before an event's number.")
@flag(
    "--verify",
    type=click.Choice(VERIFY),
    default=SAMPLE,
    help="Which proofs to verify in full; the rest of every answer is always checked.",
)
@flag(
    "--alone",
    type=values.BOOL,
    default=False,
    help="Nobody else adds: a version that was given to nobody is a false answer.",
)
@flag("--timeout", type=_TIME, default=30.0, help="Time for one answer.")
@flag("--api-key", type=values.TEXT, default=None, accepted=True)
@flag("--offload", type=values.BOOL, default=False, accepted=True)
@flag("--profiling", type=values.BOOL, default=False, accepted=True)
@click.pass_context
def workload(ctx: click.Context, /, **flags: Any) -> None:
    """Run the load, print what it came to, and leave with the code of what went wrong."""
    plan = read_flags(ctx, flags)
    from qed.workload.runner import loop_factory, run  # noqa: PLC0415 - not for --help

    if loop_factory() is None:
        output.remark(
            "uvloop is not installed, so the load generator takes more of the processor;"
            " python3 -m pip install 'qed[server]' brings it"
        )
    unit = "requests" if plan.duration_s is None else "seconds"
    with progress_bar(f"workload {plan.kind}", unit=unit) as report:
        progress = None
        if report is not None:
            shown = report

            def progress(done: float, total: float) -> None:
                shown(int(done), int(total))

        result = run(plan, progress=progress)
    _tell(ctx, result)


def read_flags(ctx: click.Context, flags: dict[str, Any]) -> Plan:
    """Return the plan that the flags say.

    Errors: click's UsageError for flags that do not belong together.
    """
    if flags["kind"] is None:
        raise click.UsageError(f"say --kind: one of {', '.join(KINDS)}", ctx)
    if flags["mix"] is not None and flags["kind"] != "mixed":
        raise click.UsageError("--mix only with --kind mixed", ctx)
    endpoints = tuple(each for part in flags["endpoints"] for each in part)
    try:
        return Plan(
            kind=flags["kind"],
            endpoints=endpoints,
            connections=flags["max_go_routines"],
            num_requests=flags["num_requests"],
            duration_s=flags["duration"],
            warmup_s=flags["warmup"],
            rate=flags["rate"],
            bulk_size=flags["bulk_size"],
            offset=flags["offset"],
            size=flags["size"],
            incremental_delta=flags["incremental_delta"],
            mix=flags["mix"] or DEFAULT_MIX,
            label=flags["label"],
            seed=flags["seed"],
            verify=flags["verify"],
            alone=flags["alone"],
            insecure=flags["insecure"],
            timeout_s=flags["timeout"],
        )
    except MalformedError as error:
        raise click.UsageError(error.message, ctx) from error


def _tell(ctx: click.Context, result: Result) -> None:
    """Print the result; what went wrong is part of its document, and decides the exit code."""
    error = result.error
    if output.wants_json(ctx):
        said = None if error is None else output.describe_error(error)["error"]
        output.emit_document({**document_of(result), "Error": said})
    else:
        output.emit(format_result(result))
    if error is not None:
        output.tell_error(output.describe_error(error), as_json=False)
        ctx.exit(exit_codes.exit_code(error))
    if result.interrupted:
        ctx.exit(exit_codes.INTERRUPTED)
