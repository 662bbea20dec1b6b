"""The stage of an attack by the server: all five processes, and who says what within how long."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from attacks.offline import Shown, verify_alone
from process import Finished, Qed, Server
from qed.client.feed import leaves, open_source
from qed.trees.snapshot_log import decode_leaf
from qed.trees.values import Snapshot
from whole import Whole, deadline

EVIL_SERVER = Path(__file__).with_name("evil_server.py")

# A restart of the server is no silence with this interval: that is told after three of them.
INTERVAL_S = 2

# From when a lie can be seen to the alert at the store. What an agent does with each checkpoint
# takes a tenth of a second, what it does once an interval, or after a rest, some more than one;
# all else is for a machine with other things to do.
WITHIN_S = {"auditor": 5.0, "monitor": 10.0, "publisher": 10.0}
SILENCE_S = 10.0  # beyond the three intervals

SETTLE_S = 30.0

TARGET = "the event that the server lies about"
_EVIDENCE = re.compile(r" Evidence: (/.*\.json)", re.ASCII)


@dataclass
class Scene:
    """The five of one log, as the tests of attacks look at them."""

    whole: Whole
    scratch: Path

    @property
    def db(self) -> Path:
        return self.whole.server.db

    def add(self, *groups: Sequence[str]) -> None:
        """Add events, each sequence as one group."""
        add(self.whole.server, *groups)

    def wait_watched(self, size: int) -> None:
        """Wait until a log of that size is in the store, and auditor and monitor have been there.

        The sweep goes round and round; it is not waited for.
        """
        works = {"proofs": "auditor", "replay": "auditor", "server": "monitor", "store": "monitor"}
        for _ in deadline(SETTLE_S):
            if self.whole.count() == size and all(
                self._position(agent, work) == size
                for work, agent in works.items()
                if agent in self.whole.programs
            ):
                return
        raise AssertionError(f"{size} versions are not watched yet\n{self.whole.said()}")

    def _position(self, agent: str, work: str) -> float:
        return min(self._numbers(agent, "qed_agent_position", work), default=-1.0)

    def steps(self, agent: str, work: str) -> float:
        """Return how many steps of a work of an agent have ended well."""
        return sum(self._numbers(agent, "qed_agent_steps", work))

    def _numbers(self, agent: str, metric: str, work: str) -> list[float]:
        """Return a metric of the works whose names begin so, one a place."""
        start = f'{metric}{{work="{work}'
        text = self.whole.metrics_text(agent)
        return [
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(start)
        ]

    def wait_works_again(self, agent: str) -> None:
        """Wait until an agent says that what has failed works again."""
        for _ in deadline(SETTLE_S):
            if "works again" in self.whole.programs[agent].output:
                return
        raise AssertionError(self.whole.said())

    def expect_alert(self, agent: str, kind: str, *, since_s: float, within_s: float = 0.0) -> Path:
        """Wait for an alert of an agent at the store; return its evidence, an agent's file.

        `since_s` is when the lie could be seen, by the monotonic clock.
        """
        directory = self.whole.directory / agent / "evidence"
        within_s = within_s or WITHIN_S[agent]
        for line in self._watch_alerts(since_s, within_s):
            found = _EVIDENCE.search(line)
            if line.startswith(f"{kind}: ") and found and Path(found[1]).parent == directory:
                assert Path(found[1]) in self.whole.evidence_files(agent)
                return Path(found[1])
        raise AssertionError(
            f"no {kind} of the {agent} within {within_s} s:\n"
            + "\n".join([*self.whole.alerts(), self.whole.said()])
        )

    def expect_silence_told(self, interval_s: int, *, since_s: float, place: str = "") -> None:
        """Wait until the monitor says at the store that the server, or another place, is silent."""
        within_s = 3 * interval_s + SILENCE_S
        self.expect_told("silence", place or self.whole.server.endpoint, since_s, within_s)

    def expect_told(self, kind: str, subject: str, since_s: float, within_s: float) -> None:
        """Wait until somebody says at the store what has no evidence."""
        start = f"{kind}: {subject}: "
        found = any(line.startswith(start) for line in self._watch_alerts(since_s, within_s))
        assert found, "\n".join([*self.whole.alerts(), self.whole.said()])

    def _watch_alerts(self, since_s: float, within_s: float) -> Iterator[str]:
        for _ in deadline(within_s):
            in_time = time.monotonic() - since_s <= within_s
            yield from self.whole.alerts()
            if not in_time:
                return

    def verify(self, evidence: Path) -> Shown:
        """Verify evidence on a machine that has only the file and the key."""
        return verify_alone(self.whole.qed, evidence, self.whole.key, self.scratch)

    def expect_signed(self, evidence: Path, kind: str) -> Shown:
        """Expect evidence that the log's own key signed against itself."""
        shown = self.verify(evidence)
        assert (shown.code, shown.kind, shown.signed) == (31, kind, True), shown
        return shown

    def expect_peace(self) -> None:
        """Expect that nobody has anything to say."""
        assert self.whole.alerts() == [], self.whole.said()
        for name in ("publisher", "auditor", "monitor"):
            if name in self.whole.programs:
                assert self.whole.evidence_files(name) == [], self.whole.said()
                assert self.whole.programs[name].runs, self.whole.said()

    def client(self, *words: str, server: str = "", store: str = "") -> Finished:
        """Run a client that has pinned the key, and reads snapshots from the store.

        It is told of the real ones, where nobody else is named.
        """
        return self.whole.qed.run(
            *("client", "--endpoints", server or self.whole.server.endpoint),
            *("--snapshot-store-url", store or self.whole.real_store_url, "--json"),
            *("--key", self.whole.key, *words),
        )

    def start_agent(self, name: str, *flags: str, server: str = "", store: str = "") -> None:
        """Start an agent; it is told of the real ones, where nobody else is named."""
        whole = self.whole
        told = whole.server_url, whole.store_url
        whole.server_url, whole.store_url = server or told[0], store or told[1]
        try:
            whole.start_agent(name, *flags)
        finally:
            whole.server_url, whole.store_url = told

    def expect_client_refuses(self, event: str, kind: str) -> None:
        """Expect that an answer about an event is not believed, and that no receipt is made."""
        asked = self.client("membership", "--event", event, "--auto-verify")
        assert asked.code == 30, asked
        file = self.scratch / "receipt"
        asked = self.client("receipt", "--event", event, "--kind", kind, "-o", str(file))
        assert asked.code == 30, asked
        assert not file.exists()

    def refuses_to_start(self) -> str:
        """Expect an honest server to find the database damaged; return what it says."""
        self.whole.server.qed = self.whole.qed
        self.whole.server.spawn()
        code = self.whole.server.ended()
        assert code == 41, f"{code}\n{self.whole.server.output}"
        return self.whole.server.output

    def snapshots(self, size: int) -> list[Snapshot]:
        """Return what the store has."""
        with open_source(self.whole.real_store_url, timeout_s=30.0) as source:
            return [decode_leaf(leaf) for bundle in leaves(source, 0, size) for leaf in bundle]


