"""What every judge asks, and the logs that the operations start from.

Is `qed check` clean, is everything that was acknowledged there and proved, can one add? The events
are "event 0", "event 1", ...; `digests(a, b)` are those of [a, b).
"""

from __future__ import annotations

import contextlib
from hashlib import sha256
from pathlib import Path

from qed.engine.check import check
from qed.engine.log import Log
from qed.trees.verify import Root, verify_membership


def digests(start: int, stop: int) -> list[bytes]:
    return [sha256(f"event {number}".encode()).digest() for number in range(start, stop)]


def judge_log(path: Path, promised: int, *, at_most: int | None = None) -> int:
    """Check a log, prove its events, at most some hundred, add one more; return the size before."""
    report = check(path)
    assert report.size >= promised, f"{report.size} events are left of {promised} acknowledged"
    assert at_most is None or report.size <= at_most, f"{report.size} events, nobody added those"
    with contextlib.closing(Log.open(path)) as log:
        prove(log, digests(0, report.size)[:: 1 + report.size // 100])
        log.append(digests(report.size, report.size + 1))
        assert log.head.size == report.size + 1
        prove(log, digests(report.size, report.size + 1))
    assert check(path).size == report.size + 1
    return report.size


def prove(log: Log, digests: list[bytes]) -> None:
    head = log.head
    for digest in digests:
        proof = log.prove_membership(digest)
        assert proof.exists, f"{digest.hex()} is missing"
        verify_membership(
            proof,
            digest=digest,
            version=None,
            hyper=Root(head.size - 1, head.hyper_digest),
            history=Root(head.size - 1, head.history_digest),
        )


def fill(path: Path, sizes: list[int]) -> None:
    """Add groups of these sizes to a new log, and end as after a power cut: nothing is closed."""
    log = Log.create(path)
    for size in sizes:
        start = log.head.size
        log.append(digests(start, start + size))
