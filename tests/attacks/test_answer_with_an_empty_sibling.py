"""The server answers with a path that has an empty sibling; all that it signs is honest.

H(left || empty || position) is H(left || position): a verifier that takes an empty value would find
the right root, and one version's root would verify as another's. The **auditor** says `answer` at
the first checkpoint that covers the event, within 5 s; its evidence is the answer as it came,
beside the receipt that the event is logged. The answer is signed by nobody, and `qed verify` says
so. The client refuses the answer (30), and no receipt is made of it.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import TARGET, numbered, scene
from process import Qed


@pytest.mark.slow
def test_auditor_client_and_receipts_refuse_it(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="empty-sibling") as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, 4)))
        stage.wait_watched(4)
        stage.expect_peace()

        stage.add([TARGET])
        since_s = time.monotonic()

        shown = stage.verify(stage.expect_alert("auditor", "answer", since_s=since_s))
        assert (shown.code, shown.kind, shown.signed) == (31, "answer", False), shown
        assert "History at 6|1 has 0 bytes" in shown.finding
        stage.expect_client_refuses(TARGET, "newest")
        assert stage.client("membership", "--event", "event 0", "--auto-verify").code == 0
