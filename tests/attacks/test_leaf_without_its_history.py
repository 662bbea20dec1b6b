"""The server denies an event: the `HyperLeaf` of its answer comes without its history path.

The leaf that the walk meets is the event's own, said to be of a neighbouring key. Its hash holds
the version and no key, so it leads to the signed root; only the history path binds the key, and
that is left out. The **auditor** says `answer` at the first checkpoint that covers the event,
within 5 s; the answer is signed by nobody, and `qed verify` says so. The client refuses the answer
(30), and no receipt of the absence is made.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import TARGET, numbered, scene
from process import Qed


@pytest.mark.slow
def test_auditor_client_and_receipts_refuse_it(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="bare-leaf") as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, 4)))
        stage.wait_watched(4)
        stage.expect_peace()

        stage.add([TARGET])
        since_s = time.monotonic()

        shown = stage.verify(stage.expect_alert("auditor", "answer", since_s=since_s))
        assert (shown.code, shown.kind, shown.signed) == (31, "answer", False), shown
        assert "positions of the path are missing" in shown.finding
        stage.expect_client_refuses(TARGET, "absent")
        assert stage.client("membership", "--event", "never added", "--auto-verify").code == 0
