"""The small log of format 1 that every version must open: `tests/fixtures/format-1`."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from harness import (
    Harness,
    judge_absences,
    judge_head,
    judge_increments,
    judge_memberships,
    judge_rows,
)
from model import Model, snapshot_leaf, snapshot_log_root
from qed.engine.check import check, read_head
from qed.engine.hyper_index import read_index
from qed.engine.log import Log
from qed.engine.rows import FORMAT

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format-1"


@pytest.fixture
def expected() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FIXTURE / "expected.json").read_text())
    return loaded


@pytest.fixture(params=["closed", "power-cut"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURE / request.param, tmp_path / "db"))


def digests_of(expected: dict[str, Any]) -> list[list[bytes]]:
    return [[sha256(event.encode()).digest() for event in group] for group in expected["groups"]]


def test_format_1_is_what_is_written_today() -> None:
    assert FORMAT == 1, "a new format needs a fixture of its own, and this one stays"


def test_it_is_clean(path, expected) -> None:
    report = check(path)
    assert report.size == 10
    assert report.groups == len(expected["groups"])
    assert report.history_digest.hex() == expected["history_digest"]
    assert report.hyper_digest.hex() == expected["hyper_digest"]


def test_it_says_whose_it_is(path, expected) -> None:
    identity, head = read_head(path)
    assert identity.log_id.hex() == head.log_id.hex() == expected["log_id"]
    assert (identity.origin, identity.node_id) == (expected["origin"], expected["node_id"])
    assert head.epoch == expected["epoch"]


def test_it_proves_and_goes_on(path, expected) -> None:
    model, groups = Model(), digests_of(expected)
    for digests in groups:
        model.add(digests)
    with Log.open(path) as log:
        judge_head(log, model, len(groups))
        judge_rows(log, model, groups)
        judge_memberships(log, model)
        judge_absences(log, model)
        judge_increments(log, model)
        added = log.append([b"n" * 32, b"m" * 32])
        assert added.snapshots() == model.add([b"n" * 32, b"m" * 32])
    report = check(path)
    assert report.size == 12
    assert report.snapshot_root == snapshot_log_root(list(map(snapshot_leaf, model.snapshots)))


def test_its_index_is_read(expected) -> None:
    index = read_index(FIXTURE / "closed")
    assert index is not None
    assert index.log_id.hex() == expected["log_id"]
    assert index.size == 10
    assert index.hyper_digest.hex() == expected["hyper_digest"]


def test_the_same_groups_give_the_same_roots_today(tmp_path, expected) -> None:
    harness = Harness(tmp_path / "db")
    for digests in digests_of(expected):
        harness.add(*digests)
    assert harness.log.head.history_digest.hex() == expected["history_digest"]
    assert harness.log.head.hyper_digest.hex() == expected["hyper_digest"]
    harness.close()
