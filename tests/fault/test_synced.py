"""What is acknowledged, and what decides, outlasts a loss of power: every sync is there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.order import read_steps
from fault.synced import owed_at_decisions, paths_of
from fault.worker import Worker, memory_or

pytestmark = pytest.mark.fault

OPERATIONS = {
    "create-log": ["acknowledged created"],
    "open": ["acknowledged opened"],
    "close": ["acknowledged closed"],
    "commit": ["acknowledged 13"],
    "rebuild-index": ["acknowledged rebuilt"],
    "backup-create": ["rename to 4", "acknowledged 4"],
    "backup-first": ["rename to 1", "acknowledged 1"],
    "backup-delete": ["acknowledged deleted"],
    "restore-over": ["rename to COMMIT", "acknowledged restored"],
    "restore-fresh": ["rename to COMMIT", "acknowledged restored"],
    "restore-served": ["rename to COMMIT", "acknowledged restored"],
    "swap-at-start": ["acknowledged swapped", "acknowledged opened"],
}


@pytest.fixture(name="worker")
def worker_on_the_product(tmp_path: Path) -> Iterator[Worker]:
    with (
        tempfile.TemporaryDirectory(dir=memory_or(tmp_path)) as scratch,
        Worker(Path(scratch)) as worker,
    ):
        yield worker


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_owed_to_the_disk(worker: Worker, operation: str) -> None:
    directory, before, trace = worker.record(operation)
    moments = list(owed_at_decisions(read_steps(trace), directory, before))
    assert [moment for moment, _ in moments] == OPERATIONS[operation]
    assert moments == [(moment, []) for moment, _ in moments]


D = "/d"
WRITE = (
    '7 openat(AT_FDCWD</>, "/d/f", O_WRONLY|O_CREAT, 0644) = 3</d/f>\n7 write(3</d/f>, "x", 1) = 1'
)
SYNC = "7 fsync(3</d/f>) = 0"
SYNC_D = "7 fsync(4</d>) = 0"
SAY = '7 sendto(5<socket:[1]>, "acknowledged it", 15, 0, NULL, 0) = 15'


@pytest.mark.parametrize(
    ("lines", "owed"),
    [
        ([WRITE, SYNC, SYNC_D, SAY], []),
        ([WRITE, SYNC_D, SYNC, SAY], []),
        ([WRITE, SYNC, SAY], ["name /d/f"]),
        ([WRITE, SYNC_D, SAY], ["bytes of /d/f"]),
        ([SYNC, WRITE, SYNC_D, SAY], ["bytes of /d/f"]),
        (["7 fsync(3</d/f> <unfinished ...>", WRITE.replace("7 ", "8 "),
          "7 <... fsync resumed>) = 0", SYNC_D, SAY], ["bytes of /d/f"]),
        ([WRITE, SYNC, SYNC_D, '7 rename("/d/f", "/d/g") = 0', SAY], ["name /d/f", "name /d/g"]),
        ([WRITE, SYNC_D, '7 rename("/d/f", "/d/g") = 0', SYNC_D, SAY], ["bytes of /d/g"]),
        ([WRITE, SYNC, SYNC_D, '7 unlink("/d/f") = 0', SAY], ["name /d/f"]),
        (['7 mkdir("/d/e", 0777) = 0', SAY], ["name /d/e"]),
        (['7 mkdir("/d/e", 0777) = 0', SYNC_D, SAY], []),
        ([WRITE.replace("/d/f", "/e/f"), SAY], []),
    ],
)  # fmt: skip
def test_what_is_owed_is_found(lines: list[str], owed: list[str]) -> None:
    steps = read_steps("\n".join(lines))
    assert list(owed_at_decisions(steps, Path(D), [])) == [("acknowledged it", owed)]


def test_a_decision_before_the_sync_of_what_it_decides_for_is_found() -> None:
    lines = [WRITE, SYNC_D, '7 rename("/d/.1.tmp", "/d/meta/1") = 0']
    steps = read_steps("\n".join(lines))
    assert list(owed_at_decisions(steps, Path(D), [])) == [("rename to 1", ["bytes of /d/f"])]


def test_paths_are_found_below_their_directory() -> None:
    assert paths_of('5</d>, "f", 0) = 0') == ["/d/f"]
    assert paths_of('AT_FDCWD</w>, "/d/f", O_RDONLY) = 3</d/f>') == ["/d/f"]
    assert paths_of('"/d/a", "/d/b") = 0') == ["/d/a", "/d/b"]
