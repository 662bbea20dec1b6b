"""An event is left out of the map, and everything else is honest, the proofs too.

The server's own check before signing takes a group's hyper digest as it is in its row (SPEC 10), so
it signs. The **auditor** says it twice, at the first checkpoint that covers the event and within
5 s of it: `absence`, since its proof shows a signed map that lacks a signed leaf, and `replay`,
since the events lead to another map. An honest start on that database refuses (41).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import TARGET, numbered, scene
from process import Qed


@pytest.mark.slow
def test_auditor_finds_it_absent_and_the_root_false(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="leave-out") as stage:
        stage.whole.start()
        stage.add(numbered(0, 3))
        stage.wait_watched(3)
        stage.expect_peace()

        stage.add(["event 3", TARGET, "event 5"])
        since_s = time.monotonic()

        absence = stage.expect_alert("auditor", "absence", since_s=since_s)
        replay = stage.expect_alert("auditor", "replay", since_s=since_s)
        assert "as version 4, and a map" in stage.expect_signed(absence, "absence").finding
        stage.expect_signed(replay, "replay")
        assert stage.client("membership", "--event", "event 5", "--auto-verify").code == 0
        stage.whole.server.stop()
        assert "ends/5" in stage.refuses_to_start()
