"""What the tests of attacks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from process import Qed


@pytest.fixture(name="qed")
def qed_with_a_home(qed_command: list[str], tmp_path: Path) -> Qed:
    home = tmp_path / "home"
    home.mkdir()
    return Qed(qed_command, home)