def add(server: Server, *groups: Sequence[str]) -> None:
    """Add events to a server, each sequence as one group."""
    for group in groups:
        events = [base64.b64encode(event.encode()).decode() for event in group]
        answer = server.call("POST", "/events/bulk", {"Events": events})
        assert answer.status == 201, answer


def numbered(first: int, stop: int) -> list[str]:
    """Return the texts of some events."""
    return [f"event {number}" for number in range(first, stop)]


def digest_of(event: str) -> bytes:
    return sha256(event.encode()).digest()


@contextmanager
def scene(  # noqa: PLR0913 - who lies, and how the five are set up
    qed: Qed,
    scratch: Path,
    *,
    lie: str = "",
    kernel: str = "",
    interval_s: int = INTERVAL_S,
    server_flags: Sequence[str] = (),
) -> Iterator[Scene]:
    """Set up a log whose server tells a lie of `evil_server`, none without; nothing runs yet."""
    agent_flags = ("--qed-timeout", "5s", "--interval", f"{interval_s}s", "--max-lag-age", "10m")
    with Whole(qed, scratch / "whole", server_flags, agent_flags=agent_flags) as whole:
        if lie:
            python = str(Path(qed.command[0]).with_name("python"))
            command = ["env", f"QED_KERNEL={kernel}", python, str(EVIL_SERVER), lie]
            whole.server.qed = Qed(command, qed.home)
        yield Scene(whole, scratch)
