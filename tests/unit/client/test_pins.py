"""The pin: written whole and privately, read strictly, and never moved back."""

import json
import threading

import pytest

from publishing import PublishedLog, serving
from qed import durable, errors
from qed.client.evidence import verify_evidence
from qed.client.feed import open_source
from qed.client.pins import (
    Pin,
    ask_key,
    check_key,
    format_pin,
    keep_pin,
    open_first,
    open_trusted,
    parse_pin,
    pin_name,
    read_key,
    read_pin,
    read_trusted,
)
from qed.client.trusted import Trusted
from qed.signing.note import VerifierKey, format_verifier_key
from qed.signing.policy import policy_of_key


@pytest.fixture(name="log")
def small_log():
    log = PublishedLog()
    log.add(b"a")
    log.add(b"b")
    return log


def test_a_pin_is_one_line_of_json(log):
    data = format_pin(Pin(log.key, log.note))

    assert data.endswith(b"}\n")
    assert json.loads(data) == {
        "Format": "qed/pin/v1",
        "Key": format_verifier_key(log.key),
        "Checkpoint": log.note.decode(),
    }
    assert parse_pin(data) == Pin(log.key, log.note)
    assert parse_pin(format_pin(Pin(log.key))) == Pin(log.key, b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"{", b"{ ", 1),
        lambda data: data.replace(b"v1", b"v2"),
        lambda data: data.replace(b'"Key"', b'"key"'),
        lambda data: data.replace(b'"Checkpoint"', b'"Key"'),
        lambda data: data.replace(b"+", b"-", 1),
        lambda data: data.replace(b'"Checkpoint":', b'"More":1,"Checkpoint":'),
        lambda data: data.replace(b'"Checkpoint":"', b'"Checkpoint":"\\ud800'),
        lambda _: b"[]",
        lambda _: b"",
        lambda _: b"\xff",
    ],
)
def test_anything_else_is_no_pin(log, tmp_path, change):
    data = change(format_pin(Pin(log.key, log.note)))
    with pytest.raises(errors.MalformedError):
        parse_pin(data)
    path = tmp_path / "pin"
    path.write_bytes(data)
    with pytest.raises(errors.MalformedError, match="is no pin") as caught:
        read_pin(path)
    assert "move it away" in caught.value.hint


def test_a_pin_is_kept_privately_and_only_grows(log, tmp_path):
    path = tmp_path / "pins" / "h_1.json"
    assert read_pin(path) is None

    for note, seen in ((None, b""), (log.notes[0], log.notes[0]), (log.notes[1], log.notes[1])):
        keep_pin(path, Trusted(log.key, note))
        assert read_pin(path) == Pin(log.key, seen)
    keep_pin(path, Trusted(log.key, log.notes[0]))

    assert read_pin(path) == Pin(log.key, log.notes[1])
    assert durable.is_private(path)
    assert durable.is_private(path.parent)
    assert open_trusted(path, Pin(log.key, log.notes[1])).size == 2


def test_a_pin_of_another_key_stays(log, tmp_path):
    path = tmp_path / "pin.json"
    keep_pin(path, Trusted(log.key, log.note))
    before = path.read_bytes()

    with pytest.raises(errors.VerificationError, match="pins the key") as caught:
        keep_pin(path, Trusted(PublishedLog(seed=2).key))

    assert path.read_bytes() == before
    assert caught.value.step == "pin"
    assert "move the pin away" in caught.value.hint
    check_key(path, Pin(log.key), log.key)


def test_another_root_of_the_size_that_another_process_has_seen(log, tmp_path):
    path = tmp_path / "pin.json"
    keep_pin(path, Trusted(log.key, log.note))
    before = path.read_bytes()
    fork = PublishedLog()
    fork.add(b"a")
    fork.add(b"another")

    with pytest.raises(errors.ContradictionError, match="two roots of 2 leaves") as caught:
        keep_pin(path, Trusted(fork.key, fork.note))

    assert path.read_bytes() == before
    assert verify_evidence(caught.value.evidence, policy_of_key(log.key)).signed
    keep_pin(path, Trusted(log.key, log.note))


def test_a_checkpoint_that_the_pins_key_did_not_sign_is_no_pin(log, tmp_path):
    other = PublishedLog(seed=2)
    other.add(b"a")
    with pytest.raises(errors.MalformedError, match="did not sign its checkpoint"):
        open_trusted(tmp_path / "pin", Pin(log.key, other.note))


def test_who_writes_at_the_same_time_waits(log, tmp_path):
    path = tmp_path / "pins" / "pin.json"
    keep_pin(path, Trusted(log.key, None))
    started = threading.Event()

    def write():
        started.set()
        keep_pin(path, Trusted(log.key, log.note))

    thread = threading.Thread(target=write)
    with durable.lock_directory(path.parent, exclusive=True):
        thread.start()
        assert started.wait(20)
        assert read_pin(path) == Pin(log.key, b"")
    thread.join(20)
    assert read_pin(path) == Pin(log.key, log.note)


def test_a_lock_that_is_never_let_go_is_said(log, tmp_path, monkeypatch):
    monkeypatch.setattr("qed.client.pins._LOCK_WAIT_S", 0.05)
    with (
        durable.lock_directory(tmp_path, exclusive=True),
        pytest.raises(errors.LockedError),
    ):
        keep_pin(tmp_path / "pin.json", Trusted(log.key))


def test_a_key_is_given_itself_or_in_a_file(log, tmp_path):
    text = format_verifier_key(log.key)
    path = tmp_path / "log.vkey"
    path.write_text(text + "\n")

    assert read_key(text) == read_key(str(path)) == log.key
    slashes = VerifierKey("example.org/log", log.key.algorithm, log.key.public)
    assert read_key(format_verifier_key(slashes)) == slashes


