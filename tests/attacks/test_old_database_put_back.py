"""An older copy of the database is put back silently, and the log goes on with other events.

The start takes it: it was this log, once. While it is behind, **monitor** and **publisher** say
`rollback` within 10 s; the evidence is the two signed checkpoints, and that the newer was served
first is the word of whoever wrote it (`qed verify` says so). As soon as other events are published
both say `equivocation`, within 10 s, also before the log has reached its old size.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from attacks.scene import numbered, scene
from process import Qed

OLD, NEW = 4, 9


@pytest.mark.slow
def test_monitor_and_publisher_find_the_rollback_and_the_second_history(
    qed: Qed, tmp_path: Path
) -> None:
    with scene(qed, tmp_path) as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, OLD)))
        stage.wait_watched(OLD)
        stage.whole.server.stop()
        shutil.copytree(stage.db, tmp_path / "copy")
        stage.whole.server.start()
        stage.add(numbered(OLD, NEW))
        stage.wait_watched(NEW)
        stage.expect_peace()
        stage.whole.server.stop()
        stage.db.rename(tmp_path / "newer")
        (tmp_path / "copy").rename(stage.db)
        stage.whole.server.start()
        since_s = time.monotonic()

        for agent in ("monitor", "publisher"):
            shown = stage.verify(stage.expect_alert(agent, "rollback", since_s=since_s))
            assert (shown.code, shown.kind, shown.signed) == (31, "lag", False), shown
            assert f"{NEW}" in shown.finding

        stage.add(["another event"])
        since_s = time.monotonic()
        evidence = stage.expect_alert("monitor", "equivocation", since_s=since_s)
        stage.expect_signed(evidence, "equivocation")
        stage.add(numbered(20, 30))
        since_s = time.monotonic()
        evidence = stage.expect_alert("publisher", "equivocation", since_s=since_s)
        stage.expect_signed(evidence, "equivocation")
        assert stage.whole.count() == NEW
