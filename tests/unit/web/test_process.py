"""What a server asks of its own process."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys

import pytest

from qed.errors import StoppingError
from qed.web import process
from qed.web.stop import Stop


def test_as_many_files_may_be_open_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: asked.append((what, limits)))
    process.raise_file_limit()
    assert asked == [(resource.RLIMIT_NOFILE, (4096, 4096))]


@pytest.mark.parametrize(("before", "after"), [(0, process.BEHIND), (19, 19)])
def test_one_that_steps_back_is_nicer_than_others(before: int, after: int) -> None:
    # In a process of its own: nobody gets back what he has given up.
    code = (
        "import os; from qed.web.process import step_back;"
        f"os.setpriority(os.PRIO_PROCESS, 0, {before}); step_back();"
        "print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(done.stdout) == max(after, os.getpriority(os.PRIO_PROCESS, 0))


@pytest.mark.parametrize("error", [ValueError(), OSError()])
def test_a_system_that_refuses_more_files_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_what: int, _limits: tuple[int, int]) -> None:
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    process.raise_file_limit()


def test_turns_are_short_within_the_block_only() -> None:
    before_s = sys.getswitchinterval()
    with contextlib.suppress(KeyError), process.short_turns(before_s / 4):
        assert sys.getswitchinterval() == pytest.approx(before_s / 4)
        raise KeyError
    assert sys.getswitchinterval() == pytest.approx(before_s)


def test_a_long_opening_is_announced_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter([0.0, 1.0, 2.5, 3.0, 5.0])
    monkeypatch.setattr(process.time, "monotonic", lambda: next(now_s))
    lines: list[str] = []
    report = process.announce_opening("log", "events", lines.append, Stop())
    for done in (1_000, 2_000, 3_000, 4_000):
        report(done, 1_000_000)
    assert lines == [
        "opening the log: 2,000 of 1,000,000 events recomputed",
        "opening the log: 4,000 of 1,000,000 events recomputed",
    ]


def test_a_stop_ends_an_opening() -> None:
    stop, lines = Stop(), []
    report = process.announce_opening("log", "events", lines.append, stop)
    report(1, 2)
    stop.request()
    with pytest.raises(StoppingError, match="stopped before the log was open"):
        report(2, 2)
    assert lines == []
