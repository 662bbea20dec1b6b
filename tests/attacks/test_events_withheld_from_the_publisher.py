"""Events are withheld from the publisher: it is shown an old checkpoint, everybody else the newest.

Publisher, store and auditor see a log that stands still, and nothing wrong with it. The **monitor**
asks both sides, and says `lag` about the store once it has lacked something for `--max-lag-age`
(here 2 s), two intervals and 4 s later at most. The evidence is the two signed checkpoints; that
the older one was served after the newer is its author's word. Once nothing is withheld any more
everything is published, and nothing more is said.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.proxy import proxy
from attacks.scene import numbered, scene
from process import Qed

SIZE, MORE = 4, 9
INTERVAL_S = 1
MAX_LAG_AGE_S = 2
WITHIN_S = MAX_LAG_AGE_S + 2 * INTERVAL_S + 4.0


@pytest.mark.slow
def test_monitor_sees_the_store_fall_behind(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=INTERVAL_S) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.server.endpoint) as server:
            stage.start_agent("publisher", server=server.url)
            stage.whole.start_agent("auditor")
            stage.start_agent("monitor", "--max-lag-age", f"{MAX_LAG_AGE_S}s")
            stage.add(numbered(0, SIZE))
            stage.wait_watched(SIZE)
            stage.expect_peace()

            server.keep_old_checkpoint()
            stage.add(numbered(SIZE, MORE))
            since_s = time.monotonic()

            evidence = stage.expect_alert("monitor", "lag", since_s=since_s, within_s=WITHIN_S)
            shown = stage.verify(evidence)
            assert (shown.code, shown.kind, shown.signed) == (31, "lag", False), shown
            assert str(SIZE) in shown.finding
            assert str(MORE) in shown.finding
            assert stage.whole.count() == SIZE

            server.lie = lambda said: said
            stage.wait_watched(MORE)
            stage.wait_works_again("monitor")
            assert len(stage.whole.alerts()) == 1
            for agent in ("publisher", "auditor"):
                assert stage.whole.evidence_files(agent) == []
