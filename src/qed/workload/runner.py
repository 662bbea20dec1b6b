"""Run a load: the programmatic entry, in this process or in one of its own.

In this process, from a thread that has no running event loop:

    from qed.workload.plan import Plan
    from qed.workload.runner import run

    result = run(Plan("membership", endpoints=["http://127.0.0.1:8800"], connections=16,
                      size=1_000_000, seed=1, warmup_s=2, duration_s=10))
    result.total.requests_per_s, result.total.latency_ms["p99"], result.error

In a process of its own, so that it shares no interpreter with what is measured: one JSON object on
standard input, the fields of `Plan` by name (all but `kind` may be missing), and JSON lines on
standard output, each flushed at once:

    python -m qed.workload.runner < plan.json

    {"State": "measuring"}                      the warm-up is over, the window begins
    {"State": "measured"}                       its last answer has come; checks may follow
    {"State": "done", "Result": {...}, "Error": null or {"code", "message", "hint"}}

`Result` is `report.document_of`: `Requests`, `Items`, `Errors`, `Seconds`, `RequestsPerS`,
`ItemsPerS`, `LatencyMs` {p50, p90, p99, p99.9, max, mean}, `GeneratorCpuUs`, `NextNumber` and
more; null when it could not begin. The exit code is 0 when `Error` is null and else 1.

Events are numbered from 0 over several runs: a plan says with `size` how many are there already,
so that one that adds goes on behind them, and in one that asks an answer that one of them is absent
is wrong. The `NextNumber` of a run that added is the `size` of the next plan.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

from qed.errors import MalformedError, QedError, VerificationError
from qed.workload.answers import Judge
from qed.workload.asker import Asker
from qed.workload.connection import read_target
from qed.workload.ledger import Ledger
from qed.workload.load import Load, Progress
from qed.workload.plan import MIXED, NOTHING, Plan, read_plan
from qed.workload.questions import Questions
from qed.workload.recheck import count_others, recheck
from qed.workload.report import Checked, Result, document_of
from qed.workload.tally import total_of

ABORT_S = 2.0  # how long an interrupted load waits for the answers that are still to come
_PLAN_LIMIT_BYTES = 1024 * 1024
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(
    plan: Plan,
    *,
    on_window: Callable[[], None] | None = None,
    on_measured: Callable[[], None] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run a load to its end and return what it came to, also when it failed on the way.

    SIGINT and SIGTERM end it early, when this is the main thread.

    Args:
        plan: what to run.
        on_window: called when the warm-up is over and the measuring begins.
        on_measured: called when the last answer has come; what was added is then asked for.
        progress: called ten times a second with what is done and what there is to do: seconds when
            the plan has a duration, else requests.

    Raises:
        QedError: it could not begin: nobody answers, or the plan does not fit the log.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(plan, on_window, on_measured, progress))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return how to make uvloop's loop, or None (Python's own) where it is not installed."""
    try:
        import uvloop  # noqa: PLC0415 - not in a plain install
    except ModuleNotFoundError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run(
    plan: Plan,
    on_window: Callable[[], None] | None,
    on_measured: Callable[[], None] | None,
    progress: Progress | None,
) -> Result:
    targets = [read_target(endpoint, insecure=plan.insecure) for endpoint in plan.endpoints]
    async with Asker(targets[0], plan.timeout_s) as asker:
        ledger = Ledger(await asker.current_version())
        questions = Questions(plan, ledger)
        judge = Judge(ledger, fresh=len(targets) == 1)
        load = Load(plan, targets, questions, ledger, judge, on_window=on_window, progress=progress)
        first_number = questions.next_number
        others = 0
        with _stopped_by_signals(load) as interrupted:
            await load.run()
            if on_measured is not None:
                on_measured()
            if load.failure is None and not interrupted:
                sure = not load.errors.counts
                numbers = range(first_number, questions.next_number) if sure else range(0)
                others = await _look_again(asker, load, ledger, judge, numbers)
    return _result(load, ledger, judge, questions, others=others, interrupted=bool(interrupted))


