"""What is measured in a process of its own: so that memory, CPU and bytes written are its alone.

    python benchmarks/worker.py NAME < arguments.json > result.json

Benchmarks call `work`, which starts it with the counter of syncs loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from machine import resident_bytes, written_bytes
from syncs import SyncCounter, Syncs, read_syncs

from qed.backup.create import create_backup
from qed.backup.restore import restore_backup
from qed.database import Database
from qed.engine import rows
from qed.engine.check import check
from qed.engine.log import Added, Limits, Log
from qed.trees.verify import Root, verify_membership

HERE = Path(__file__).resolve().parent
DIGEST_BYTES = 32
AHEAD = 4  # groups submitted and not acknowledged
SAMPLE = 1_000  # proofs verified after each benchmark

Result = dict[str, Any]


def work(counter: SyncCounter, name: str, **arguments: Any) -> Result:
    """Run a worker in a process of its own and return what it measured."""
    done = subprocess.run(
        [sys.executable, str(HERE / "worker.py"), name],
        input=json.dumps(arguments, default=str).encode(),
        stdout=subprocess.PIPE,
        env=counter.environment(),
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"void: {name} of {arguments} has failed")
    result: Result = json.loads(done.stdout)
    return result


class Meter:
    """Time, processor time, syncs and bytes written within its block."""

    def __enter__(self) -> Self:
        """Begin."""
        self._written = written_bytes(os.getpid())
        self._syncs = read_syncs()
        self._process, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        """End; the figures are fields from here on."""
        self.seconds = time.perf_counter() - self._wall
        self.cpu_s = time.process_time() - self._process
        self.syncs: Syncs = read_syncs() - self._syncs
        self.written_bytes = written_bytes(os.getpid()) - self._written

    def result(self) -> Result:
        """Return the figures."""
        return {
            "seconds": self.seconds,
            "cpu_s": self.cpu_s,
            "syncs": self.syncs.calls,
            "sync_s": self.syncs.seconds,
            "written_bytes": self.written_bytes,
            "resident_bytes": resident_bytes(os.getpid()),
        }


def limits(cache_bytes: int | None = None, group: int | None = None) -> Limits:
    """Return a log's limits: a budget of memory, the size of a group; None for the default.

    Requests as large as a group are not joined: each is a group, with a sync of its own.
    """
    given = {"cache_bytes": cache_bytes, "group_events": group}
    return Limits(**{name: value for name, value in given.items() if value is not None})


def random_digests(count: int, prefix: bytes = b"") -> bytes:
    """Return random digests, end to end, that share their first bytes."""
    if not prefix:
        return os.urandom(count * DIGEST_BYTES)
    rest = DIGEST_BYTES - len(prefix)
    return b"".join(prefix + os.urandom(rest) for _ in range(count))


def append(log: Log, groups: Iterator[bytes], ahead: int = AHEAD) -> Added | None:
    """Add groups, some submitted ahead; return what became of the last one."""
    waiting: deque[Future[Added]] = deque()
    last = None
    for group in groups:
        waiting.append(log.submit(group))
        if len(waiting) > ahead:
            last = waiting.popleft().result()
    while waiting:
        last = waiting.popleft().result()
    return last


def verify_sample(log: Log, last: Added, digests: dict[int, bytes]) -> int:
    """Verify proofs against the snapshot that the last addition was answered with."""
    version = last.first_version + len(last.event_digests) - 1
    hyper = Root(version, last.hyper_digest)
    history = Root(version, last.history_digests[-1])
    for expected, digest in digests.items():
        proof = log.prove_membership(digest)
        verify_membership(proof, digest=digest, version=None, hyper=hyper, history=history)
        if proof.actual_version != expected:
            raise SystemExit(f"event {expected} is proven to be {proof.actual_version}")
    return len(digests)


def fill(path: str, events: int, group: int = 1_000, cache_bytes: int | None = None) -> Result:
    """Create a log and add random events in groups; verify a sample of proofs."""
    wanted = set(random.Random(events).sample(range(events), min(SAMPLE, events)))  # noqa: S311
    sample: dict[int, bytes] = {}

    def groups() -> Iterator[bytes]:
        for first in range(0, events, group):
            data = random_digests(min(group, events - first))
            for version in wanted.intersection(range(first, first + group)):
                at = (version - first) * DIGEST_BYTES
                sample[version] = data[at : at + DIGEST_BYTES]
            yield data

    with Log.create(Path(path), limits=limits(cache_bytes, group)) as log:
        with Meter() as meter:
            last = append(log, groups())
        result = {**meter.result(), "trees_bytes": log.memory_bytes}
        assert last is not None
        with Meter() as proofs:
            result["verified"] = verify_sample(log, last, sample)
        result["proof_us"] = proofs.seconds / len(sample) * 1e6
    return {**result, "peak_bytes": resident_bytes(os.getpid(), peak=True)}


def reopen(path: str, cache_bytes: int | None = None) -> Result:
    """Open a log and close it again."""
    with Meter() as meter:
        log = Log.open(Path(path), limits=limits(cache_bytes))
    result = {**meter.result(), "events": log.head.size}
    log.close()
    return {**result, "peak_bytes": resident_bytes(os.getpid(), peak=True)}


def check_log(path: str, *, rebuild_index: bool = False) -> Result:
    """Recompute everything that the log holds."""
    with Meter() as meter:
        report = check(Path(path), rebuild_index=rebuild_index)
    return {**meter.result(), "events": report.size}


def prove(path: str) -> Result:
    """Open a log and verify proofs of random events of its rows, against the head row's roots."""
    with contextlib.closing(Database.open(Path(path), rows.FAMILIES, read_only=True)) as database:
        chosen = random_digests_of(database, SAMPLE)
        (head_row,) = database.get(rows.META, [rows.HEAD_KEY])
    head = rows.decode_head(head_row)
    hyper = Root(head.current_version, head.hyper_digest)
    history = Root(head.current_version, head.history_digest)
    with Log.open(Path(path)) as log:
        for digest in chosen:
            proof = log.prove_membership(digest)
            verify_membership(proof, digest=digest, version=None, hyper=hyper, history=history)
    return {"verified": len(chosen)}


