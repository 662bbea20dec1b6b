"""After each step, everything again: rows, roots and proofs, compared with the naive model.

```
harness = Harness(tmp_path / "db")
harness.add(b"a", b"b")         # one group; judged
harness.reopen()                # closed, opened, judged
harness.power_cut()             # goes on with what a copy of the live files holds; judged
```

The rows are computed here from SPEC and `docs/format.md`, not by `qed.engine.rows`.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from itertools import count
from pathlib import Path

import model
from both_verifiers import verify_absence, verify_incremental, verify_membership
from model import Model
from qed.engine.check import check
from qed.engine.log import Log
from qed.errors import NotProvenError
from qed.trees.values import NO_VERSION, Snapshot
from qed.trees.verify import Root

ABSENT = [sha256(b"never added %d" % number).digest() for number in range(3)]


def event(number: int) -> bytes:
    """The digest of "event <number>"."""
    return sha256(b"event %d" % number).digest()


def events(start: int, stop: int) -> list[bytes]:
    """The digests of the events [start, stop)."""
    return [event(number) for number in range(start, stop)]


class Harness:
    """A log, the model that it must equal, and the groups that were added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = Log.create(path, origin="harness.test/log", node_id="node")
        self.model = Model()
        self.groups: list[list[bytes]] = []
        self._copies = count()
        self.judge()

    def add(self, *digests: bytes) -> None:
        added = self.log.append(digests)
        self.expect_group(list(digests))
        assert added.snapshots() == self.model.snapshots[-len(digests) :]
        self.judge()

    def expect_group(self, digests: list[bytes]) -> list[Snapshot]:
        """Tell the model of a group that the log has committed by another way."""
        self.groups.append(digests)
        return self.model.add(digests)

    def reopen(self) -> None:
        self.log.close()
        self.judge_closed()
        self.log = Log.open(self.path)
        self.judge()

    def power_cut(self) -> None:
        copy = self.path.with_name(f"{self.path.name}-{next(self._copies)}")
        shutil.copytree(self.path, copy)
        self.log.close()
        self.path = copy
        self.judge_closed()
        self.log = Log.open(copy)
        self.judge()

    def judge_closed(self) -> None:
        report = check(self.path)
        assert report.size == len(self.model.digests)
        assert report.groups == len(self.groups)
        assert report.hyper_digest == model.hyper_root(self.model.members)

    def judge(self) -> None:
        judge_head(self.log, self.model, len(self.groups))
        judge_rows(self.log, self.model, self.groups)
        judge_memberships(self.log, self.model)
        judge_absences(self.log, self.model)
        judge_increments(self.log, self.model)

    def close(self) -> None:
        self.log.close()


def judge_head(log: Log, expected: Model, groups: int) -> None:
    head, size = log.head, len(expected.digests)
    assert (head.size, head.sequence, head.epoch) == (size, groups, 0)
    assert log.current_version == (size - 1 if size else NO_VERSION)
    leaves = [model.snapshot_leaf(snapshot) for snapshot in expected.snapshots]
    assert log.snapshot_root == (size, model.snapshot_log_root(leaves))
    assert head.hyper_digest == model.hyper_root(expected.members)
    assert head.history_digest == (
        model.history_root(expected.digests, size - 1) if size else bytes(32)
    )


def judge_rows(log: Log, expected: Model, groups: list[list[bytes]]) -> None:
    """Compare every row of the database, byte for byte."""
    head, identity = log.head, log.identity
    numbers = (0, len(groups), len(expected.digests))
    meta = {
        b"format": b"\x00\x01",
        b"log": identity.log_id + identity.origin.encode(),
        b"node": identity.node_id.encode(),
        b"head": identity.log_id
        + b"".join(number.to_bytes(8, "big") for number in numbers)
        + head.history_digest
        + head.hyper_digest,
    } | snapshot_rows(expected)
    log_rows, end_rows, size = {}, {}, 0
    for group in groups:
        log_rows[size.to_bytes(8, "big")] = b"".join(group)
        size += len(group)
        end_rows[(size - 1).to_bytes(8, "big")] = expected.snapshots[size - 1].hyper_digest
    for family, rows in (("default", meta), ("log", log_rows), ("ends", end_rows)):
        assert dict(log._database.scan(family, b"")) == rows, family


def snapshot_rows(expected: Model) -> dict[bytes, bytes]:
    """What the database keeps of the snapshot log; nothing of an empty one."""
    leaves = [model.snapshot_leaf(snapshot) for snapshot in expected.snapshots]
    if not leaves:
        return {}
    size = len(leaves)
    found = {b"snapshots": b"\x00\x01" + size.to_bytes(8, "big") + model.snapshot_log_root(leaves)}
    for index in range(size // 256):
        tile = leaves[256 * index : 256 * index + 256]
        found[b"node\x01" + index.to_bytes(8, "big")] = model.snapshot_log_root(tile)
    return found


def judge_memberships(log: Log, expected: Model) -> None:
    for digest in set(expected.digests):
        for version in (None, NO_VERSION, *range(len(expected.digests) + 1)):
            try:
                proof = expected.membership(digest, version)
            except model.NotProvenError as not_proven:
                try:
                    log.prove_membership(digest, version)
                except NotProvenError as refusal:
                    assert str(refusal) == str(not_proven)  # noqa: PT017 - both must raise
                    continue
                raise AssertionError(f"proven and should not be: {not_proven}") from not_proven
            assert log.prove_membership(digest, version) == proof
            current = proof.current_version
            as_of = min(proof.query_version, current)
            verify_membership(
                proof,
                digest=digest,
                version=version,
                hyper=Root(current, expected.snapshots[current].hyper_digest),
                history=Root(as_of, expected.snapshots[as_of].history_digest),
            )


def judge_absences(log: Log, expected: Model) -> None:
    for digest in ABSENT:
        for version in (None, 0, len(expected.digests) + 7):
            proof = expected.membership(digest, version)
            assert log.prove_membership(digest, version) == proof
            if not expected.digests:
                continue
            newest = expected.snapshots[-1]
            verify_absence(
                proof,
                digest=digest,
                version=version,
                hyper=Root(newest.version, newest.hyper_digest),
                history=Root(newest.version, newest.history_digest),
            )


def judge_increments(log: Log, expected: Model) -> None:
    size = len(expected.digests)
    for end in range(size):
        for start in range(end + 1):
            proof = log.prove_incremental(start, end)
            assert proof == expected.incremental(start, end)
            roots = (
                Root(version, expected.snapshots[version].history_digest)
                for version in (start, end)
            )
            first, last = roots
            verify_incremental(proof, start=first, end=last)
    for start, end in ((0, size), (size, size), (1, 0)):
        try:
            log.prove_incremental(start, end)
        except NotProvenError as refusal:
            assert (  # noqa: PT017 - the call must raise
                str(refusal) == "unable to process proof from history tree: invalid range"
            )
            continue
        raise AssertionError(f"proven and should not be: {start} to {end}")
