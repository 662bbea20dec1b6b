"""Where things lie when nobody says where."""

from pathlib import Path

import pytest

from qed.cli import paths


def test_the_data_home_is_xdgs(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert paths.default_db_path() == tmp_path / "qed" / "db"
    assert paths.default_dev_path() == tmp_path / "qed" / "dev"
    assert paths.default_store_path() == tmp_path / "qed" / "store"
    assert paths.default_state_path("monitor") == tmp_path / "qed" / "agents" / "monitor"
    assert paths.evidence_directory() == tmp_path / "qed" / "evidence"
    pin = paths.default_pin_path("http://127.0.0.1:8800")
    assert pin == tmp_path / "qed" / "pins" / "127.0.0.1_8800.json"


@pytest.mark.parametrize("said", ["", "relative/path"])
def test_without_a_usable_one_it_lies_below_home(monkeypatch, said):
    monkeypatch.setenv("XDG_DATA_HOME", said)
    monkeypatch.setenv("HOME", "/home/ann")

    assert paths.data_home() == Path("/home/ann/.local/share/qed")
