"""kill -9 of any of the five processes under load: nothing is lost, skipped, or cried about.

About 1,000 events a second are added while one process drawn from the seed is killed after a drawn
number of acknowledgements and started again. Afterwards everything that was acknowledged is in the
store exactly once and as it was acknowledged, auditor and monitor stand at the end, and nobody has
raised an alert.
"""

from __future__ import annotations

import base64
import http.client
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from process import Qed
from qed.client.feed import leaves, open_source
from qed.trees.snapshot_log import decode_leaf
from qed.trees.values import Snapshot
from qed.wire import decode_snapshots
from whole import AGENTS, Whole, deadline

BULK = 20
EVERY_S = BULK / 1000
LIMIT_S = 120.0
# A restart of a process takes longer than a round of the monitor; it is no silence to speak of.
CALM = ("--qed-timeout", "5s", "--interval", "10s", "--max-lag-age", "10m")


@dataclass
class Load:
    """Adds bulks at an even rate, through kills; keeps what was acknowledged."""

    whole: Whole
    snapshots: list[Snapshot] = field(default_factory=list)
    grown: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)
    strange: list[str] = field(default_factory=list)

    def run(self) -> None:
        number = 0
        while not self.over.wait(EVERY_S):
            number += 1
            events = [base64.b64encode(b"%d/%d" % (number, k)).decode() for k in range(BULK)]
            try:
                answer = self.whole.server.call("POST", "/events/bulk", {"Events": events})
            except (OSError, http.client.HTTPException):
                continue  # killed, or not back yet: whether these were added is not known
            with self.grown:
                if answer.status == 201:
                    self.snapshots += decode_snapshots(answer.body)
                    self.grown.notify_all()
                elif answer.status != 503:
                    self.strange.append(repr(answer))

    def wait_for(self, more: int) -> None:
        """Wait until so many more are acknowledged."""
        with self.grown:
            wanted = len(self.snapshots) + more
            assert self.grown.wait_for(lambda: len(self.snapshots) >= wanted, LIMIT_S), (
                f"{len(self.snapshots)} of {wanted}: {self.strange}\n{self.whole.said()}"
            )


def kill_at_random(whole: Whole, load: Load, drawn: random.Random, rounds: int) -> None:
    for _ in range(rounds):
        load.wait_for(drawn.randrange(1, 400))
        name = drawn.choice(("server", "store", *AGENTS))
        if name == "server":
            whole.server.kill()
            whole.server.start()
        else:
            program = whole.programs[name]
            assert program.runs, f"{name} ended by itself:\n{program.output}"
            program.kill()
            program.start()


def expect_all(whole: Whole, load: Load) -> None:
    """Wait until everybody stands at the end, then compare the store with what was acknowledged."""
    size = 0
    for _ in deadline(LIMIT_S):
        size = int(whole.metric_of_server("qed_published_size"))
        behind = [name for name in ("auditor",) if whole.metric(name, "qed_agent_position") < size]
        if size > load.snapshots[-1].version and whole.count() == size and not behind:
            break
    else:
        raise AssertionError(f"they do not reach {size}, store {whole.count()}\n{whole.said()}")
    with open_source(whole.real_store_url, timeout_s=30.0) as source:
        stored = [decode_leaf(leaf) for bundle in leaves(source, 0, size) for leaf in bundle]
    assert [snapshot.version for snapshot in stored] == list(range(size))
    assert all(stored[mine.version] == mine for mine in load.snapshots)
    assert whole.alerts() == [], whole.said()
    for name in AGENTS:
        assert whole.evidence_files(name) == [], whole.said()
        assert whole.programs[name].runs, whole.said()


def run_rounds(qed: Qed, directory: Path, rounds: int, seed: int) -> None:
    with Whole(qed, directory, agent_flags=CALM) as whole:
        whole.start()
        load = Load(whole)
        adder = threading.Thread(target=load.run)
        adder.start()
        try:
            kill_at_random(whole, load, random.Random(seed), rounds)  # noqa: S311 - drawn to be repeated
        finally:
            load.over.set()
            adder.join(LIMIT_S)
        assert load.strange == []
        expect_all(whole, load)


@pytest.mark.slow
def test_a_few_kills_lose_nothing(qed: Qed, tmp_path: Path) -> None:
    run_rounds(qed, tmp_path, rounds=8, seed=20191105)


@pytest.mark.soak
def test_two_hundred_kills_lose_nothing(qed: Qed, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    run_rounds(qed, tmp_path, rounds=200, seed=seed)
