"""The machinery judges: right code passes every fault, wrong code is caught, and a fault that never
happened is not counted as passed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.syscalls import Call, plan_calls
from fault.trial import all_faults
from fault.worker import Worker

pytestmark = pytest.mark.fault


@pytest.fixture(name="worker")
def toy_worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path, "fault.toy_operations") as worker:
        yield worker


def test_the_calls_of_a_careful_write_are_those_that_durable_documents(worker: Worker) -> None:
    changes = [call.syscall for call in worker.plan("careful") if call.syscall != "newfstatat"]
    want = ["openat", "fchmod", "write", "fsync", "rename", "openat", "fsync"]
    assert [call for call in changes if call in want] == want


def test_a_careful_write_stands_every_fault(worker: Worker) -> None:
    faults = all_faults(worker.plan("careful"))
    outcomes = [worker.try_fault("careful", call, kind) for call, kind in faults]
    assert [o.verdict for o in outcomes] == ["ok"] * len(faults), outcomes
    assert all(outcome.hits == 1 for outcome in outcomes)
    assert len(outcomes) >= 20


@pytest.mark.parametrize("kind", ["EIO", "ENOSPC", "KILL"])
def test_a_careless_write_is_caught(worker: Worker, kind: str) -> None:
    worker.plan("careless")
    outcome = worker.try_fault("careless", Call("main", "write", 1), kind)
    assert (outcome.verdict, outcome.hits) == ("failed", 1)


def test_a_fault_that_was_not_reached_is_not_a_pass(worker: Worker) -> None:
    worker.plan("careful")
    assert worker.try_fault("careful", Call("main", "rename", 2), "KILL").verdict == "not reached"


def test_calls_are_counted_in_each_thread_and_only_files_are_kept() -> None:
    trace = (
        '7  openat(AT_FDCWD</x>, "a", O_RDONLY) = 3</x/a>\n'
        '8  openat(AT_FDCWD</x>, "b", O_RDONLY) = 4</x/b>\n'
        "7  write(5<pipe:[1]>, 1) = 1\n"
        "7  write(3</x/a>, 1 <unfinished ...>\n"
        "7  <... write resumed>) = 1\n"
        "7  +++ exited with 0 +++\n"
    )
    calls = plan_calls(trace, {7: "main", 8: "committer"})
    assert [call.name for call in calls] == ["main/openat/1", "committer/openat/1", "main/write/2"]
