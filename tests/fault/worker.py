"""A process that has imported everything once and runs the trials that it is told to, one a line.

It never opens a database and never starts a thread itself, so that what it forks is clean. `Worker`
is the other end: what tests and `run_all.py` talk to.

    -> {"names": null}
    <- {"names": ["commit", ...]}
    -> {"plan": "commit"}
    <- {"calls": [[thread, syscall, nth, arguments], ...]}
    -> {"record": "commit"}
    <- {"record": [directory, [path, ...], trace]}
    -> {"try": ["commit", thread, syscall, nth, arguments, kind]}
    <- {"name", "verdict", "hits", "detail"}
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fault.syscalls import Call
from fault.trial import Operation, Outcome, Rehearsal, block_gate

TESTS = Path(__file__).resolve().parent.parent


def memory_or(otherwise: Path) -> Path:
    """Return a directory in memory where there is one: the calls are the same, a sync is free."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else otherwise


class Worker:
    """A worker process, started with its scratch directory, ended with the block."""

    def __init__(self, scratch: Path, operations: str = "fault.operations") -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fault.worker", str(scratch), operations],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C is for the one who hands out the work
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def operations(self) -> list[str]:
        """Return the names of what can be made to fail."""
        names: list[str] = self._ask({"names": None})["names"]
        return names

    def plan(self, operation: str) -> list[Call]:
        return [Call(*fields) for fields in self._ask({"plan": operation})["calls"]]

    def record(self, operation: str) -> tuple[Path, list[Path], str]:
        """Return the directory of an undisturbed run, what lay there before, and its trace."""
        directory, before, trace = self._ask({"record": operation})["record"]
        return Path(directory), [Path(path) for path in before], trace

    def try_fault(self, operation: str, call: Call, kind: str) -> Outcome:
        answer = self._ask({"try": [operation, *dataclasses.astuple(call), kind]})
        return Outcome(**answer)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker died at {question}")
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            raise RuntimeError(answer["problem"])
        return answer


def main(scratch: Path, operations: str) -> None:
    """Answer questions until there are none."""
    block_gate()
    importlib.import_module("pickle")  # rocksdict loads it with the first database
    known: dict[str, Operation] = importlib.import_module(operations).OPERATIONS
    rehearsals: dict[str, Rehearsal] = {}
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line), known, rehearsals, scratch)
        except RuntimeError as error:
            answer = {"problem": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _answer(
    question: dict[str, Any],
    known: dict[str, Operation],
    rehearsals: dict[str, Rehearsal],
    scratch: Path,
) -> dict[str, Any]:
    if "names" in question:
        return {"names": list(known)}
    name = question["try"][0] if "try" in question else next(iter(question.values()))
    if name not in rehearsals:
        rehearsals[name] = Rehearsal(known[name], scratch)
    if "plan" in question:
        return {"calls": [dataclasses.astuple(call) for call in rehearsals[name].plan()]}
    if "record" in question:
        return {"record": rehearsals[name].record()}
    _, *fields, kind = question["try"]
    return dataclasses.asdict(rehearsals[name].try_fault(Call(*fields), kind))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
