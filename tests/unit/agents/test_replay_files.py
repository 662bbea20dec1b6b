"""The files of a replay: what is committed is there after any kill, and nothing else is."""

import os

import pytest

from qed.agents.replay_files import Position, ReplayFiles
from qed.errors import DamagedError, LockedError

DIGESTS = [bytes([n]) * 32 for n in range(6)]
ENDS = [(1, b"a" * 32), (2, b"b" * 32), (5, b"c" * 32)]


def fill(files, groups=3):
    first = 0
    for last, digest in ENDS[:groups]:
        files.append(b"".join(DIGESTS[first : last + 1]), [(last, digest)])
        first = last + 1


def test_a_new_directory_holds_nothing(tmp_path):
    with ReplayFiles(tmp_path / "a" / "replay") as files:
        assert files.read_position() is None
        assert list(files.read_ends()) == []


def test_what_was_written_is_read_again(tmp_path):
    position = Position("log", 6, 3, b"r" * 32, "")
    with ReplayFiles(tmp_path) as files:
        fill(files)
        files.write_position(position)
    with ReplayFiles(tmp_path) as files:
        assert files.read_position() == position
        files.cut(6, 3)
        assert files.read_digests(1, 4) == b"".join(DIGESTS[1:4])
        assert list(files.read_ends()) == ENDS


def test_what_is_beyond_the_position_is_cut_off(tmp_path):
    with ReplayFiles(tmp_path) as files:
        fill(files, 2)
        files.write_position(Position("log", 3, 2, b"r" * 32))
        files.append(DIGESTS[3] + b"torn", [(4, b"x" * 32)])
    with ReplayFiles(tmp_path) as files:
        found = files.read_position()
        files.cut(found.size, found.groups)
        files.append(b"".join(DIGESTS[3:]), ENDS[2:])
        assert files.read_digests(0, 6) == b"".join(DIGESTS)
        assert list(files.read_ends()) == ENDS


@pytest.mark.parametrize("name", ["digests", "ends"])
def test_a_file_with_less_than_its_position_says_is_of_no_use(tmp_path, name):
    with ReplayFiles(tmp_path) as files:
        fill(files)
        files.write_position(Position("log", 6, 3, b"r" * 32))
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])
    with ReplayFiles(tmp_path) as files:
        assert files.read_position() is None


@pytest.mark.parametrize(
    "fields",
    [
        {"Origin": "log", "Size": "6", "Groups": 3, "Root": "", "Caught": ""},
        {"Origin": "log", "Size": 3, "Groups": 6, "Root": "", "Caught": ""},
        {"Origin": 7, "Size": 0, "Groups": 0, "Root": "", "Caught": ""},
        {"Size": 0, "Groups": 0},
        {"Origin": "log", "Size": 0, "Groups": 0, "Root": "zz", "Caught": ""},
    ],
)
def test_a_position_of_another_kind_is_of_no_use(tmp_path, fields):
    with ReplayFiles(tmp_path) as files:
        files._position.write(fields)
        assert files.read_position() is None


def test_two_processes_do_not_share_a_directory(tmp_path):
    with ReplayFiles(tmp_path), pytest.raises(LockedError):
        ReplayFiles(tmp_path)
    ReplayFiles(tmp_path).close()


def test_reading_beyond_the_end_is_damage(tmp_path):
    with ReplayFiles(tmp_path) as files:
        fill(files)
        with pytest.raises(DamagedError):
            files.read_digests(0, 7)


def test_the_position_is_written_after_the_sync_of_what_it_stands_for(tmp_path, monkeypatch):
    done = []
    with ReplayFiles(tmp_path) as files:
        names = {files._digests: "digests", files._ends: "ends"}
        monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(names.get(descriptor)))
        monkeypatch.setattr(files._position, "write", lambda _fields: done.append("position"))
        fill(files)
        files.write_position(Position("log", 6, 3, b"r" * 32))
    assert done == ["digests", "ends", "position"]
