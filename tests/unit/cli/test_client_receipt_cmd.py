"""`qed client receipt`: what is written, printed, refused, and waited for."""

from hashlib import sha256

import pytest

from qed.client.blind import blind
from qed.client.receipts import verify_under_key
from receipt_log import EVENTS

SECRET = bytes(range(32))


@pytest.fixture(name="at")
def in_a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(path):
    return sorted(one.name for one in path.glob("*.tlog-proof"))


@pytest.mark.parametrize("kind", ["logged", "newest", "absent"])
def test_the_file_has_a_name_that_says_what_it_is(ask_published, published, at, kind):
    event = b"never added" if kind == "absent" else EVENTS[1]

    done = ask_published("receipt", "--event", event.decode(), "--kind", kind)

    digest = sha256(event).digest()
    name = f"{digest.hex()[:16]}-{kind}-{1 if kind == 'logged' else 3}.tlog-proof"
    assert (done.code, files(at)) == (0, [name])
    found = verify_under_key((at / name).read_bytes(), published.log.key, digest=digest)
    assert (found.kind, found.size) == (kind, 4)
    assert done.text.startswith(f"\nVerified receipt {name} with values:\n\n    Kind: {kind}\n")
    assert f"    Version: {'none' if kind == 'absent' else 1}\n" in done.text
    assert "    Not proven: " in done.text
    assert done.text.endswith("\n\nVerify: OK\n\n")


def test_it_is_written_where_it_is_wanted(ask_published, at):
    done = ask_published("receipt", "--event", "event 2", "-o", "mine", "--json")

    assert (done.code, done.document["File"], done.document["Version"]) == (0, "mine", 2)
    assert done.document["EventDigest"] == sha256(EVENTS[2]).hexdigest()
    assert (at / "mine").read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")


def test_standard_output_gets_the_file_and_nothing_else(ask_published, published, at):
    done = ask_published("receipt", "--event-digest", sha256(EVENTS[2]).hexdigest(), "-o", "-")

    assert (done.code, files(at)) == (0, [])
    assert verify_under_key(done.out, published.log.key).version == 2


def test_an_earlier_version(ask_published, published, at):
    published.log.add(EVENTS[2])

    assert ask_published("receipt", "--event", "event 2", "--json").document["Version"] == 4
    done = ask_published("receipt", "--event", "event 2", "--version", "2", "--json")
    assert done.document["Version"] == 2
    assert len(files(at)) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--event", "a", "--event-digest", "00" * 32], "exactly one"),
        ([], "exactly one"),
        (["--event", "a", "--kind", "newest", "--version", "0"], "as of now"),
        (["--event", "a", "--kind", "old"], "old"),
        (["--event", "a", "-o", "-", "--json"], "say one"),
        (["--event-digest", "00" * 32, "--blind", "--salt-file", "salt"], "cannot be blinded"),
        (["--event", "a", "--blind"], "--salt-file"),
        (["--event", "a", "--blind", "--salt-file", "salt", "--kind", "absent"], "no absence"),
    ],
)
def test_words_that_make_no_sense_ask_nobody(ask_published, published, at, words, sentence):
    (at / "salt").write_bytes(SECRET)
    (at / "salt").chmod(0o600)

    done = ask_published("receipt", *words)

    assert (done.code, published.asked, files(at)) == (2, [], [])
    assert sentence in done.err


def test_the_opposite_is_no_receipt(ask_published, at):
    done = ask_published("receipt", "--event", "never added")
    assert (done.code, files(at)) == (15, [])
    assert "kind absent" in done.err
    assert ask_published("receipt", "--event", "event 0", "--kind", "absent").code == 15


def test_what_is_not_published_in_time_is_no_ko(ask_published, published, at):
    published.log.add(b"late", publish=False)

    done = ask_published("receipt", "--event", "late", "--timeout", "100ms")

    assert (done.code, done.out, files(at)) == (25, b"", [])
    assert "not published yet" in done.err


def test_a_lie_writes_nothing(ask_published, published, at):
    assert ask_published("receipt", "--event", "event 0", "-o", "kept").code == 0
    before = (at / "kept").read_bytes()
    published.lies["/tile/entries"] = lambda body: body[:-1] + bytes([body[-1] ^ 1])

    done = ask_published("receipt", "--event", "event 3", "-o", "kept")

    assert done.code == 30
    assert (at / "kept").read_bytes() == before


def test_something_else_in_the_way_stays(ask_published, at):
    (at / "there").mkdir()

    assert ask_published("receipt", "--event", "event 0", "-o", "there").code == 14


def test_a_blinded_event_by_its_salt_and_by_a_key(ask_published, published, at):
    (at / "secret").write_bytes(SECRET)
    (at / "secret").chmod(0o600)
    published.log.log.add([blind(SECRET, b"guessable")])
    published.log._append(published.log.snapshots[-1])
    published.log.publish()

    for words in (["--blind", "--salt-file", "secret"], ["--blind-key", "secret"]):
        done = ask_published("receipt", "--event", "guessable", *words, "--json")
        assert (done.code, done.document["Version"]) == (0, 4)
        assert done.document["EventDigest"] == blind(SECRET, b"guessable").hex()
    done = ask_published(
        "receipt", "--event", "another", "--blind-key", "secret", "--kind", "absent"
    )
    assert done.code == 0
    assert "blinding key" in done.err
