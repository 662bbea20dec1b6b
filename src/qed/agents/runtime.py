"""What all agents share: one directory, one metrics port, works in threads, a graceful stop.

An agent is one or several `Work`s. Each has a thread of its own that calls `step` over and over;
the main thread serves the metrics. The promises that hold for every agent:

- A position is written after the work that it stands for (`positions`), so a kill at any instant
  repeats work and skips none.
- A step that fails is tried again, later each time (`backoff`). An error of our own disk, or a bug,
  stops the whole agent: a thread that ended alone would look like peace.
- SIGTERM lets each step in hand finish, for `STOP_S` at most; what is not finished then is as safe
  as after kill -9.
- One agent a directory: a second one is refused.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from qed import durable
from qed.agents.alerts import FALSE_KINDS, SIGNED_KINDS, Alert, Alerts
from qed.agents.backoff import LONGEST_S, BackOff
from qed.agents.metrics import AgentMetrics, Progress
from qed.agents.outbox import CLOSE_S, Notifier, Outbox
from qed.agents.positions import PositionFile, safe_name
from qed.errors import (
    ContradictionError,
    FatalError,
    LockedError,
    QedError,
    StoppingError,
    VerificationError,
)
from qed.web.addresses import Address, bind, bound_address, parse_address
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.web.run import Site, run
from qed.web.stop import Stop

METRICS_FLAG = "--metrics-addr"
STOP_S = 15.0
_DRAIN_S = 2.0  # for a scrape in flight

Announce = Callable[[str], None]


class Work(Protocol):
    """One thing that an agent does over and over, in a thread of its own."""

    @property
    def progress(self) -> Progress:
        """How it stands; `Station.progress` makes it."""

    def step(self) -> float | None:
        """Do one bounded piece; return the seconds to rest (0: none), None when all is done.

        A failed check is told with `Station.alert` before it is raised. Any `QedError` but a
        `FatalError` is counted, and the step is made again after a rest.
        """


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Who an agent is and where it keeps what it knows.

    With `once` each work ends at its first step that returns None or raises, no port is opened,
    and `run_agent` raises the gravest of what was raised.
    """

    role: str
    state_path: Path
    name: str = ""  # in the metrics; the role without
    metrics_addr: str = ""  # none: no port
    once: bool = False
    longest_rest_s: float = LONGEST_S  # after failures


@dataclass(slots=True)
class Station:
    """What an agent's works have in common; `halt` is set when the agent is to end.

    What `stack` is given is closed behind the last step.
    """

    config: AgentConfig
    alerts: Alerts
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    halt: threading.Event = field(default_factory=threading.Event)
    all_progress: list[Progress] = field(default_factory=list)  # grows while works are built
    full_kinds: set[str] = field(default_factory=set)  # of evidence; that no more is kept was said

    @property
    def evidence_path(self) -> Path:
        """The directory of the evidence files."""
        return self.config.state_path / "evidence"

    def position(self, name: str) -> PositionFile:
        """Return the position file of one work, `<state>/positions/<name>.json`."""
        return PositionFile(self.config.state_path / "positions" / f"{safe_name(name)}.json")

    def progress(self, name: str, *, versions: bool = True) -> Progress:
        """Return the numbers of one work, shown from now on under its name."""
        one = Progress(name, versions)
        self.all_progress.append(one)
        return one

    def alert(self, kind: str, subject: str, text: str, evidence: Path | None = None) -> bool:
        """Tell of a failed check, durable when this returns; False when it is only counted."""
        return self.alerts.tell(Alert(kind, subject, text, evidence))


Build = Callable[[Station], Sequence[Work]]


def run_agent(  # noqa: PLR0913 - the last two are for those who test
    config: AgentConfig,
    build: Build,
    notifiers: Sequence[Notifier] = (),
    *,
    announce: Announce = lambda _text: None,
    stop: Stop | None = None,
    on_ready: Callable[[Address | None], None] = lambda _address: None,
) -> None:
    """Run an agent until SIGTERM, SIGINT, `stop`, or the end of all its works.

    Raises what keeps it from starting (an address in use, `LockedError` when another agent has the
    directory, what `build` raises), the `FatalError` or the bug that stopped it, and with
    `config.once` the gravest error of a step, `StoppingError` for a round that was cut short, or
    `VerificationError` where a false claim was told of without ending a step.
    """
    stop = stop or Stop()
    with stop.on_signals(), contextlib.ExitStack() as stack:
        # 1. The address, before a file is touched.
        listener = None
        if config.metrics_addr and not config.once:
            address = parse_address(config.metrics_addr, METRICS_FLAG)
            listener = bind(address, METRICS_FLAG)
            stack.callback(listener.close)
        # 2. From here on nobody else has the directory.
        stack.enter_context(_hold(config.state_path))
        # 3. Who is told, and what was left to tell them by an earlier process.
        outboxes = _open_outboxes(config.state_path / "alerts", notifiers)
        station = Station(config, Alerts(outboxes))
        stack.enter_context(station.stack)
        crew = _Crew(station, stop)
        # 4. The works. Making them may ask servers whose key is not pinned yet.
        crew.works = tuple(build(station))
        for outbox in outboxes:
            outbox.start()
        stack.callback(_close_outboxes, outboxes)
        # 5. Serve, and work. The stop: every step in hand is finished.
        sites: list[Site] = []
        bound = None
        if listener is not None:
            bound = bound_address(address, listener)
            metrics = AgentMetrics(
                config.role,
                config.name or config.role,
                station.all_progress,
                station.alerts,
                _count_waiting(outboxes),
            )
            application = Application(metrics.routes(), WebLimits())
            sites.append(Site("metrics", METRICS_FLAG, bound, listener, application))
            announce(f"metrics port http://{bound}/metrics")

        def ready() -> None:
            crew.start()
            on_ready(bound)

        try:
            run(sites, stop=stop, drain_s=_DRAIN_S, on_ready=ready, on_stop=station.halt.set)
        finally:
            crew.join()
        # 6. Leaving the block tries once more to deliver what waits; then the directory goes.
    crew.raise_what_stopped()
    if config.once:
        _raise_what_was_told(station.alerts)
    else:
        announce("stopped")


