"""The sweep: a snapshot that is changed in a store after it was read is found, again and again."""

import copy

import pytest

from agent_station import open_station
from direct import Direct
from publishing import PublishedLog
from qed.agents.sweep import SweepWork
from qed.agents.trust import Trust
from qed.errors import VerificationError
from qed.trees import snapshot_log

PART = 256


@pytest.fixture
def log():
    made = PublishedLog()
    made.fill(900)
    return made


@pytest.fixture
def store_log(log):
    made = PublishedLog()
    made.leaves, made.rows, made.peaks = log.leaves[:], copy.deepcopy(log.rows), log.peaks
    made.publish()
    return made


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


@pytest.fixture
def places(log, store_log):
    return Direct(store_log, "store"), Direct(log, "server")


def sweep(agent, log, places, **settings):
    trust = Trust(agent.station.config.state_path / "pin.json", log.key)
    store, server = (place.source() for place in places)
    return SweepWork(agent.station, trust, store, server, part_leaves=PART, **settings)


def positions(work, steps):
    seen = []
    for _ in range(steps):
        rest_s = work.step()
        seen.append(work.progress.position)
        assert rest_s == (10.0 if work.progress.position == work.progress.head else 2.0)
    return seen


def test_every_leaf_is_read_over_and_over(agent, log, places):
    work = sweep(agent, log, places)
    assert positions(work, 6) == [256, 512, 768, 900, 256, 512]
    assert agent.told == []


@pytest.mark.parametrize("version", [0, 300, 899])
def test_a_changed_snapshot_is_told_with_the_true_one(agent, log, store_log, places, version):
    work = sweep(agent, log, places)
    positions(work, 4)
    true = store_log.leaves[version]
    store_log.leaves[version] = true[:-1] + bytes([true[-1] ^ 1])
    with pytest.raises(VerificationError):
        positions(work, 5)
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, alert.subject, finding.kind) == ("snapshot", "store", "snapshot")
    assert f"for version {version}" in finding.sentence
    store_log.leaves[version] = true
    positions(work, 5)


def test_a_changed_leaf_whose_tiles_were_changed_with_it(agent, log, store_log, places):
    work = sweep(agent, log, places)
    leaf = store_log.leaves[700][:-1] + b"x"
    store_log.leaves[700] = leaf
    store_log.rows[0][700] = snapshot_log.hash_leaf(leaf)
    with pytest.raises(VerificationError):
        positions(work, 4)
    assert agent.kinds == ["snapshot"]


def test_hashes_that_are_false_over_true_leaves(agent, log, store_log, places):
    work = sweep(agent, log, places)
    store_log.rows[1][1] = bytes(32)
    with pytest.raises(VerificationError):
        positions(work, 4)
    assert agent.told == [("feed", "store")]


def test_with_the_server_down_it_is_told_without_evidence(agent, log, store_log, places):
    work = sweep(agent, log, places)
    store_log.leaves[3] = store_log.leaves[3][:-1] + b"x"
    places[1].place.down = True
    with pytest.raises(VerificationError):
        positions(work, 4)
    assert agent.told == [("feed", "store")]


def test_a_checkpoint_that_is_not_signed(agent, log, places):
    work = sweep(agent, log, places)
    other = PublishedLog(seed=2)
    other.fill(100)
    places[0].lies["/checkpoint"] = lambda _note: other.note
    with pytest.raises(VerificationError):
        work.step()
    assert agent.kinds == ["signature"]


def test_an_empty_store_is_in_order(agent, log, places):
    places[0].serving.log = PublishedLog()
    assert positions(sweep(agent, log, places), 2) == [0, 0]


def test_once_is_one_sweep(tmp_path, log, places):
    with open_station(tmp_path / "once", once=True) as agent:
        work = sweep(agent, log, places)
        assert [work.step() for _ in range(4)] == [0, 0, 0, None]
