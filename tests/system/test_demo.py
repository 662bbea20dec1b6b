"""`make demo` plays the whole walk-through; here with the command under test."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo" / "walkthrough.sh"
LIMIT_S = 240

pytestmark = pytest.mark.slow


def test_the_demo_plays_to_its_end(
    qed_command: list[str], snapshots: list[dict[str, Any]], tmp_path: Path
) -> None:
    environment = {
        "PATH": f"{Path(qed_command[0]).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [DEMO],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.sub(r"\x1b\[\d*m", "", done.stdout).endswith("\n# Done\n")
    printed = re.findall(r"    HistoryDigest: (\w+)\n    Version: (\d)", done.stdout)
    for snapshot in snapshots:
        assert (snapshot["HistoryDigest"], str(snapshot["Version"])) in printed
    assert list(tmp_path.iterdir()) == [], "it cleans up behind itself"