class _Crew:
    """The threads of the works, and what ended them."""

    def __init__(self, station: Station, stop: Stop) -> None:
        self.works: Sequence[Work] = ()
        self._station = station
        self._stop = stop
        self._lock = threading.Lock()  # guards the two below
        self._errors: list[BaseException] = []
        self._left = 0  # threads that have not ended
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to work; with no work there is nothing to wait for."""
        self._left = len(self.works)
        if not self.works:
            self._stop.request()
        for work in self.works:
            name = work.progress.name
            thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self) -> None:
        """Wait for every step in hand, `STOP_S` at most in all."""
        self._station.halt.set()
        deadline_s = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                structlog.get_logger().warning("stopped with a step in hand", work=thread.name)

    def raise_what_stopped(self) -> None:
        """Raise the gravest error that was kept, if any."""
        with self._lock:
            if self._errors:
                raise max(self._errors, key=_gravity)

    def _run(self, work: Work) -> None:
        try:
            self._repeat(work)
        except BaseException as error:  # noqa: BLE001 - it is raised in the main thread
            with self._lock:
                self._errors.append(error)
            if not self._station.config.once:
                self._stop.request()
        finally:
            with self._lock:
                self._left -= 1
                last = self._left == 0
            if last:
                self._stop.request()

    def _repeat(self, work: Work) -> None:
        """Make one step after the other until the agent is to end, or there is none left."""
        progress, halt, once = work.progress, self._station.halt, self._station.config.once
        back_off = BackOff(longest_s=self._station.config.longest_rest_s)
        while not halt.is_set():
            try:
                rest_s = work.step()
            except FatalError:
                raise
            except QedError as error:
                progress.failures[error.code] += 1
                if once:
                    raise
                rest_s = back_off.next_s()
                if not halt.is_set():
                    _say_failed(progress.name, error, back_off.failures, rest_s)
            else:
                if back_off.failures:
                    structlog.get_logger().info("works again", work=progress.name)
                back_off.reset()
                progress.steps += 1
                progress.last_success_s = time.time()
            if rest_s is None:
                return
            halt.wait(rest_s)
        if once:
            raise StoppingError("stopped before the round was over: nothing is said of the rest")


def _raise_what_was_told(alerts: Alerts) -> None:
    """Raise if a round found a false claim and went on: whoever waits for its end has to know.

    A false answer ends no step, since the questions after it are asked too.
    """
    signed, unsigned = (
        [kind for kind in kinds if alerts.raised[kind]] for kinds in (SIGNED_KINDS, FALSE_KINDS)
    )
    if not signed and not unsigned:
        return
    error = ContradictionError if signed else VerificationError
    raise error(
        f"the round has raised alerts: {', '.join((*signed, *unsigned))}",
        step="alerts",
        hint="the log says what was found and where the evidence is",
    )


def _say_failed(work: str, error: QedError, failures: int, rest_s: float) -> None:
    """Log a failure: the first in a row as a warning, its repetitions for those who look."""
    say = structlog.get_logger().warning if failures == 1 else structlog.get_logger().debug
    say(
        "step failed, trying again",
        work=work,
        why=error.message,
        hint=error.hint,
        rest_s=round(rest_s, 2),
        failures=failures,
    )


def _gravity(error: BaseException) -> tuple[int, int]:
    """Order errors: bugs, then the later branches of the tree, then the more special ones."""
    if not isinstance(error, QedError):
        return (9, 0)
    order = ["request", "unavailable", "verification", "fatal"]
    branches = [branch.code for branch in type(error).__mro__ if issubclass(branch, QedError)]
    found = [order.index(code) for code in branches if code in order]
    return (max(found, default=0), len(branches))


@contextlib.contextmanager
def _hold(state_path: Path) -> Iterator[None]:
    """Make the directory and hold its lock; a refusal says that another agent has it."""
    for path in (state_path, state_path / "positions", state_path / "evidence"):
        durable.make_directory(path)

    def refusal() -> LockedError:
        return LockedError(
            f"another agent works in {state_path}",
            hint="stop it, or give this one a directory of its own with --state-path",
        )

    with durable.lock_directory(state_path, exclusive=True, refusal=refusal):
        yield


def _open_outboxes(directory: Path, notifiers: Sequence[Notifier]) -> list[Outbox]:
    return [Outbox(directory / safe_name(one.name), one) for one in notifiers]


def _close_outboxes(outboxes: Sequence[Outbox]) -> None:
    """Let all of them deliver what waits at the same time, for `CLOSE_S` in all."""
    deadline_s = time.monotonic() + CLOSE_S
    for outbox in outboxes:
        outbox.begin_to_close()
    for outbox in outboxes:
        outbox.close(max(0.0, deadline_s - time.monotonic()))


def _count_waiting(outboxes: Sequence[Outbox]) -> Callable[[], int]:
    return lambda: sum(outbox.waiting for outbox in outboxes)
