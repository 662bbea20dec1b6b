"""Two servers with one key and one origin have different histories.

The **monitor** that is told of both (`--qed-endpoints` names two) says `equivocation` as soon as it
has asked both, within 10 s, whichever is ahead: here the second one, whose first event differs.
Publisher, store and auditor follow the first server alone and see nothing wrong with it.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import add, numbered, scene
from process import Qed, Server

ORIGIN = "log.example"


@pytest.mark.slow
def test_monitor_of_both_finds_two_histories(qed: Qed, tmp_path: Path) -> None:
    flags = ("--origin", ORIGIN, "--private-key-path", str(tmp_path / "key"))
    with scene(qed, tmp_path, server_flags=flags) as stage:
        stage.whole.start_server().start_store()
        for agent in ("publisher", "auditor"):
            stage.whole.start_agent(agent)
        stage.add(numbered(0, 3))
        with Server(qed, tmp_path / "other", flags) as other:
            assert other.call("GET", "/info").document()["verifier_key"] == stage.whole.key
            add(other, ["another event 0"], numbered(1, 5))
            stage.wait_watched(3)
            stage.whole.server_url = f"{stage.whole.server.endpoint},{other.endpoint}"
            stage.whole.start_agent("monitor")
            since_s = time.monotonic()

            evidence = stage.expect_alert("monitor", "equivocation", since_s=since_s)

        shown = stage.expect_signed(evidence, "equivocation")
        assert ORIGIN in shown.finding
        assert stage.whole.evidence_files("publisher") == []
        assert stage.whole.evidence_files("auditor") == []