async def _look_again(
    asker: Asker, load: Load, ledger: Ledger, judge: Judge, numbers: range
) -> int:
    """Ask for what was added, if it is to be verified; return how many versions are others'."""
    plan, others = load.plan, 0
    try:
        if plan.adds:
            current = await asker.current_version()
            others = count_others(plan, ledger, current, load.events_unknown)
        if plan.verify != NOTHING:
            await recheck(plan, asker, ledger, judge, numbers)
    except VerificationError as error:
        load.failure = error
    except QedError as error:
        load.errors.count("afterwards", error.message)
    return others


@contextlib.contextmanager
def _stopped_by_signals(load: Load) -> Iterator[list[int]]:
    """Stop the load at a signal, and cut it off at a second one; give the signals that came."""
    loop = asyncio.get_running_loop()
    came: list[int] = []
    task = asyncio.current_task()

    def take(number: int) -> None:
        came.append(number)
        if len(came) == 1 and not load.over:
            load.stop()
            loop.call_later(ABORT_S, load.abort)
        elif load.over and task is not None:
            task.cancel()
        else:
            load.abort()

    handled = []
    for number in _SIGNALS:
        with contextlib.suppress(ValueError, RuntimeError):  # not the main thread
            loop.add_signal_handler(number, take, number)
            handled.append(number)
    try:
        yield came
    except asyncio.CancelledError:
        if not came:
            raise
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _result(  # noqa: PLR0913 - everything that a run leaves
    load: Load,
    ledger: Ledger,
    judge: Judge,
    questions: Questions,
    *,
    others: int,
    interrupted: bool,
) -> Result:
    plan = load.plan
    seconds = load.window_s[1] - load.window_s[0]
    counted = total_of("total" if plan.kind == MIXED else plan.kind, load.tallies.values())
    counted.times.add(load.waits)
    total = counted.row(seconds)
    rows = [tally.row(seconds) for tally in load.tallies.values()]
    return Result(
        kind=plan.kind,
        total=total,
        rows=rows if plan.kind == MIXED else [total],
        generator_cpu_us=load.cpu_s * 1e6 / max(1, total.requests + total.errors),
        generator_share=load.cpu_s / seconds if seconds else 0.0,
        generator_late_ms=load.late_s * 1e3 / max(1, load.late_count),
        refused=load.refused,
        errors=load.errors.counts,
        first_error=load.errors.first,
        unsent=load.unsent,
        events_added=ledger.acknowledged,
        events_unknown=load.events_unknown,
        events_by_others=others,
        next_number=questions.next_number,
        first_version=ledger.first_version,
        last_version=ledger.last_version,
        checked=Checked(
            judge.counts.answers,
            judge.counts.absent,
            judge.counts.proofs_verified,
            judge.counts.against_snapshots,
        ),
        window_s=load.window_s,
        interrupted=interrupted,
        failure=load.failure,
    )


def main(given: IO[str], told: IO[str]) -> int:
    """Run the plan that is given as JSON, tell its states and result as JSON lines."""

    def tell(state: str, **more: Any) -> None:
        told.write(json.dumps({"State": state, **more}) + "\n")
        told.flush()

    document = None
    try:
        result = run(
            _read_plan(given.read(_PLAN_LIMIT_BYTES + 1)),
            on_window=lambda: tell("measuring"),
            on_measured=lambda: tell("measured"),
        )
        document, error = document_of(result), result.error
    except QedError as refused:
        error = refused
    said = None
    if error is not None:
        said = {"code": error.code, "message": error.message, "hint": error.hint}
    tell("done", Result=document, Error=said)
    return 0 if error is None else 1


def _read_plan(text: str) -> Plan:
    try:
        if len(text) > _PLAN_LIMIT_BYTES:
            raise ValueError("it is too long")  # noqa: TRY301 - the same answer
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the plan is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise MalformedError("the plan is not a JSON object")
    return read_plan(values)


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
