"""Replay against honest logs and against logs that lie under their own signature."""

import itertools
import os
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lying_log import LyingLog, false_history, false_hyper, fill
from publishing import PublishedLog
from qed.agents import replay
from qed.agents.leaves import Frontier
from qed.agents.replay import Replayer, replay_to
from qed.agents.replay_files import ReplayFiles
from qed.client.evidence import verify_evidence
from qed.client.feed import open_source
from qed.client.trusted import Trusted
from qed.engine.log import Log
from qed.errors import ConflictError, ContradictionError, VerificationError
from qed.signing.policy import policy_of_key
from qed.trees import snapshot_log


def replay_log(log, mirror, state, **options):
    """Replay what a log has published from its mirror."""
    trusted = Trusted(log.key, log.note)
    with (
        open_source(str(log.write_mirror(mirror))) as source,
        ReplayFiles(state) as files,
    ):
        replayer = Replayer(files, log.key.name)
        replay_to(replayer, source, trusted, **options)
        replayer.commit()
    return replayer


def catch(log, tmp_path):
    """Replay a log that lies; return what was found after its evidence was verified alone."""
    with pytest.raises(ContradictionError) as caught:
        replay_log(log, tmp_path / "mirror", tmp_path / "state")
    finding = verify_evidence(caught.value.evidence, policy_of_key(log.key))
    assert finding.kind == "replay"
    assert finding.signed
    return caught.value, finding


def test_an_honest_log_agrees(tmp_path):
    log = fill(LyingLog(), [1, 1, 5, 300, 2, 1, 80])
    replayer = replay_log(log, tmp_path / "mirror", tmp_path / "state")
    assert replayer.difference is None
    assert replayer.compared == replay.Compared(390, 7, snapshot_log.root(log.peaks))


EVENTS = [sha256(b"%d" % n).digest() for n in range(9)]


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=6), max_size=25),
    signed_after=st.integers(1, 5),
)
def test_no_false_alarm_however_events_repeat(groups, signed_after, tmp_path_factory):
    home = tmp_path_factory.mktemp("honest")
    log = LyingLog()
    log.publish()
    for number, group in enumerate(groups, 1):
        log.add_digests(group)
        if number % signed_after == 0 or number == len(groups):
            log.publish()
            replayer = replay_log(log, home / "mirror", home / "state")
            assert replayer.compared.groups == number
            assert replayer.compared.root == snapshot_log.root(log.peaks)


@pytest.mark.parametrize("version", [0, 1, 6, 99, 250])
def test_a_false_history_digest_is_found(tmp_path, version):
    log = fill(LyingLog({version: false_history}), [1, 1, 5, 200, 44])
    error, finding = catch(log, tmp_path)
    assert error.step == "history"
    assert f"history digest for version {version}" in finding.sentence


def test_a_hyper_digest_that_is_false_for_one_group_and_right_at_the_next(tmp_path):
    log = fill(LyingLog(dict.fromkeys(range(3, 8), false_hyper)), [1, 1, 1, 5, 1, 1, 200])
    error, finding = catch(log, tmp_path)
    assert error.step == "hyper"
    assert "versions 3 to 7" in error.message
    assert "the group that ends at version 7" in finding.sentence


def test_a_hyper_digest_that_is_false_for_the_last_group(tmp_path):
    log = fill(LyingLog({9: false_hyper}), [1] * 10)
    _, finding = catch(log, tmp_path)
    assert "the group that ends at version 9" in finding.sentence


@pytest.mark.parametrize("forgotten", [0, 4, 11])
def test_an_event_left_out_of_the_map_is_found(tmp_path, forgotten):
    # Alone in its group the map, and so the hyper digest, would not change: two groups look as one.
    log = fill(LyingLog(forgotten={forgotten}), [1, 1, 2, 3, 1, 4])
    error, _ = catch(log, tmp_path)
    assert error.step == "hyper"


def test_another_order_of_leaves_is_found(tmp_path):
    log = LyingLog()
    digests = [sha256(b"event %d" % n).digest() for n in range(8)]
    log.lies = {
        n: lambda told, n=n: type(told)(
            told.version, digests[n ^ 1], told.history_digest, told.hyper_digest
        )
        for n in (4, 5)
    }
    for digest in digests:
        log.add_digests([digest])
    log.publish()
    error, _ = catch(log, tmp_path)
    assert error.step == "history"


def test_evidence_of_a_long_log_ends_soon_after_the_difference(tmp_path, monkeypatch):
    monkeypatch.setattr(replay.read_leaves, "__defaults__", (256,))
    log = fill(LyingLog({300: false_hyper}), [1] * 1500)
    error, _ = catch(log, tmp_path)
    assert len(error.evidence) < 512 * 160


@pytest.mark.parametrize("version", [253, 254, 255, 256, 511])
def test_evidence_shows_where_a_false_group_ends_however_the_leaves_are_cut(
    tmp_path, monkeypatch, version
):
    monkeypatch.setattr(replay.read_leaves, "__defaults__", (256,))
    log = fill(LyingLog({version: false_hyper}), [1] * 600)
    _, finding = catch(log, tmp_path)
    assert f"ends at version {version}" in finding.sentence


