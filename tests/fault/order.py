"""Reads from a recorded run in which order things were written, synced and acknowledged.

A kill does not test a sync: the page cache survives it. So the order itself is judged: between the
write of an event's row to the write-ahead log and the first byte of its acknowledgement, a sync of
that file must have begun and ended. strace stops a thread before and after each call, so the order
of its lines is the order of the calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TRACE = ["-f", "-y", "-xx", "-s", "1000000", "-e"]
CALLS = "trace=write,writev,pwrite64,sendto,sendmsg,fdatasync,fsync"

_LINE = re.compile(r"^(\d+) +(?:(<\.\.\. )?([a-z0-9_]+)(?: resumed>|\()(.*))$")
_FAILED = re.compile(r" = -1 | = \?")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_SYNCS = ("fdatasync", "fsync")


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the numbers of the lines at which it began and ended, its file and its bytes.

    `arguments` are what strace printed behind the name, the result included.
    """

    begin: int
    end: int
    call: str
    file: str
    data: bytes
    arguments: str = ""


def read_steps(trace: str) -> list[Step]:
    """Return the calls of a trace made with `-f -y`, but for those that failed or never ended."""
    begun: dict[int, tuple[int, str, str]] = {}
    steps = []
    for number, line in enumerate(trace.splitlines()):
        found = _LINE.match(line)
        if found is None:
            continue
        tid, resumed, call, rest = int(found[1]), found[2], found[3], found[4]
        if rest.endswith("<unfinished ...>"):
            begun[tid] = (number, call, rest)
            continue
        begin, arguments = number, rest
        if resumed:
            begin, call, before = begun.pop(tid, (number, call, ""))
            arguments = before + rest
        if not _FAILED.search(rest):
            step = Step(begin, number, call, _file(arguments), _data(arguments), arguments)
            steps.append(step)
    return steps


def _file(arguments: str) -> str:
    """Return what `-y` says the first descriptor is; with `-xx` that is hex, too."""
    shown = arguments.partition("<")[2].partition(">")[0]
    return bytes.fromhex(shown.replace("\\x", "")).decode() if shown.startswith("\\x") else shown


def _data(arguments: str) -> bytes:
    return b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(arguments))


def early_acknowledgements(
    steps: Sequence[Step], acknowledged: Iterable[tuple[bytes, bytes]]
) -> list[str]:
    """Return a sentence for each event that was acknowledged before its row was synced.

    Each event is a pair: the bytes that its row holds, and those that acknowledge it.
    """
    wal = [step for step in steps if step.file.endswith(".log")]
    writes = [step for step in wal if step.call not in _SYNCS]
    syncs = [step for step in wal if step.call in _SYNCS]
    found = []
    for row, acknowledgement in acknowledged:
        answers = [s for s in steps if acknowledgement in s.data and s not in wal]
        written = [step for step in writes if row in step.data]
        if not answers or not written:
            found.append(f"{row.hex()}: {len(written)} writes, {len(answers)} answers")
            continue
        first = min(step.begin for step in answers)
        if not any(
            sync.file == write.file and write.end < sync.begin and sync.end < first
            for write in written
            for sync in syncs
        ):
            found.append(f"{row.hex()} was acknowledged at line {first} before it was synced")
    return found
