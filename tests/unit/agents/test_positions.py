"""Positions: whole or not at all, and damage starts over instead of skipping."""

import os

import pytest
import structlog

from qed.agents.positions import MAX_FILE_BYTES, PositionFile, safe_name
from qed.errors import StorageError


def test_what_was_written_is_read(tmp_path):
    place = PositionFile(tmp_path / "store.json")
    place.write({"Position": 7, "Root": "abc"})
    place.write({"Position": 8, "Root": "äöü"})

    assert PositionFile(tmp_path / "store.json").read() == {"Position": 8, "Root": "äöü"}
    assert [path.name for path in tmp_path.iterdir()] == ["store.json"]


def test_none_is_no_damage(tmp_path):
    with structlog.testing.capture_logs() as logs:
        assert PositionFile(tmp_path / "store.json").read() is None
    assert logs == []


def test_every_flipped_byte_is_damage_that_is_said(tmp_path):
    place = PositionFile(tmp_path / "store.json")
    place.write({"Position": 12345})
    whole = place.path.read_bytes()

    for at in range(len(whole)):
        place.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with structlog.testing.capture_logs() as logs:
            assert place.read() is None, at
        assert [line["path"] for line in logs] == [str(place.path)]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"{}", b'{"Position": 1}', b"[" * 5000, b"0" * (MAX_FILE_BYTES + 1)],
    ids=["empty", "no text", "a list", "nothing in it", "no checksum", "deep", "huge"],
)
def test_what_is_no_position_starts_over(tmp_path, data):
    place = PositionFile(tmp_path / "store.json")
    place.path.write_bytes(data)

    with structlog.testing.capture_logs() as logs:
        assert place.read() is None
    assert "starting over" in logs[0]["event"]


def test_a_cut_file_is_damage(tmp_path):
    place = PositionFile(tmp_path / "store.json")
    place.write({"Position": 12345})
    whole = place.path.read_bytes()

    for length in range(len(whole)):
        place.path.write_bytes(whole[:length])
        assert place.read() is None, length


def test_a_position_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(StorageError):
        PositionFile(tmp_path / "missing" / "store.json").write({"Position": 1})


def test_names_are_kept_where_they_are_harmless_and_never_mixed_up():
    assert safe_name("store.example-1") == "store.example-1"
    texts = ["http://a:1", "http://a_1", "http___a_1", "../../x", "", "a" * 300, "a" * 299]
    names = [safe_name(text) for text in texts]
    assert len(set(names)) == len(names)
    assert all(os.sep not in name and not name.startswith(".") for name in names)
