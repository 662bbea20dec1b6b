"""What the tests of the installed command share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from process import Qed

VECTORS = Path(__file__).resolve().parent.parent / "vectors"


@pytest.fixture(name="qed")
def qed_with_a_home(qed_command: list[str], tmp_path: Path) -> Qed:
    home = tmp_path / "home"
    home.mkdir()
    return Qed(qed_command, home)


@pytest.fixture(name="snapshots", scope="session")
def walkthrough_snapshots() -> list[dict[str, Any]]:
    """The snapshots of "event 0" to "event 5", added one after the other."""
    found: list[dict[str, Any]] = json.loads((VECTORS / "walkthrough.json").read_text())[
        "snapshots"
    ]
    return found
