"""A sample of the faults of `make faults`, and every one of a commit.

The sample follows the seed of the test run; `run_all.py` tries all and says how to repeat one.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.trial import Outcome, all_faults
from fault.worker import Worker, memory_or

pytestmark = [pytest.mark.fault, pytest.mark.slow]

COMMITS = ["commit", "commit-many"]
OTHERS = [
    *(
        "create-log",
        "open",
        "open-old",
        "close",
        "commit-ahead",
        "commit-pages",
        "commit-flush",
        "backup-create",
        "backup-first",
        "backup-delete",
    ),
    *("rebuild-index", "make-key"),
    *("store-create", "store-open", "store-append", "store-conflict"),
    *("restore-over", "restore-fresh", "restore-served", "swap-at-start"),
]
SAMPLE = 60


@pytest.fixture(name="worker")
def worker_on_the_product(tmp_path: Path) -> Iterator[Worker]:
    with (
        tempfile.TemporaryDirectory(dir=memory_or(tmp_path)) as scratch,
        Worker(Path(scratch)) as worker,
    ):
        yield worker


def test_the_operations_are_those_that_are_tried(worker: Worker) -> None:
    assert sorted(worker.operations()) == sorted(COMMITS + OTHERS)


@pytest.mark.parametrize("operation", COMMITS)
def test_a_commit_stands_every_fault(worker: Worker, operation: str) -> None:
    faults = all_faults(worker.plan(operation))
    assert {call.syscall for call, _ in faults} >= {"write", "fdatasync"}
    outcomes = [worker.try_fault(operation, call, kind) for call, kind in faults]
    _expect_all_right(outcomes, reached=len(faults))


@pytest.mark.parametrize("operation", OTHERS)
def test_a_sample_of_every_other_operation(
    worker: Worker, operation: str, pytestconfig: pytest.Config
) -> None:
    seed = pytestconfig.getoption("randomly_seed", 0)
    faults = all_faults(worker.plan(operation))
    random.Random(f"{operation} {seed}").shuffle(faults)  # noqa: S311 - a sample, not a secret
    wanted = -(-SAMPLE // len(OTHERS))
    outcomes: list[Outcome] = []
    while sum(outcome.hits > 0 for outcome in outcomes) < wanted:
        call, kind = faults.pop()
        outcomes.append(worker.try_fault(operation, call, kind))
    _expect_all_right(outcomes, reached=wanted)


def _expect_all_right(outcomes: list[Outcome], *, reached: int) -> None:
    failed = [f"{o.name}\n{o.detail}" for o in outcomes if o.verdict == "failed"]
    assert not failed, "\n\n".join(failed)
    assert sum(outcome.hits > 0 for outcome in outcomes) == reached, outcomes