def random_digests_of(database: Database, count: int) -> list[bytes]:
    """Return random event digests out of the rows of a log, or all if it has no more."""
    found: list[bytes] = []
    for _, group in database.scan(rows.LOG, b""):
        found += [group[i : i + DIGEST_BYTES] for i in range(0, len(group), DIGEST_BYTES)]
    return random.sample(found, min(count, len(found)))


def back_up(path: str, directory: str) -> Result:
    """Back a log up, add one per cent, back it up again."""
    target = Path(directory)
    with Log.open(Path(path)) as log:
        scratch = Path(path) / "qed-checkpoints"
        scratch.mkdir(exist_ok=True)
        with Meter() as first:
            create_backup(log, target, scratch=scratch)
        size = log.head.size
        more = max(size // 100_000, 1)
        append(log, (random_digests(1_000) for _ in range(more)))
        before = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
        with Meter() as second:
            create_backup(log, target, scratch=scratch)
        after = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return {
        "first": first.result(),
        "second": second.result(),
        "events": size,
        "new_events": more * 1_000,
        "first_bytes": before,
        "second_bytes": after - before,
    }


def restore(directory: str, target: str) -> Result:
    """Restore the newest backup into a directory that is not there yet."""
    with Meter() as meter:
        restore_backup(Path(directory), Path(target))
    return meter.result()


def flood(path: str, events: int, flooded: int, bits: int, group: int = 1_000) -> Result:
    """Time single groups: ordinary ones, those of a flood, and both kinds after it."""
    prefix = os.urandom(bits // 8)
    times: dict[str, list[float]] = {"before": [], "flood": [], "beside": [], "ordinary": []}

    def one(kind: str, data: bytes) -> None:
        start = time.perf_counter()
        log.append(data)
        times[kind].append(time.perf_counter() - start)

    with Log.create(Path(path)) as log:
        append(log, (random_digests(group) for _ in range(events // group)))
        for _ in range(20):
            one("before", random_digests(group))
        for _ in range(flooded // group):
            one("flood", random_digests(group, prefix))
        for _ in range(20):
            one("ordinary", random_digests(group))
        sample = random_digests(group, prefix)
        one("beside", sample)
        last = log.append(random_digests(group, prefix))
        first = last.first_version - group
        entries = {first + i: sample[32 * i : 32 * i + 32] for i in range(min(group, SAMPLE))}
        verified = verify_sample(log, last, entries)
    return {"times_s": times, "verified": verified}


def compare_snapshots(**arguments: Any) -> Result:
    """Let logs with and without the snapshot log take turns; see `snapshot_cost`."""
    return import_module("snapshot_cost").compare(**arguments)  # type: ignore[no-any-return]


WORKERS: dict[str, Callable[..., Result]] = {
    "fill": fill,
    "reopen": reopen,
    "check": check_log,
    "prove": prove,
    "back_up": back_up,
    "restore": restore,
    "flood": flood,
    "snapshots": compare_snapshots,
}


if __name__ == "__main__":
    json.dump(WORKERS[sys.argv[1]](**json.load(sys.stdin)), sys.stdout)
