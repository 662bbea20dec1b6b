"""The control: without an attack the same set-up raises nothing.

The server runs in the program that lies in the other tests, with no lie. Events come one by one, in
groups, and again: within a group, in the next one, and much later; the server is stopped and
started again. Afterwards everybody stands at the end, and nobody has said or filed anything.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from attacks.scene import TARGET, numbered, scene
from process import Qed


@pytest.mark.slow
def test_nobody_says_anything(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, lie="nothing") as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, 3)))
        stage.add([TARGET, "event 4", TARGET], ["event 0"], numbered(0, 4))
        stage.wait_watched(11)
        stage.whole.server.restart()
        stage.add([TARGET], numbered(12, 312), ["event 0"])
        stage.wait_watched(313)
        for words in (["event 0"], [TARGET], ["event 4"], ["never added"]):
            assert stage.client("membership", "--event", *words, "--auto-verify").code == 0
        for kind in ("logged", "newest", "absent"):
            event = "never added" if kind == "absent" else TARGET
            file = tmp_path / f"{kind}.tlog-proof"
            done = stage.client("receipt", "--event", event, "--kind", kind, "-o", str(file))
            assert done.code == 0, done
            assert qed.run("verify", str(file), "--key", stage.whole.key).code == 0
        stage.expect_peace()
        stage.whole.server.stop()
        assert qed.run("check", str(stage.db)).code == 0
