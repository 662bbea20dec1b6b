"""Blinded events: what is written, what is said, what never leaves, and what makes no sense."""

import hashlib
import stat
from base64 import b64encode
from pathlib import Path

import pytest

from qed.client.blind import blind, fingerprint

EVENT = b"Smith: approved"
NAMED = ("--event", EVENT.decode())


@pytest.fixture(name="here", autouse=True)
def directory_to_be_in(monkeypatch, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(name="key_file")
def owners_key(tmp_path):
    path = tmp_path / "owner.key"
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)
    return path


def test_a_salt_is_kept_under_the_digests_name(run, client, here):
    done = run("client", "add", *NAMED, "--blind", "--json")

    (path,) = here.iterdir()
    digest = blind(path.read_bytes(), EVENT)
    assert done.code == 0
    assert path.name == f"{digest.hex()}.salt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert client.log.snapshots[0].event_digest == digest
    assert done.document["EventDigest"] == digest.hex()
    assert done.document["SaltFile"] == path.name
    assert f"the salt is in {path.name}" in done.err
    assert "deleting it erases" in done.err
    assert client.added == []


def test_two_salts_hide_that_the_events_are_equal(run, client, here):
    for _ in range(2):
        assert run("client", "add", *NAMED, "--blind").code == 0
    first, second = client.log.snapshots
    assert first.event_digest != second.event_digest
    assert len(list(here.iterdir())) == 2


def test_the_salt_that_was_kept_proves_presence(run, client, here):
    run("client", "add", *NAMED, "--blind", "--salt-file", "smith.salt")
    words = ("client", "membership", *NAMED, "--blind", "--salt-file", "smith.salt")

    done = run(*words, "--auto-verify")
    document = run(*words, "--json").document

    assert (done.code, done.err) == (0, "")
    assert f"Querying key [ {EVENT.decode()} ]" in done.text
    assert "Exists: true" in done.text
    assert "Verify: OK" in done.text
    assert document["SaltFile"] == "smith.salt"
    assert [path.name for path in here.iterdir()] == ["smith.salt"]
    assert len(client.log.snapshots) == 1


@pytest.mark.usefixtures("client")
def test_an_absence_under_a_salt_is_said_to_be_none(run):
    run("client", "add", *NAMED, "--blind", "--salt-file", "s")
    done = run("client", "membership", "--event", "other", "--blind", "--salt-file", "s")

    assert "Exists: false" in done.text
    assert "says nothing about the event" in done.err


def test_a_salt_is_never_overwritten(run, client, here):
    (here / "s").write_bytes(b"something")

    done = run("client", "add", *NAMED, "--blind", "--salt-file", "s")

    assert done.code == 14
    assert "never overwritten" in done.err
    assert (here / "s").read_bytes() == b"something"
    assert client.log.snapshots == []


def test_an_owners_key_links_equal_events_and_proves_absence(run, client, key_file, here):
    words = ("--blind-key", str(key_file))
    for _ in range(2):
        done = run("client", "add", *NAMED, *words, "--json")
        assert done.document["BlindKey"] == fingerprint(key_file.read_bytes())
        assert fingerprint(key_file.read_bytes()) in done.err
    first, second = client.log.snapshots
    assert first.event_digest == second.event_digest == blind(key_file.read_bytes(), EVENT)
    assert list(here.iterdir()) == []

    absent = run("client", "membership", "--event", "other", *words, "--auto-verify")
    assert absent.text.endswith("\nVerify: OK\n\n")
    assert "Exists: false" in absent.text
    assert "fingerprint" in absent.err


@pytest.mark.usefixtures("client")
def test_a_secret_that_others_can_read_is_remarked_on(run, key_file):
    key_file.chmod(0o644)

    done = run("client", "add", *NAMED, "--blind-key", str(key_file))

    assert done.code == 0
    assert f"chmod 600 {key_file}" in done.err


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        ("membership", [*NAMED, "--blind"], "can prove no absence"),
        ("membership", ["--event-digest", "00" * 32, "--blind", "--salt-file=s"], "any more"),
        ("membership", ["--event-digest", "00" * 32, "--blind-key=k"], "any more"),
        ("membership", [*NAMED, "--salt-file=s"], "only with --blind"),
        ("membership", [*NAMED, "--blind", "--salt-file=s", "--blind-key=k"], "say one"),
        ("add", [*NAMED, "--salt-file=s"], "only with --blind"),
        ("add", [*NAMED, "--blind", "--blind-key=k"], "say one"),
        ("add", [*NAMED, "--salt-file=s", "--blind-key=k"], "only with --blind"),
    ],
)
def test_what_makes_no_sense_is_refused(run, client, command, words, sentence):
    done = run("client", command, *words)

    assert done.code == 2
    assert sentence in done.err
    assert (client.fields, list(Path.cwd().iterdir())) == ({}, [])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(run, client, key_file, size):
    key_file.write_bytes(bytes(size))
    for command in ("add", "membership"):
        done = run("client", command, *NAMED, "--blind-key", str(key_file))
        assert done.code == 11
        assert "32" in done.err
    assert client.log.snapshots == []


def test_neither_event_nor_plain_digest_travels(ask_published, published, key_file):
    plain = hashlib.sha256(EVENT).digest()
    for words in (
        ("add", *NAMED, "--blind", "--salt-file", "s"),
        ("membership", *NAMED, "--blind", "--salt-file", "s"),
        ("add", *NAMED, "--blind-key", str(key_file)),
        ("membership", *NAMED, "--blind-key", str(key_file), "--version", "9"),
    ):
        assert ask_published(*words).code == 0
    everything = b"\n".join([*published.bodies, *(asked.encode() for asked in published.asked)])
    assert len(published.log.snapshots) == 6
    for form in forms_of(EVENT) | forms_of(plain):
        assert form not in everything
    assert published.asked.count("POST /events/digests") == 2
    assert blind(key_file.read_bytes(), EVENT) in everything


def forms_of(value):
    """In which forms bytes could travel."""
    return {value, value.hex().encode(), b64encode(value), b64encode(value).rstrip(b"=")}
