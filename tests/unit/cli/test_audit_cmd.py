"""`qed audit --replay`: a log in order, one that lies, one that is not published, and the pins."""

import json
import threading

import pytest

from lying_log import LyingLog, false_history, fill
from publishing import PublishedLog, serving
from qed.cli import audit_cmd
from qed.client.evidence import verify_evidence
from qed.signing.note import format_verifier_key
from qed.signing.policy import policy_of_key
from qed.trees import snapshot_log


@pytest.fixture
def log():
    made = PublishedLog()
    made.fill(300)
    return made


@pytest.fixture
def vkey(log):
    return format_verifier_key(log.key)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_what_was_compared_is_said(run, log, vkey, tmp_path):
    mirror = log.write_mirror(tmp_path / "mirror")
    done = run("audit", "--replay", str(mirror), "--key", vkey)
    assert (done.code, done.err) == (0, "")
    assert done.text == (
        f"{mirror}: 300 events in 3 groups; history, map and snapshot log lead to the signed root\n"
        "    Origin: qed-test\n"
        f"    Root: {snapshot_log.root(log.peaks).hex()}\n"
    )


def test_the_document(run, log, vkey, tmp_path):
    mirror = log.write_mirror(tmp_path / "mirror")
    document = run("audit", "--replay", str(mirror), "--key", vkey, "--json").document
    assert (document["Events"], document["Groups"], document["Size"]) == (300, 3, 300)


def test_the_key_may_lie_in_a_file(run, log, vkey, tmp_path):
    (tmp_path / "log.vkey").write_text(vkey + "\n")
    mirror = str(log.write_mirror(tmp_path / "mirror"))
    assert run("audit", "--replay", mirror, "--key", str(tmp_path / "log.vkey")).code == 0


def test_a_directory_has_no_key_of_its_own(run, log, tmp_path):
    done = run("audit", "--replay", str(log.write_mirror(tmp_path / "mirror")))
    assert done.code == 11
    assert "--key" in done.err


def test_a_contradiction_leaves_evidence(run, tmp_path):
    log = fill(LyingLog({7: false_history}), [1] * 12)
    mirror, key = str(log.write_mirror(tmp_path / "mirror")), format_verifier_key(log.key)
    words = ("audit", "--replay", mirror, "--key", key, "--state-path", str(tmp_path / "state"))
    done = run(*words)
    assert done.code == 31
    (path,) = (tmp_path / "here").iterdir()
    assert path.name in done.err
    finding = verify_evidence(path.read_bytes(), policy_of_key(log.key))
    assert "version 7" in finding.sentence
    again = run(*words)
    assert again.code == 31
    assert path.name in again.err
    assert len(list((tmp_path / "here").iterdir())) == 1


def test_leaves_that_were_changed_by_the_mirror(run, log, vkey, tmp_path):
    log.leaves[5] = log.leaves[5][:-1] + b"x"
    done = run("audit", "--replay", str(log.write_mirror(tmp_path / "mirror")), "--key", vkey)
    assert done.code == 30
    assert list((tmp_path / "here").iterdir()) == []


def test_no_checkpoint_yet(run, vkey, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("audit", "--replay", str(tmp_path / "empty"), "--key", vkey).code == 25


def test_an_empty_log_is_in_order(run, tmp_path):
    log = PublishedLog()
    log.publish()
    mirror = str(log.write_mirror(tmp_path / "mirror"))
    done = run("audit", "--replay", mirror, "--key", format_verifier_key(log.key))
    assert done.code == 0
    assert "0 events in 0 groups" in done.text


def test_what_was_replayed_is_kept_for_the_next_time(run, log, vkey, tmp_path):
    state = tmp_path / "state"
    words = ("--key", vkey, "--state-path", str(state), "--json")
    assert run("audit", "--replay", str(log.write_mirror(tmp_path / "m")), *words).code == 0
    assert (state / "digests").stat().st_size == 300 * 32
    log.add(b"more")
    done = run("audit", "--replay", str(log.write_mirror(tmp_path / "m")), *words)
    assert done.document["Events"] == 301


def test_a_server_is_trusted_on_first_use_and_pinned(run, log, vkey, tmp_path):
    with serving(log, info={"verifier_key": vkey}) as server:
        done = run("audit", "--replay", server.url)
        assert done.code == 0
        assert "trusting" in done.err
        (pin,) = (tmp_path / "data" / "qed" / "pins").iterdir()
        assert json.loads(pin.read_text())["Key"] == vkey
        log.add(b"more")
        again = run("audit", "--replay", server.url)
        assert (again.code, again.err) == (0, "")


def test_a_server_that_says_no_key_of_a_log_is_not_trusted(run, log, vkey, tmp_path):
    (tmp_path / "key").write_text(vkey)
    with serving(log) as server:
        for said in ({}, {"verifier_key": "nonsense"}, {"verifier_key": str(tmp_path / "key")}):
            server.info = said
            assert run("audit", "--replay", server.url).code == 30
    assert not (tmp_path / "data").exists()


def test_another_key_than_the_pinned_one_is_refused(run, log, vkey, tmp_path):
    other = PublishedLog(seed=2)
    other.fill(300)
    pin = ("--pin", str(tmp_path / "pin.json"))
    mirror = str(log.write_mirror(tmp_path / "m"))
    assert run("audit", "--replay", mirror, *pin, "--key", vkey).code == 0
    assert run("audit", "--replay", str(other.write_mirror(tmp_path / "o")), *pin).code == 30
    key = format_verifier_key(other.key)
    assert run("audit", "--replay", mirror, *pin, "--key", key).code == 30


def test_following_goes_on_with_every_checkpoint(run, log, vkey, monkeypatch):
    told = []

    def tell(_ctx, _replayer, _source, trusted):
        told.append(trusted.size)
        if len(told) == 1:
            threading.Thread(target=log.add, args=(b"news",)).start()
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(audit_cmd, "_tell", tell)
    with serving(log) as server:
        assert run("audit", "--replay", server.url, "--key", vkey, "--follow").code == 130
    assert told == [300, 301]
