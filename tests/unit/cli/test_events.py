"""An event reaches the log as the bytes that were given."""

import hashlib
import os
import sys

import pytest

from qed.cli import events

EVENTS = [
    b"event 0",
    b" leading and trailing ",
    b"a\nb\r\n\tc\n",
    "żółć €".encode(),
    b"\xff\xfe\x80",
    b"--json",
    b"-",
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_on_the_command_line_stays_as_it_is(run, client, event):
    done = run("client", "add", "--event", os.fsdecode(event))

    assert done.code == 0, done.err
    assert client.added == [event]


@pytest.mark.parametrize("event", [*EVENTS, b"\0", b"x" * 100_000])
def test_an_event_in_a_file_or_piped_stays_as_it_is(run, client, tmp_path, event):
    path = tmp_path / "event"
    path.write_bytes(event)

    assert run("client", "add", "--event-file", str(path)).code == 0
    assert run("client", "add", "--event-file", "-", given=event).code == 0
    assert client.added == [event, event]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--event", "a", "--event-file", "b"],
        ["--event", "a", "--event-digest", "00" * 32],
        ["--event", "a", "--event-file", "b", "--event-digest", "00" * 32],
    ],
)
def test_exactly_one_way_to_name_it(run, client, words):
    done = run("client", "membership", *words)

    assert done.code == 2
    assert "say exactly one of --event, --event-file or --event-digest" in done.err
    assert client.fields == {}


def test_only_flags_that_the_command_has_are_named(run, client):
    assert "say exactly one of --event or --event-file\n" in run("client", "add").err
    assert client.fields == {}


@pytest.mark.parametrize("words", [["--event", ""], ["--event="], ["--event-file", "-"]])
@pytest.mark.parametrize("command", ["add", "membership"])
def test_the_empty_event_is_refused(run, client, command, words):
    done = run("client", command, *words)

    assert done.code == 11
    assert "Error: the event is empty" in done.err
    assert client.fields == {}


def test_an_event_above_every_limit_never_fills_the_memory(run, client, monkeypatch, tmp_path):
    monkeypatch.setattr(events, "EVENT_LIMIT_BYTES", 10)
    (tmp_path / "event").write_bytes(b"x" * 11)

    assert run("client", "add", "--event-file", "-", given=b"x" * 11).code == 12
    assert run("client", "add", "--event-file", str(tmp_path / "event")).code == 14
    assert run("client", "add", "--event-file", "-", given=b"x" * 10).code == 0
    assert client.added == [b"x" * 10]


def test_a_missing_file_is_said(run, client, tmp_path):
    done = run("client", "add", "--event-file", str(tmp_path / "no"))

    assert (done.code, client.added) == (13, [])
    assert f"Error: {tmp_path / 'no'} does not exist" in done.err


def test_a_digest_is_hashed_by_nobody(run, client):
    client.log.add([hashlib.sha256(b"event 0").digest()])
    digest = hashlib.sha256(b"event 0").hexdigest()

    assert b"Exists: true" in run("client", "membership", "--event-digest", digest).out
    assert b"Exists: true" in run("client", "membership", "--event-digest", digest.upper()).out


def test_standard_input_that_cannot_be_read_is_an_error(run, client, monkeypatch):
    class Broken:
        buffer = None

    def refuse(*_):
        raise OSError(5, "Input/output error")

    broken = Broken()
    broken.buffer = type("B", (), {"read": refuse})()
    monkeypatch.setattr(events, "sys", type("S", (), {"stdin": broken}))

    done = run("client", "add", "--event-file", "-")

    assert (done.code, client.added) == (42, [])
    assert sys.stdin is not broken
