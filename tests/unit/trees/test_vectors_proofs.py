"""Every proof that QED sent, and every absence: the same entries, and verified."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest

import vector_files
from model import Model, NotProvenError
from pure_log import PureLog, event_digests
from qed.errors import VerificationError
from qed.trees.values import NO_VERSION

EDGES = vector_files.load("edges.json")["cases"]
EMPTY = [case for case in EDGES if case["status"] == 200 and not case["log"]]
PROVEN = [case for case in EDGES if case["status"] == 200 and case["log"]]
REFUSED = [case for case in EDGES if case["status"] == 412]


@pytest.fixture(scope="module")
def log300() -> PureLog:
    """The 300 events of single_adds.json, added one after the other."""
    log = PureLog()
    for digest in event_digests(300):
        log.add([digest])
    return log


def filled(log, case):
    """Fill a log as a case of edges.json says."""
    for event in case["log"]:
        log.add([sha256(event.encode()).digest()])
    if "bulk" in case:
        log.add([sha256(event.encode()).digest() for event in case["bulk"]])
    return log


def test_present_events_as_of_many_versions(log300):
    cases = vector_files.load("membership.json")["present"]

    assert len(cases) == 110
    for case in cases:
        expected = vector_files.membership(case["answer"])
        proof = log300.membership(expected.key_digest, case["version"])

        assert proof == expected, case["event"]
        log300.verify(expected, expected.key_digest, case["version"])


def test_absent_events_of_qed_have_its_hyper_path(log300):
    """QED's own answers have no HyperLeaf: ours add it, and only with it do they verify."""
    cases = vector_files.load("membership.json")["absent"]

    assert len(cases) == 12
    for case in cases:
        expected = vector_files.membership(case["answer"])
        digest = expected.key_digest
        proof = log300.membership(digest)

        assert proof.hyper == expected.hyper
        assert len(proof.hyper) == 256 - case["stop_height"]
        assert (proof.hyper_leaf is None) is (case["other_leaf"] is None)
        log300.verify(proof, digest)
        if case["other_leaf"]:
            with pytest.raises(VerificationError):
                log300.verify(expected, digest)


def test_increments(log300):
    cases = vector_files.load("incremental.json")["answers"]

    assert len(cases) == 49
    for case in cases:
        expected = vector_files.incremental(case)

        assert log300.incremental(expected.start, expected.end) == expected
        log300.verify_incremental(expected, expected.start, expected.end)


def test_near_digests_have_paths_of_25_to_256_entries():
    log, judge = PureLog(), Model()
    for step in vector_files.load("near_digests.json")["steps"]:
        log.add([bytes.fromhex(step["digest"])])
        judge.add([bytes.fromhex(step["digest"])])

    for query in vector_files.load("near_digests.json")["queries"]:
        expected = vector_files.membership(query["answer"])
        digest = bytes.fromhex(query["digest"])

        assert len(expected.hyper) == query["path_length"]
        assert log.membership(digest) == expected == judge.membership(digest)
        log.verify(expected, digest)


@pytest.mark.parametrize("events", [1, 4, 60, 300])
def test_absences_with_their_hyper_leaf(events):
    log = PureLog()
    log.add(event_digests(events))
    judge = Model()
    judge.add(event_digests(events))
    cases = [c for c in vector_files.load("absence.json")["cases"] if c["events"] == events]

    assert len(cases) >= 26
    for case in cases:
        digest = bytes.fromhex(case["digest"])
        expected = vector_files.membership(case["answer"])

        assert log.membership(digest, case["version"]) == expected
        assert judge.membership(digest, case["version"]) == expected
        log.verify(expected, digest, case["version"])


def test_the_edge_cases_are_all_there():
    assert (len(EMPTY), len(PROVEN), len(REFUSED), len(EDGES)) == (2, 4, 5, 11)


@pytest.mark.parametrize("case", EMPTY, ids=lambda case: case["case"])
@pytest.mark.parametrize("kind", [PureLog, Model])
def test_answer_of_an_empty_log(kind, case):
    digest = base64.b64decode(case["ask"]["KeyDigest"])
    proof = kind().membership(digest, case["ask"]["Version"])

    assert proof == vector_files.membership(case["answer"])
    assert proof.current_version == NO_VERSION


@pytest.mark.parametrize("case", PROVEN, ids=lambda case: case["case"])
@pytest.mark.parametrize("kind", [PureLog, Model])
def test_edge_case_with_a_proof(kind, case):
    log = filled(kind(), case)
    digest, version = base64.b64decode(case["ask"]["KeyDigest"]), case["ask"]["Version"]
    expected = vector_files.membership(case["answer"])

    assert log.membership(digest, version) == expected
    filled(PureLog(), case).verify(expected, digest, version)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["case"])
def test_edge_case_without_a_proof(case):
    """The judge says QED's sentence; refusing is the engine's part, so the trees are not asked."""
    log = filled(Model(), case)

    if "incremental" in case:
        ask, question = log.incremental, tuple(case["incremental"].values())
    else:
        ask = log.membership
        question = base64.b64decode(case["ask"]["KeyDigest"]), case["ask"]["Version"]

    with pytest.raises(NotProvenError) as caught:
        ask(*question)

    assert f"{caught.value}\n" == case["text"]
