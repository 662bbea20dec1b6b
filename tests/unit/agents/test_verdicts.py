"""The rule by which answers are judged, in pure terms."""

import copy

import pytest

from lying_log import LyingLog
from publishing import PublishedLog
from qed import wire
from qed.agents.verdicts import (
    ABSENT,
    BEHIND,
    FALSE,
    OUTDATED,
    Asked,
    find_faults,
    is_outdated,
    read_current,
)

ONE, TWO, THREE = (bytes([n]) * 32 for n in range(1, 4))


def ask(log, version):
    snapshot = log.snapshots[version]
    body = wire.encode_membership(log.log.membership(snapshot.event_digest))
    return Asked(snapshot, body, read_current(body))


def faults(log, *asked):
    leaves = dict(enumerate(log.snapshots))
    return list(find_faults(asked, leaves))


@pytest.fixture
def log():
    made = LyingLog()
    made.add_digests([ONE])
    made.add_digests([TWO, ONE, TWO])
    made.add_digests([THREE])
    return made


def test_right_answers_have_no_fault_but_an_older_version_to_look_at(log):
    found = faults(log, *(ask(log, version) for version in range(5)))
    # Version 3 is TWO again, in the group of version 1, which keeps the map's entry.
    assert [(fault.kind, fault.asked.snapshot.version, fault.actual) for fault in found] == [
        (OUTDATED, 3, 1)
    ]
    assert not is_outdated(found[0], log.snapshots[1])


def test_an_older_version_of_another_group_is_outdated():
    log = LyingLog(forgotten={3})
    for group in ([ONE], [TWO], [THREE, ONE]):
        log.add_digests(group)
    (fault,) = faults(log, ask(log, 3))
    assert (fault.kind, fault.actual) == (OUTDATED, 0)
    assert is_outdated(fault, log.snapshots[0])


def test_an_absent_event():
    log = LyingLog(forgotten={1})
    log.add_digests([ONE, TWO])
    (fault,) = faults(log, ask(log, 1))
    assert fault.kind == ABSENT


def test_an_answer_from_before_the_leaf(log):
    old = PublishedLog()
    old.log = copy.copy(log.log)
    old.log.snapshots = log.log.snapshots[:]
    log.add_digests([ONE])
    body = wire.encode_membership(old.log.membership(ONE))
    asked = Asked(log.snapshots[5], body, read_current(body))
    (fault,) = faults(log, asked)
    assert fault.kind == BEHIND


def test_an_answer_that_is_false_or_no_answer(log):
    asked = ask(log, 0)
    other = ask(log, 4)
    for body in (b"{}", other.body, asked.body.replace(b'"ActualVersion":2', b'"ActualVersion":3')):
        (fault,) = faults(log, Asked(asked.snapshot, body, read_current(body)))
        assert fault.kind == FALSE


def test_the_version_that_an_answer_is_from(log):
    body = ask(log, 0).body
    assert read_current(body) == 4
    assert read_current(b" " + body) == 4  # not in canonical form, but it can be read
    assert read_current(b"{}") is None
    assert read_current(wire.encode_membership(PublishedLog().log.membership(ONE))) is None


def test_an_older_version_right_before_it_is_looked_at_too():
    log = LyingLog(forgotten={1})
    log.add_digests([ONE])
    log.add_digests([ONE, TWO])
    (fault,) = faults(log, ask(log, 1))
    assert (fault.kind, fault.actual) == (OUTDATED, 0)
    assert is_outdated(fault, log.snapshots[0])
