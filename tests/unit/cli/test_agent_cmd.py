"""`qed agent`: what it builds, how it ends, and what it prints."""

import json

import pytest

from publishing import PublishedLog, serving
from qed.agents import runtime
from qed.signing.note import format_verifier_key
from qed.web.addresses import Address
from storing import storing


@pytest.fixture
def log():
    made = PublishedLog()
    made.fill(300)
    return made


def flags(server, *stores, key=None):
    words = ["--qed-endpoints", server.url, "--qed-timeout", "5s"]
    words += [word for store in stores for word in ("--store-endpoint", store.url)]
    return [*words, *(["--key", format_verifier_key(key)] if key else [])]


@pytest.mark.parametrize("role", ["publisher", "monitor", "auditor"])
def test_help_shows_how_it_is_called(run, role):
    done = run("agent", role, "--help")
    assert done.code == 0
    assert f"qed agent {role}" in done.text
    assert "Accepted as in QED" in done.text


@pytest.mark.parametrize("role", ["publisher", "monitor", "auditor"])
def test_a_plain_install_says_what_is_missing(plain_install, role):
    done = plain_install("agent", role)
    assert done.returncode == 13
    assert "qed[server]" in done.stderr


def test_one_round_of_the_publisher_fills_two_stores(run, log):
    with serving(log) as server, storing() as one, storing() as other:
        done = run("agent", "publisher", "--once", *flags(server, one, other, key=log.key))
        assert (done.code, done.text.startswith("publisher: nothing wrong")) == (0, True)
        assert one.snapshots == other.snapshots == log.snapshots


def test_one_round_of_the_publisher_with_a_store_that_is_down(run, log):
    with serving(log) as server, storing() as one, storing() as other:
        other.down = True
        done = run("agent", "publisher", "--once", *flags(server, one, other, key=log.key))
        assert done.code == 20
        assert one.snapshots == log.snapshots


def test_trust_on_first_use_is_said(run, log):
    info = {"verifier_key": format_verifier_key(log.key)}
    with serving(log, info=info) as server:
        first = run("agent", "monitor", "--once", *flags(server))
        second = run("agent", "monitor", "--once", *flags(server))
    assert "on first use" in first.err
    assert "on first use" not in second.err
    assert (first.code, second.code) == (0, 0)


def test_another_key_than_the_pinned_one_is_refused(run, log):
    with serving(log) as server:
        run("agent", "monitor", "--once", *flags(server, key=log.key))
        done = run("agent", "monitor", "--once", *flags(server, key=PublishedLog(seed=2).key))
    assert done.code == 30
    assert "pins the key" in done.err


def fork():
    made = PublishedLog()
    made.fill(400, "other ")
    return made


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (None, 0),
        (lambda note: note[:-4], 30),
        (lambda _: (503, b"starting\n"), 20),
        (lambda _: (404, b"no\n"), 13),
    ],
)
def test_one_round_of_the_monitor_ends_with_what_was_found(run, log, lie, code):
    lies = {} if lie is None else {"/checkpoint": lie}
    with serving(log) as server, serving(log, lies=lies) as store:
        done = run("agent", "monitor", "--once", "--json", *flags(server, store, key=log.key))
    assert done.code == code, done.err
    if code == 0:
        assert done.document["Stores"] == [store.url]
        assert done.document["Metrics"] is None


def test_two_histories_end_the_round_with_31_and_leave_evidence(run, log, tmp_path):
    with serving(log) as server, serving(fork()) as store:
        words = ["--state-path", str(tmp_path / "state"), "--notifier-endpoint", "stdout"]
        done = run("agent", "monitor", "--once", *words, *flags(server, store, key=log.key))
    assert done.code == 31
    assert done.text.startswith("equivocation: ")
    [file] = (tmp_path / "state" / "evidence").iterdir()
    assert str(file) in done.text
    assert json.loads(file.read_bytes())["Kind"] == "equivocation"


def test_nobody_there_ends_the_round_with_24(run, log):
    with serving(log) as server:
        pass
    assert run("agent", "monitor", "--once", *flags(server, key=log.key)).code == 24


def test_a_place_that_is_behind_ends_the_round_with_25(run, log):
    log.fill(100, "more ")
    with serving(log) as server, serving(log) as store:
        store.lies["/checkpoint"] = lambda _: log.notes[0]
        words = ["--max-lag", "50", *flags(server, store, key=log.key)]
        run("agent", "monitor", "--once", *flags(server, key=log.key))
        assert run("agent", "monitor", "--once", *words).code == 25


def test_what_runs_is_printed_once_it_does(run, monkeypatch):
    def run_agent(_config, _build, _notifiers, *, announce, on_ready):
        announce("metrics port http://127.0.0.1:5/metrics")
        on_ready(Address("127.0.0.1", 5))

    monkeypatch.setattr(runtime, "run_agent", run_agent)
    done = run("agent", "publisher", "--json", "--qed-endpoints", "http://a:1")
    assert done.document["Metrics"] == "127.0.0.1:5"
    assert done.document["Servers"] == ["http://a:1"]
    quiet = run("agent", "publisher", "--log", "off")
    assert (quiet.out, quiet.err) == (b"", "")


@pytest.mark.parametrize("share", ["-0.1", "1.1", "x", "1e-3", "+1", ""])
def test_a_share_is_from_0_to_1(run, share):
    done = run("agent", "auditor", f"--sampling={share}")
    assert done.code == 2
    assert "0 to 1" in done.err
