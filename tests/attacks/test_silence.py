"""Somebody does not answer, stands still, or takes events and publishes none.

- The server is stopped in the midst of everything (SIGSTOP), or the store answers nothing: the
  **monitor** says `silence` about each after three intervals, 10 s later at most, once. When they
  answer again the works go on, and nothing more is said.
- The server takes events and its checkpoint stays where it was: the monitor says `stalled` after
  three intervals, 10 s later at most. That is the server's own word against itself, and silence is
  no proof: there is no evidence of either.
- An empty log, and an empty store, are neither.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from attacks.proxy import proxy
from attacks.scene import SILENCE_S, Scene, numbered, scene
from process import Qed
from whole import AGENTS, deadline

INTERVAL_S = 1
ROUNDS = 5  # with their rests more than three intervals
LIMIT_S = 30.0


def wait_rounds(stage: Scene, rounds: int) -> None:
    """Wait until the monitor has asked server and store so often, with success."""
    wanted = {work: stage.steps("monitor", work) + rounds for work in ("server", "store")}
    for _ in deadline(LIMIT_S):
        if all(stage.steps("monitor", work) >= steps for work, steps in wanted.items()):
            return
    raise AssertionError(stage.whole.said())


@pytest.mark.slow
def test_monitor_says_silence_once_and_goes_on(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=INTERVAL_S) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.real_store_url) as store:
            stage.whole.start_agent("publisher")
            stage.start_agent("monitor", "--qed-timeout", "1s", store=store.url)
            stage.add(numbered(0, 3))
            stage.wait_watched(3)
            stage.expect_peace()

            store.silent = True
            os.kill(stage.whole.server.pid, signal.SIGSTOP)
            since_s = time.monotonic()
            try:
                stage.expect_silence_told(INTERVAL_S, since_s=since_s)
                stage.expect_silence_told(INTERVAL_S, since_s=since_s, place=store.url)
            finally:
                os.kill(stage.whole.server.pid, signal.SIGCONT)
            store.silent = False

            wait_rounds(stage, 2)
            raised = stage.whole.metric("monitor", "qed_agent_alerts")
            stage.add(numbered(3, 6))
            stage.wait_watched(6)
            wait_rounds(stage, 2)
            assert stage.whole.metric("monitor", "qed_agent_alerts") == raised
            assert len(stage.whole.alerts()) == 2
            assert stage.whole.evidence_files("monitor") == []


@pytest.mark.slow
def test_monitor_sees_that_what_is_taken_is_not_published(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=INTERVAL_S) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.server.endpoint) as server:
            for agent in ("publisher", "monitor"):
                stage.start_agent(agent, server=server.url)
            stage.add(numbered(0, 3))
            stage.wait_watched(3)
            stage.expect_peace()

            server.keep_old_checkpoint()
            stage.add(numbered(3, 6))
            since_s = time.monotonic()

            stage.expect_told("stalled", server.url, since_s, 3 * INTERVAL_S + SILENCE_S)
            assert stage.whole.evidence_files("monitor") == []


@pytest.mark.slow
def test_an_empty_log_is_no_alert(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=INTERVAL_S) as stage:
        stage.whole.start()
        wait_rounds(stage, ROUNDS)
        stage.expect_peace()
        for agent in AGENTS:
            assert stage.whole.metric(agent, "qed_agent_failures") == 0, stage.whole.said()
