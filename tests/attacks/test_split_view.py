"""A fork is shown to one reader only, and the log to everybody else.

A second server has a copy of the database and of the key, so its fork is signed and its proofs are
honest. Who else is asked nothing wrong sees nothing; the one who is lied to sees it by comparing:

- The **monitor** holds the server against the store, and against what it saw before: it says
  `equivocation` within 10 s.
- The **auditor** reads the store, and is lied to by the server: the answers are not those of the
  published leaves (`answer`) and the checkpoint behind them is signed (`equivocation`), within 5 s.
  Lied to by the store as well, it is its pin that the fork contradicts.
- A client that is lied to by the server alone finds the answer false (30); by server and store,
  its pin contradicts (31), with the same evidence. One without a pin believes what it is shown:
  it has to compare its checkpoint or its receipt with anybody's (`qed verify`, 31).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from attacks.proxy import Proxy, proxy
from attacks.scene import Scene, add, numbered, scene
from process import Qed, Server

COMMON, SIZE = 4, 7


@dataclass
class Split:
    """The log and its fork, and two who say either the one or the other."""

    stage: Scene
    fork: Server
    server: Proxy
    store: Proxy

    def lie(self) -> float:
        """Let both say the fork from now on; return when that was."""
        self.server.target = self.store.target = self.fork.endpoint
        return time.monotonic()


@contextmanager
def split(qed: Qed, scratch: Path) -> Iterator[Split]:
    """Publish a log in the store, and sign a fork of the same size that nobody has seen."""
    flags = ("--private-key-path", str(scratch / "key"))
    with scene(qed, scratch, server_flags=flags) as stage:
        server = stage.whole.start_server().server
        stage.whole.start_store()
        stage.add(numbered(0, COMMON))
        server.stop()
        shutil.copytree(server.db, scratch / "copy")
        server.start()
        stage.add(numbered(COMMON, SIZE))
        stage.whole.start_agent("publisher")
        with (
            Server(qed, scratch / "copy", flags) as fork,
            proxy(server.endpoint) as at_server,
            proxy(stage.whole.real_store_url) as at_store,
        ):
            assert fork.call("GET", "/info").document()["verifier_key"] == stage.whole.key
            add(fork, ["another event 4"], numbered(COMMON + 1, SIZE))
            stage.wait_watched(SIZE)
            yield Split(stage, fork, at_server, at_store)


@pytest.mark.slow
def test_monitor_holds_server_against_store(qed: Qed, tmp_path: Path) -> None:
    with split(qed, tmp_path) as view:
        stage = view.stage
        stage.whole.start_agent("auditor")
        stage.start_agent("monitor", server=view.server.url)
        stage.wait_watched(SIZE)
        stage.expect_peace()

        view.server.target = view.fork.endpoint
        since_s = time.monotonic()

        evidence = stage.expect_alert("monitor", "equivocation", since_s=since_s)
        stage.expect_signed(evidence, "equivocation")
        assert stage.whole.evidence_files("auditor") == []
        assert stage.whole.evidence_files("publisher") == []


@pytest.mark.slow
def test_auditor_holds_the_servers_answers_against_the_store(qed: Qed, tmp_path: Path) -> None:
    with split(qed, tmp_path) as view:
        stage = view.stage
        view.server.target = view.fork.endpoint
        stage.whole.start_agent("monitor")
        stage.start_agent("auditor", server=view.server.url)
        since_s = time.monotonic()

        answer = stage.expect_alert("auditor", "answer", since_s=since_s)
        shown = stage.verify(answer)
        assert (shown.code, shown.kind, shown.signed) == (31, "answer", False), shown
        evidence = stage.expect_alert("auditor", "equivocation", since_s=since_s)
        stage.expect_signed(evidence, "equivocation")
        assert stage.whole.evidence_files("monitor") == []


@pytest.mark.slow
def test_auditor_that_is_shown_the_fork_by_all_has_its_pin(qed: Qed, tmp_path: Path) -> None:
    with split(qed, tmp_path) as view:
        stage = view.stage
        stage.start_agent("auditor", server=view.server.url, store=view.store.url)
        stage.wait_watched(SIZE)
        stage.expect_peace()

        since_s = view.lie()

        evidence = stage.expect_alert("auditor", "equivocation", since_s=since_s)
        stage.expect_signed(evidence, "equivocation")


@pytest.mark.slow
def test_client_has_the_store_its_pin_or_anybody_to_compare_with(qed: Qed, tmp_path: Path) -> None:
    with split(qed, tmp_path) as view:
        stage, member = view.stage, ("membership", "--event", "event 5", "--auto-verify")
        lied_to = {"server": view.server.url, "store": view.store.url}
        assert stage.client(*member, **lied_to).code == 0
        receipt, honest = tmp_path / "receipt", tmp_path / "honest"
        assert stage.client("checkpoint", "-o", str(honest)).code == 0

        view.lie()

        assert stage.client(*member, server=view.server.url).code == 30
        assert stage.client("get", "--version", "5", "--from-server", **lied_to).code == 31
        asked = stage.client(*member, **lied_to)
        assert asked.code == 31, asked
        (evidence,) = (qed.home / "data" / "qed" / "evidence").iterdir()
        stage.expect_signed(evidence, "equivocation")
        # A newcomer believes it, and what it keeps is evidence for everybody else.
        new = ("--pin", str(tmp_path / "pin"))
        assert stage.client(*member, *new, **lied_to).code == 0
        made = stage.client("receipt", "--event", "event 5", "-o", str(receipt), *new, **lied_to)
        assert made.code == 0, made
        alone = qed.run("verify", str(receipt), "--key", stage.whole.key)
        assert alone.code == 0, alone
        held = qed.run("verify", str(receipt), "--key", stage.whole.key, "--known", str(honest))
        assert held.code == 31, held
