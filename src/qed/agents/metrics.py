"""Every number that an agent's metrics port shows, and its name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from qed.agents.alerts import KINDS, Alerts
from qed.version import VERSION
from qed.web.application import Route
from qed.web.metrics import Collector, Metric, build_info, family, metrics_routes


@dataclass(slots=True)
class Progress:
    """How one work stands; written by its thread, read by a scrape.

    `position` versions are done, `head` are known to be there. A work that counts no versions says
    so, and shows neither.
    """

    name: str
    versions: bool = True
    position: int = 0
    head: int = 0
    steps: int = 0  # that ended well
    last_success_s: float | None = None  # unix time
    failures: Counter[str] = field(default_factory=Counter)  # by the code of the error

    @property
    def lag(self) -> int:
        """The versions that are there and not done."""
        return max(0, self.head - self.position)


@dataclass(frozen=True, slots=True, eq=False)
class AgentMetrics(Collector):
    """What one scrape collects; also the one route of the metrics port."""

    role: str
    node: str
    progress: Sequence[Progress]
    alerts: Alerts
    waiting: Callable[[], int]  # alerts that are not delivered yet, of all notifiers together
    clock: Callable[[], float] = time.time

    def routes(self) -> list[Route]:
        """Return the one route of the port."""
        return metrics_routes(self)

    def collect(self) -> Iterator[Metric]:
        """Yield how the works stand, then what was alerted."""
        yield from self._collect_works()
        yield from self._collect_alerts()
        labels = {"role": self.role, "node": self.node, "version": VERSION}
        yield build_info("qed_agent_build_info", "What it is.", labels)

    def _collect_works(self) -> Iterator[Metric]:
        position = family("qed_agent_position", "Versions done, by work.")
        lag = family("qed_agent_lag_versions", "Versions known to be there and not done.")
        steps = family("qed_agent_steps", "Steps that ended well.")
        age = family("qed_agent_last_success_age_seconds", "Since a step ended well.")
        failures = family("qed_agent_failures", "Steps that failed, by the code of the error.")
        for one in list(self.progress):
            work = {"work": one.name}
            if one.versions:
                position.add_sample(position.name, work, one.position)
                lag.add_sample(lag.name, work, one.lag)
            steps.add_sample(steps.name, work, one.steps)
            if one.last_success_s is not None:
                age.add_sample(age.name, work, max(0.0, self.clock() - one.last_success_s))
            for code, number in list(one.failures.items()):
                failures.add_sample(failures.name, {**work, "kind": code}, number)
        yield from (position, lag, steps, age, failures)

    def _collect_alerts(self) -> Iterator[Metric]:
        raised = family("qed_agent_alerts", "Alerts raised, those held back too, by kind.")
        held = family("qed_agent_alerts_held_back", "Alerts that the rule against floods held.")
        for kind in KINDS:  # a kind that was never raised stands at 0, so that `rate` works
            raised.add_sample(raised.name, {"kind": kind}, self.alerts.raised[kind])
            held.add_sample(held.name, {"kind": kind}, self.alerts.held_back[kind])
        waiting = family("qed_agent_alerts_waiting", "Alerts not delivered yet.")
        waiting.add_sample(waiting.name, {}, self.waiting())
        yield from (raised, held, waiting)
