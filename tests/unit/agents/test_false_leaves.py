"""Which leaf of a store is false, and the evidence of it; what cannot be found out is told too."""

import copy

import pytest

from agent_station import open_station
from direct import Direct
from publishing import PublishedLog
from qed.agents import claims, false_leaves
from qed.agents.false_leaves import tell_false_leaves
from qed.client.trusted import Trusted
from qed.errors import StorageError, VerificationError

ERROR = VerificationError("its leaves do not lead to the root", step="leaves")


@pytest.fixture
def logs():
    log = PublishedLog()
    log.fill(600)
    false = PublishedLog()
    false.leaves, false.rows, false.size = log.leaves[:], copy.deepcopy(log.rows), log.size
    return log, false


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


def tell(agent, log, store_log, first=0, error=ERROR):
    trusted = Trusted(log.key, log.note)
    store, server = Direct(store_log, "store").source(), Direct(log, "server").source()
    tell_false_leaves(agent.station, trusted, store, server, first=first, error=error)


@pytest.mark.parametrize("version", [0, 255, 256, 599])
def test_the_first_false_leaf_is_shown_beside_the_true_one(agent, logs, version):
    log, store_log = logs
    for at in {version, 599}:
        store_log.leaves[at] = store_log.leaves[at][:-1] + b"x"
    tell(agent, log, store_log)
    (alert,) = agent.kept.alerts
    assert alert.kind == "snapshot"
    assert f"for version {version} " in agent.finding(alert, log.key).sentence


def test_what_comes_before_is_not_looked_at(agent, logs):
    log, store_log = logs
    for at in (3, 300):
        store_log.leaves[at] = store_log.leaves[at][:-1] + b"x"
    tell(agent, log, store_log, first=10)
    assert "version 300" in agent.kept.alerts[0].text


def test_of_a_size_that_no_log_has_no_leaf_is_looked_for(agent, logs):
    log, store_log = logs
    store_log.leaves[3] = store_log.leaves[3][:-1] + b"x"
    tell(agent, log, store_log, error=VerificationError("too many", step="size"))
    assert agent.told == [("feed", "store")]


def test_equal_leaves_mean_false_hashes(agent, logs):
    tell(agent, *logs)
    assert agent.told == [("feed", "store")]
    assert agent.kept.alerts[0].text == ERROR.message


def test_a_server_whose_leaf_is_false_as_well_is_no_judge(agent, logs):
    log, store_log = logs
    signed = Trusted(log.key, log.note)
    log.leaves[5] = log.leaves[5][:-1] + b"x"
    store, server = Direct(store_log, "store").source(), Direct(log, "server").source()
    tell_false_leaves(agent.station, signed, store, server, first=0, error=ERROR)
    assert agent.told == [("feed", "store")]


def test_what_cannot_be_told_is_raised(agent, logs, monkeypatch):
    def fail(*_arguments):
        raise StorageError("the disk is full")

    log, store_log = logs
    store_log.leaves[5] = store_log.leaves[5][:-1] + b"x"
    monkeypatch.setattr(claims, "write_evidence", fail)
    with pytest.raises(StorageError):
        tell(agent, log, store_log)
    assert false_leaves.claims is claims
