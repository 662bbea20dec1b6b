"""A store answers old data: an old signed checkpoint, and the tiles of that time, which are true.

- **Monitor** and **auditor**, which have seen more of it, say `rollback` within 10 s and 5 s. The
  evidence is the two signed checkpoints; their order in time is its author's word.
- A monitor that has never seen the newer one there says `lag`, since the server has it, once that
  lasts for `--max-lag-age` (here 2 s), two intervals and 4 s later at most.
- A client whose pin has seen more takes none of it: it says that what it wants is not published
  there (25), and never that it is false. One that has seen nothing gets old snapshots, which are
  true, and the same answer for all that is newer.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.proxy import proxy
from attacks.scene import Scene, numbered, scene
from process import Qed

OLD, NEW = 4, 9
INTERVAL_S = 1
MAX_LAG_AGE_S = 2
WITHIN_S = MAX_LAG_AGE_S + 2 * INTERVAL_S + 4.0


def expect_order_unsigned(stage: Scene, evidence: Path) -> None:
    """Expect two signed checkpoints, of which nobody signed when they were served."""
    shown = stage.verify(evidence)
    assert (shown.code, shown.kind, shown.signed) == (31, "lag", False), shown
    assert f"{OLD}" in shown.finding
    assert f"{NEW}" in shown.finding


@pytest.mark.slow
def test_who_has_seen_more_says_that_it_went_back(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=INTERVAL_S) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.real_store_url) as store:
            stage.whole.start_agent("publisher")
            stage.start_agent("auditor", store=store.url)
            stage.start_agent("monitor", store=store.url)
            stage.add(numbered(0, OLD))
            stage.wait_watched(OLD)
            store.keep_old_checkpoint()
            old, store.lie = store.lie, lambda said: said
            stage.add(numbered(OLD, NEW))
            stage.wait_watched(NEW)
            stage.expect_peace()
            quick, member = ("--timeout", "1s"), ("membership", "--event", "event 1")
            assert stage.client(*member, "--auto-verify", store=store.url).code == 0

            store.lie = old
            since_s = time.monotonic()

            for agent in ("auditor", "monitor"):
                expect_order_unsigned(stage, stage.expect_alert(agent, "rollback", since_s=since_s))
            asked = stage.client(*member, "--auto-verify", *quick, store=store.url)
            assert asked.code == 25, asked
            assert "was seen before" in asked.err + asked.out
            assert stage.client("get", "--version", "1", *quick, store=store.url).code == 25


@pytest.mark.slow
def test_who_has_not_seen_more_compares_with_the_server(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=INTERVAL_S) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.real_store_url) as store:
            stage.whole.start_agent("publisher")
            stage.add(numbered(0, OLD))
            stage.wait_watched(OLD)
            store.keep_old_checkpoint()
            stage.add(numbered(OLD, NEW))
            stage.wait_watched(NEW)

            stage.start_agent("monitor", "--max-lag-age", f"{MAX_LAG_AGE_S}s", store=store.url)
            since_s = time.monotonic()

            evidence = stage.expect_alert("monitor", "lag", since_s=since_s, within_s=WITHIN_S)
            expect_order_unsigned(stage, evidence)
            new = ("--pin", str(tmp_path / "pin"), "--timeout", "1s")
            assert stage.client("get", "--version", "1", *new, store=store.url).code == 0
            assert stage.client("get", "--version", str(OLD), *new, store=store.url).code == 25