def test_leaves_of_another_log_are_no_contradiction(tmp_path):
    log, other = fill(LyingLog(), [1] * 20), fill(LyingLog({3: false_history}), [1] * 20)
    mirror = other.write_mirror(tmp_path / "mirror")
    with (
        open_source(str(mirror)) as source,
        ReplayFiles(tmp_path / "state") as files,
    ):
        replayer = Replayer(files, log.key.name)
        with pytest.raises(VerificationError) as caught:
            replay_to(replayer, source, Trusted(log.key, log.note))
        assert not isinstance(caught.value, ContradictionError)
        assert replayer.size == 0  # nothing of it was taken over


def test_a_caught_log_stays_caught(tmp_path):
    log = fill(LyingLog({5: false_history}), [1] * 10)
    mirror = log.write_mirror(tmp_path / "mirror")
    with (
        open_source(str(mirror)) as source,
        ReplayFiles(tmp_path / "state") as files,
    ):
        replayer = Replayer(files, log.key.name)
        with pytest.raises(ContradictionError):
            replay_to(replayer, source, Trusted(log.key, log.note))
        replayer.commit(caught="replay-1.json")
    with pytest.raises(ContradictionError) as caught:
        replay_log(log, tmp_path / "mirror", tmp_path / "state")
    assert "replay-1.json" in caught.value.hint


def test_each_log_has_files_of_its_own(tmp_path):
    log, other = PublishedLog(), PublishedLog(origin="other", seed=2)
    log.add(b"one")
    other.add(b"one")
    replay_log(log, tmp_path / "mirror", tmp_path / "state")
    with pytest.raises(ConflictError):
        replay_log(other, tmp_path / "mirror2", tmp_path / "state")


def test_digests_that_memory_lets_go_of_are_read_from_the_file(tmp_path):
    log = fill(LyingLog(), [100] * 9)
    with (
        open_source(str(log.write_mirror(tmp_path / "mirror"))) as source,
        ReplayFiles(tmp_path / "state") as files,
    ):
        replayer = Replayer(files, log.key.name, cache_bytes=0)
        replay_to(replayer, source, Trusted(log.key, log.note))
        assert replayer.memory_bytes > 0
        assert replayer.difference is None


@pytest.mark.parametrize("name", ["digests", "ends"])
def test_files_that_rot_are_dropped_and_said(tmp_path, name, capsys):
    log = fill(LyingLog(), [1, 2, 3])
    replay_log(log, tmp_path / "mirror", tmp_path / "state")
    path = tmp_path / "state" / name
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    replayer = replay_log(log, tmp_path / "mirror", tmp_path / "state")
    assert replayer.compared.groups == 3
    assert "starting over" in capsys.readouterr().out


def test_what_is_replayed_once_is_not_read_from_the_source_again(tmp_path):
    log = fill(LyingLog(), [1] * 300)
    replay_log(log, tmp_path / "mirror", tmp_path / "state")
    shown, done = [], []
    log.add(b"more")
    replay_log(
        log,
        tmp_path / "mirror",
        tmp_path / "state",
        watch=lambda part: shown.append((part.first_version, part.stop)),
        progress=lambda at, of: done.append((at, of)),
    )
    assert shown == [(300, 301)]
    assert done[-1] == (301, 301)


class KilledError(BaseException):
    """Stands for kill -9: no handler of the code under test may swallow it."""


def test_after_a_kill_at_any_write_it_goes_on_and_nothing_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "COMMIT_EVENTS", 40)
    monkeypatch.setattr(replay.read_leaves, "__defaults__", (256,))
    log = fill(LyingLog(), [1, 2, 3, 50, 100] * 5)
    calls = {"count": 0, "fatal": 0}

    def dying(name):
        real = getattr(os, name)

        def call(*arguments):
            calls["count"] += 1
            if calls["count"] == calls["fatal"]:
                if name == "pwrite":  # a part of the bytes is there already
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
                raise KilledError
            return real(*arguments)

        return call

    for name in ("pwrite", "fsync", "write", "ftruncate"):
        monkeypatch.setattr(os, name, dying(name))
    for fatal in itertools.count(1):
        calls.update(count=0, fatal=fatal)
        state = tmp_path / f"state-{fatal}"
        try:
            replay_log(log, tmp_path / "mirror", state)
        except KilledError:
            calls.update(count=0, fatal=0)
            replayer = replay_log(log, tmp_path / "mirror", state)
        else:
            break
        assert replayer.compared == replay.Compared(780, 25, snapshot_log.root(log.peaks))
        with ReplayFiles(state) as files:
            found = files.read_position()
            files.cut(found.size, found.groups)
            digests = files.read_digests(0, 780)
            assert digests == b"".join(one.event_digest for one in log.snapshots)
    assert fatal > 20
    assert Frontier().root == snapshot_log.EMPTY_ROOT


def test_what_the_engine_wrote_agrees(tmp_path):
    published = PublishedLog()
    with Log.create(tmp_path / "db", origin="engine.example", node_id="node") as log:
        for size in (1, 5, 1, 260, 3, 90):
            log.append([EVENTS[n % 9] if n % 3 else os.urandom(32) for n in range(size)])
        size, root = log.snapshot_root
        for leaf in log.read_leaves(0, size).leaves():
            published._append(snapshot_log.decode_leaf(leaf))
    assert snapshot_log.root(published.peaks) == root
    published.publish()
    replayer = replay_log(published, tmp_path / "mirror", tmp_path / "state")
    assert replayer.compared == replay.Compared(360, 6, root)
