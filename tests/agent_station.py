"""What an agent's work needs, without an agent around it: a station whose alerts are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qed import durable
from qed.agents.alerts import Alert, Alerts
from qed.agents.runtime import AgentConfig, Station
from qed.client.evidence import verify_evidence
from qed.client.feed import Source, open_source
from qed.signing.policy import policy_of_key

TIMEOUT_S = 20.0


@dataclass
class Kept:
    """A mailbox that keeps what it is given."""

    alerts: list[Alert] = field(default_factory=list)

    def put(self, alert: Alert, _told_s: float) -> None:
        self.alerts.append(alert)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class TestStation:
    """A station below a directory, and what was told there."""

    __test__ = False

    station: Station
    kept: Kept

    @property
    def kinds(self) -> list[str]:
        """The kinds told, in order."""
        return [alert.kind for alert in self.kept.alerts]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kind and subject of each."""
        return [(alert.kind, alert.subject) for alert in self.kept.alerts]

    def source(self, place: str, timeout_s: float = TIMEOUT_S) -> Source:
        """Return a source that is closed with the station."""
        return self.station.stack.enter_context(open_source(place, timeout_s=timeout_s))

    def finding(self, alert: Alert, key):
        """Return what an alert's evidence shows to anybody with the key."""
        assert alert.evidence is not None
        return verify_evidence(alert.evidence.read_bytes(), policy_of_key(key))


@contextlib.contextmanager
def open_station(state_path: Path, *, once: bool = False) -> Iterator[TestStation]:
    """Make a station as `run_agent` does, for the length of the block."""
    for path in (state_path, state_path / "positions", state_path / "evidence"):
        durable.make_directory(path)
    kept = Kept()
    station = Station(AgentConfig("test", state_path, once=once), Alerts([kept]))
    with station.stack:
        yield TestStation(station, kept)
