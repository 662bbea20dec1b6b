"""Every snapshot that QED printed: walkthrough, single_adds, bulk_adds, near_digests."""

from __future__ import annotations

from hashlib import sha256

import pytest

import vector_files
from model import Model
from pure_log import PureLog


@pytest.fixture(params=[PureLog, Model])
def log(request):
    """An empty log: of the trees, and of the judge, which the vectors judge as well."""
    return request.param()


def digest(event: str) -> bytes:
    return sha256(event.encode()).digest()


def snapshots(name: str) -> list:
    return [vector_files.snapshot(fields) for fields in vector_files.load(name)["snapshots"]]


@pytest.mark.parametrize(("name", "count"), [("walkthrough.json", 6), ("single_adds.json", 300)])
def test_events_added_one_after_the_other(log, name, count):
    expected = snapshots(name)

    assert len(expected) == count
    for version, snapshot in enumerate(expected):
        assert log.add([digest(f"event {version}")]) == [snapshot]


@pytest.mark.parametrize("alone", vector_files.load("walkthrough.json")["alone"])
def test_an_event_alone_in_a_log(log, alone):
    assert log.add([digest(alone["event"])]) == [vector_files.snapshot(alone["snapshot"])]


def test_bulks_with_repeats_inside_and_across(log):
    steps = vector_files.load("bulk_adds.json")["steps"]

    assert len(steps) == 12
    for step in steps:
        expected = [vector_files.snapshot(fields) for fields in step["snapshots"]]

        assert log.add([digest(event) for event in step["events"]]) == expected


def test_digests_that_share_8_to_255_bits(log):
    steps = vector_files.load("near_digests.json")["steps"]

    assert len(steps) == 40
    for step in steps:
        expected = vector_files.snapshot(step["snapshot"])

        assert log.add([bytes.fromhex(step["digest"])]) == [expected]


def test_bulk_of_the_edge_cases_with_a_repeat(log):
    (case,) = [c for c in vector_files.load("edges.json")["cases"] if "bulk" in c]
    for event in case["log"]:
        log.add([digest(event)])

    expected = [vector_files.snapshot(fields) for fields in case["snapshots"]]

    assert log.add([digest(event) for event in case["bulk"]]) == expected
