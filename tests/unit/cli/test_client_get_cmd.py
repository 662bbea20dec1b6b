"""`qed client get`: what is printed, and each lie of who serves it."""

import pytest

from publishing import PublishedLog
from qed.signing.note import format_verifier_key


def test_the_snapshot_is_printed_and_first_use_is_said(ask_published, published, tmp_path):
    done = ask_published("get", "--version", "3")

    snapshot = published.log.snapshots[3]
    assert done.code == 0
    assert done.text == (
        "\nRetrieved snapshot with values:\n\n"
        f"    EventDigest: {snapshot.event_digest.hex()}\n"
        f"    HyperDigest: {snapshot.hyper_digest.hex()}\n"
        f"    HistoryDigest: {snapshot.history_digest.hex()}\n"
        "    Version: 3\n\n"
    )
    pin = tmp_path / "data" / "qed" / "pins" / f"127.0.0.1_{published.port}.json"
    assert done.err.startswith("warning: trusting on first use")
    assert str(pin) in done.err
    assert format_verifier_key(published.log.key) in done.err
    again = ask_published("get", "--version", "0", "--json")
    assert (again.code, again.err, again.document["Version"]) == (0, "", 0)


def test_a_key_that_is_given_is_not_asked_for(ask_published, published, tmp_path):
    key = tmp_path / "log.vkey"
    key.write_text(format_verifier_key(published.log.key) + "\n")

    done = ask_published("get", "--version", "1", "--key", str(key))

    assert (done.code, done.err) == (0, "")
    assert "GET /info" not in published.asked


def test_what_is_not_published_in_time_is_no_ko(ask_published):
    done = ask_published("get", "--version", "9", "--timeout", "200ms")

    assert (done.code, done.out) == (25, b"")
    assert "version 9 is not published yet" in done.err
    assert "KO" not in done.err


def test_a_fork_is_a_contradiction(ask_published, published, tmp_path):
    assert ask_published("get", "--version", "3").code == 0
    fork = PublishedLog()
    fork.fill(9, label="other ")
    published.log = fork

    done = ask_published("get", "--version", "8", "--json")

    assert (done.code, done.document["error"]["code"]) == (31, "contradiction")
    assert len(list((tmp_path / "data" / "qed" / "evidence").iterdir())) == 1


def test_another_key_is_refused(ask_published, published):
    assert ask_published("get", "--version", "3").code == 0
    other = PublishedLog(seed=2)
    other.fill(9)
    published.log = other
    published.info["verifier_key"] = format_verifier_key(other.key)

    done = ask_published("get", "--version", "3")

    assert done.code == 30
    assert "not signed by" in done.err
    assert "move the pin away" in done.err


def test_a_store_that_was_put_back_is_not_believed(ask_published, published):
    assert ask_published("get", "--version", "3").code == 0
    older = PublishedLog()
    older.fill(2)
    published.log = older

    done = ask_published("get", "--version", "0", "--timeout", "100ms")

    assert (done.code, done.out) == (25, b"")
    assert "one of 4 was seen before" in done.err


def test_a_pin_that_is_none_is_malformed(ask_published, tmp_path):
    (tmp_path / "pin").write_text("{}")

    done = ask_published("get", "--version", "3", "--pin", str(tmp_path / "pin"))

    assert done.code == 11
    assert "is no pin" in done.err


def test_a_store_that_is_not_there_is_said_with_the_way_out(run, published):
    words = ("client", "get", "--version", "3", "--endpoints", published.url)
    store = ("--snapshot-store-url", "http://127.0.0.1:1")

    done = run(*words, *store)

    assert done.code == 24
    assert "--from-server" in done.err
    assert run(*words, *store, "--from-server").code == 0


@pytest.mark.parametrize("words", [[], ["--version", "-1"], ["--version", "18446744073709551616"]])
def test_a_bad_version_is_refused_before_anything_is_asked(ask_published, published, words):
    assert ask_published("get", *words).code == 2
    assert published.asked == []
