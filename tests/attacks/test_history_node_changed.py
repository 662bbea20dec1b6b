"""A node of the history tree is changed in the memory of the running server.

Its nodes are nowhere on disk, so memory is where it can be done.

- An honest program signs nothing that rests on it: the check before signing computes the history
  digests again from the rows, and the server ends with 41. The rows of that group hold the false
  digest, so it does not start again either. Nothing was signed and there is no evidence; the
  **monitor** says `silence` after three intervals.
- The attacker has blinded that check, and serves what he signed. Proofs about new events hold, for
  they rest on the changed node too. The **auditor** says `replay` with the first checkpoint over
  the change, within 5 s. A client that asks about an event below the changed node gets KO (30).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import TARGET, numbered, scene
from process import Qed

OLD = 5


@pytest.mark.slow
def test_signer_refuses_to_sign(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="change-node", kernel="twin", interval_s=1) as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, OLD)))
        stage.wait_watched(OLD)

        stage.add([TARGET])

        assert stage.whole.server.ended() == 41
        assert "leads to another history digest than the events" in stage.whole.server.output
        since_s = time.monotonic()
        assert "default/" in stage.refuses_to_start()
        stage.expect_silence_told(1, since_s=since_s)
        assert stage.whole.count() == OLD
        assert stage.whole.evidence_files("monitor") == []


@pytest.mark.slow
def test_auditor_finds_the_signed_history_false(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="change-node-blind", kernel="twin") as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, OLD)))
        stage.wait_watched(OLD)
        stage.expect_peace()

        stage.add([TARGET])
        since_s = time.monotonic()

        evidence = stage.expect_alert("auditor", "replay", since_s=since_s)
        assert "history" in stage.expect_signed(evidence, "replay").finding
        assert stage.client("membership", "--event", TARGET, "--auto-verify").code == 0
        assert stage.client("membership", "--event", "event 0", "--auto-verify").code == 30
        stage.whole.server.kill()
        assert qed.run("check", str(stage.db)).code == 41
