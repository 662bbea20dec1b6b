"""`qed client checkpoint`: the newest one, and the file that links it to an older one."""

import json

import pytest

from publishing import PublishedLog
from qed.client.consistency import verify_consistency_file
from qed.signing.policy import policy_of_key
from receipt_log import EVENTS


@pytest.fixture(name="at")
def in_a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_newest_one_is_printed_as_it_was_signed(ask_published, published):
    for words in ([], ["-o", "-"]):
        done = ask_published("checkpoint", *words)
        assert (done.code, done.out) == (0, published.log.note)


def test_it_is_written_where_it_is_wanted(ask_published, published, at):
    done = ask_published("checkpoint", "-o", "now.checkpoint")

    assert (done.code, done.out) == (0, b"")
    assert "now.checkpoint: qed-test has signed 4 versions" in done.err
    assert (at / "now.checkpoint").read_bytes() == published.log.note


def test_its_document(ask_published, published):
    document = ask_published("checkpoint", "--json").document

    assert (document["Origin"], document["Size"], document["Verify"]) == ("qed-test", 4, "OK")
    assert document["Checkpoint"].encode() == published.log.note


def test_an_older_one_is_linked(ask_published, published, at):
    (at / "older").write_bytes(published.log.note)
    published.log.add(*EVENTS[4:7])

    done = ask_published("checkpoint", "--older", "older", "-o", "growth")

    assert done.code == 0
    assert "7 versions, and they begin with those 4" in done.err
    older, newer = verify_consistency_file(
        (at / "growth").read_bytes(), policy=policy_of_key(published.log.key)
    )
    assert (older.size, newer.size) == (4, 7)
    document = ask_published("checkpoint", "--older", "older", "--json").document
    assert (document["OlderSize"], document["Size"]) == (4, 7)
    assert json.loads(document["Consistency"])["Format"] == "qed/consistency/v1"


def test_nothing_new_is_growth_too(ask_published, published, at):
    (at / "older").write_bytes(published.log.note)

    assert ask_published("checkpoint", "--older", "older", "-o", "growth").code == 0
    assert json.loads((at / "growth").read_bytes())["Proof"] == []


def test_a_fork_is_a_contradiction_with_evidence(ask_published, published, at, run):
    fork = PublishedLog()
    fork.add(b"another event", *EVENTS[:2])
    (at / "older").write_bytes(fork.note)

    done = ask_published("checkpoint", "--older", "older", "-o", "growth")

    assert (done.code, (at / "growth").exists()) == (31, False)
    (evidence,) = (at / "data" / "qed" / "evidence").iterdir()
    key = f"{at}/key"
    (at / "key").write_text(format_key(published))
    assert run("verify", str(evidence), "--key", key).code == 31


def format_key(published):
    return published.info["verifier_key"]


@pytest.mark.parametrize("data", [b"", b"nothing", b"\xff"])
def test_an_older_one_that_is_none(ask_published, at, data):
    (at / "older").write_bytes(data)

    done = ask_published("checkpoint", "--older", "older")
    assert (done.code, "older is no checkpoint" in done.err) == (11, True)
    assert ask_published("checkpoint", "--older", "missing").code == 13


def test_a_checkpoint_of_nobody(ask_published, published):
    other = PublishedLog(seed=2)
    other.add(b"a")
    published.lies["/checkpoint"] = lambda _: other.note

    done = ask_published("checkpoint")

    assert (done.code, done.out) == (30, b"")