def test_what_is_no_key_is_refused(log, tmp_path):
    text = format_verifier_key(log.key)
    path = tmp_path / "key"
    for bad in (text[:-4], text.replace("qed-test", "other"), text + "\n"):
        with pytest.raises(errors.MalformedError):
            read_key(bad)
    for content in (b"", b"\xff\xfe", b"hello", text.encode() * 2):
        path.write_bytes(content)
        with pytest.raises(errors.MalformedError, match=str(path)):
            read_key(str(path))
    with pytest.raises(errors.NotFoundError):
        read_key(str(tmp_path / "nothing"))
    cosigner = VerifierKey("witness", 0x04, log.key.public)
    with pytest.raises(errors.MalformedError, match="cosigner"):
        read_key(format_verifier_key(cosigner))


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("http://127.0.0.1:8800", "127.0.0.1_8800.json"),
        ("http://LOG.example/", "log.example_80.json"),
        ("https://log.example", "log.example_443.json"),
        ("http://[::1]:8800", "::1_8800.json"),
        ("http://h:1/a/b", "h_1_a_b.json"),
    ],
)
def test_each_endpoint_has_a_pin_of_its_own(endpoint, name):
    assert pin_name(endpoint) == name


# The first use


def never(*_):
    pytest.fail("nobody was to be asked or told")


def test_a_server_is_asked_for_its_key(log):
    said = {"verifier_key": format_verifier_key(log.key)}
    with serving(log, info=said) as server, open_source(server.url) as source:
        assert ask_key(source) == log.key
        assert server.asked == ["GET /info"]


@pytest.mark.parametrize("said", [None, 7, "", "nonsense", "a+b+c", "cosigner", "id", "file"])
def test_a_server_that_says_no_key_of_a_log_claims_what_is_false(log, tmp_path, said):
    true = format_verifier_key(log.key)
    (tmp_path / "key").write_text(true)
    lies = {
        "cosigner": format_verifier_key(VerifierKey("witness", 0x04, log.key.public)),
        "id": true.replace("qed-test", "other"),
        "file": str(tmp_path / "key"),
    }
    info = {} if said is None else {"verifier_key": lies.get(said, said)}
    with serving(log, info=info) as server, open_source(server.url) as source:
        with pytest.raises(errors.VerificationError) as caught:
            ask_key(source)
        assert server.url in caught.value.message
    assert caught.value.step == "key"
    assert "--key" in caught.value.hint


def test_what_is_no_log_server_says_no_key(log, tmp_path):
    mirror = log.write_mirror(tmp_path / "mirror")
    with open_source(str(mirror)) as source, pytest.raises(errors.VerificationError):
        ask_key(source)
    with serving(log) as server, open_source(server.url) as source:
        server.lies["/info"] = lambda _said: (404, b"404 page not found\n")
        with pytest.raises(errors.VerificationError):
            ask_key(source)
        server.lies["/info"] = lambda _said: b"<html>"
        with pytest.raises(errors.VerificationError):
            ask_key(source)


def test_nobody_there_says_nothing_false():
    with open_source("http://127.0.0.1:1") as source, pytest.raises(errors.UnreachableError):
        ask_key(source)


def test_the_key_that_is_asked_for_is_pinned_and_then_said(log, tmp_path):
    path, said = tmp_path / "pins" / "pin.json", []

    trusted = open_first(
        path, None, lambda: log.key, lambda key: said.append((key, read_pin(path)))
    )

    assert (trusted.key, trusted.size) == (log.key, 0)
    assert said == [(log.key, Pin(log.key))]
    assert open_first(path, None, never, never).key == log.key


def test_without_a_path_the_key_that_is_asked_for_is_only_said(log):
    said = []

    assert open_first(None, None, lambda: log.key, said.append).key == log.key
    assert said == [log.key]


def test_pin_and_key_come_before_asking(log, tmp_path):
    path, other = tmp_path / "pin.json", PublishedLog(seed=2)

    assert open_first(path, log.key, never, never).key == log.key
    assert not path.exists()
    assert open_first(None, log.key, never, never).key == log.key
    path.write_bytes(format_pin(Pin(log.key, log.note)))
    for key in (None, log.key):
        assert open_first(path, key, never, never).note == log.note
    with pytest.raises(errors.VerificationError, match="pins the key"):
        open_first(path, other.key, never, never)
    path.write_bytes(b"{}")
    with pytest.raises(errors.MalformedError, match="is no pin"):
        open_first(path, log.key, never, never)


def test_without_pin_and_key_nothing_is_trusted(tmp_path):
    assert read_trusted(None, None) is None
    assert read_trusted(tmp_path / "pin.json", None) is None


def test_who_says_no_key_pins_nothing(tmp_path):
    path = tmp_path / "pin.json"

    def ask():
        raise errors.VerificationError("none")

    with pytest.raises(errors.VerificationError):
        open_first(path, None, ask, never)
    assert not path.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"PRIVATE+KEY+a+00000000+AAAA\n",
        b"-----BEGIN PRIVATE KEY-----\n",
        bytes(range(192, 256)),
    ],
)
def test_a_private_key_is_told_how_its_public_half_is_printed(tmp_path, data):
    (tmp_path / "key").write_bytes(data)

    with pytest.raises(errors.MalformedError, match="private key") as refused:
        read_key(str(tmp_path / "key"))
    assert "qed generate verifierkey" in refused.value.hint
    with pytest.raises(errors.MalformedError) as refused:
        read_key("PRIVATE+KEY+a+00000000+SECRET")
    assert "SECRET" not in refused.value.message
    with pytest.raises(errors.NotFoundError) as refused:
        read_key(str(tmp_path / "log.vkey"))
    assert refused.value.hint
