"""A signed root is wrong for one group, and right again at the next.

Proofs about the current version cannot show it any more once the next group is there. The
**auditor**'s replay recomputes every group: it says `replay` at the first checkpoint over the
group, within 5 s. An auditor that begins later finds it as well, `qed audit --replay` too (31),
and `qed check` on that database names the row (41).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import TARGET, numbered, scene
from process import Qed


@pytest.mark.slow
def test_replay_finds_the_group(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="false-once") as stage:
        stage.whole.start()
        stage.add(numbered(0, 3))
        stage.wait_watched(3)
        stage.expect_peace()

        stage.add(["event 3", TARGET], numbered(5, 8))
        since_s = time.monotonic()

        evidence = stage.expect_alert("auditor", "replay", since_s=since_s)
        assert "version" in stage.expect_signed(evidence, "replay").finding
        # Proofs do not show it: each event is in the map, as of now.
        for event in ("event 3", TARGET, "event 7"):
            assert stage.client("membership", "--event", event, "--auto-verify").code == 0
        late = qed.run(
            *("audit", "--replay", stage.whole.real_store_url, "--key", stage.whole.key),
            *("--evidence-path", str(tmp_path / "late")),
        )
        assert late.code == 31, late
        (found,) = (tmp_path / "late").iterdir()
        stage.expect_signed(found, "replay")
        stage.whole.server.stop()
        checked = qed.run("check", str(stage.db))
        assert (checked.code, "the row ends/4 " in checked.err) == (41, True), checked
