"""A lie that is repeated in every round, or in every answer, is one alert and not a flood.

- A server that shows the monitor a fork, which grows all the time: the **monitor** says
  `equivocation` once, within 10 s; each further round is counted and held back. A place that only
  lies gives no verified answer either, so `silence` is told after three intervals, once too.
- A server whose answers are all false: the **auditor** says `answer` once, within 5 s, and keeps
  at most a hundred files of evidence, while every answer is counted.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from attacks.proxy import Said, changed, proxy
from attacks.scene import Scene, add, numbered, scene
from process import Qed, Server
from whole import deadline

INTERVAL_S = 1
ROUNDS = 5
EVENTS = 250
MAX_FILES = 100
LIMIT_S = 30.0


def wait_raised(stage: Scene, agent: str, times: int) -> None:
    """Wait until an agent has found something so many times."""
    for _ in deadline(LIMIT_S):
        if stage.whole.metric(agent, "qed_agent_alerts") >= times:
            return
    raise AssertionError(f"{stage.whole.metrics_text(agent)}\n{stage.whole.said()}")


def expect_one_of_each(stage: Scene, agent: str, kinds: list[str]) -> None:
    """Expect that the store has got one of each kind, and that all others were held back."""
    for _ in deadline(LIMIT_S):
        if stage.whole.metric(agent, "qed_agent_alerts_waiting") == 0:
            break
    assert [alert.split(": ")[0] for alert in stage.whole.alerts()] == kinds
    raised = stage.whole.metric(agent, "qed_agent_alerts")
    held_back = stage.whole.metric(agent, "qed_agent_alerts_held_back")
    assert raised - held_back in {len(kinds), len(kinds) - 1}  # one more in between


@pytest.mark.slow
def test_a_fork_that_grows_is_told_of_once(qed: Qed, tmp_path: Path) -> None:
    flags = ("--private-key-path", str(tmp_path / "key"))
    with scene(qed, tmp_path, interval_s=INTERVAL_S, server_flags=flags) as stage:
        server = stage.whole.start_server().server
        stage.whole.start_store()
        stage.add(numbered(0, 3))
        server.stop()
        shutil.copytree(server.db, tmp_path / "copy")
        server.start()
        stage.add(numbered(3, 5))
        with Server(qed, tmp_path / "copy", flags) as fork, proxy(server.endpoint) as shown:
            stage.whole.start_agent("publisher")
            stage.start_agent("monitor", server=shown.url)
            stage.wait_watched(5)
            stage.expect_peace()

            shown.target = fork.endpoint
            add(fork, ["another event 3"], ["another event 4"], ["event 5"])
            since_s = time.monotonic()

            evidence = stage.expect_alert("monitor", "equivocation", since_s=since_s)
            stage.expect_signed(evidence, "equivocation")
            for number in range(ROUNDS):
                add(fork, [f"more {number}"])
                wait_raised(stage, "monitor", number + 2)
            expect_one_of_each(stage, "monitor", ["equivocation", "silence"])


@pytest.mark.slow
def test_false_answers_are_told_of_once(qed: Qed, tmp_path: Path) -> None:
    def lie(said: Said) -> Said:
        if said.path != "/proofs/digest-membership":
            return said
        answer = json.loads(said.body)
        answer["Hyper"] = dict.fromkeys(answer["Hyper"], "A" * 43 + "=")
        return changed(said, json.dumps(answer, separators=(",", ":")).encode())

    with scene(qed, tmp_path) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.server.endpoint) as server:
            stage.whole.start_agent("publisher")
            stage.start_agent("auditor", server=server.url)
            stage.add(numbered(0, 3))
            stage.wait_watched(3)
            stage.expect_peace()

            server.lie = lie
            stage.add(numbered(3, 3 + EVENTS))
            since_s = time.monotonic()

            shown = stage.verify(stage.expect_alert("auditor", "answer", since_s=since_s))
            assert (shown.code, shown.kind, shown.signed) == (31, "answer", False), shown
            wait_raised(stage, "auditor", EVENTS)
            expect_one_of_each(stage, "auditor", ["answer"])
            assert 0 < len(stage.whole.evidence_files("auditor")) <= MAX_FILES
