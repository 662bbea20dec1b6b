"""`qed verify` with a key: exit codes, several files, questions and blinding."""

from hashlib import sha256

import pytest

from publishing import PublishedLog
from qed.client.blind import blind, fingerprint
from qed.client.evidence import new_equivocation, new_lag, new_signature
from qed.client.saved import SavedMembership, encode_saved
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.note import format_verifier_key
from receipt_log import ABSENT_EVENT, EVENTS, one_of_each, receipt, small_log

LOG = small_log(6)
KEY = format_verifier_key(LOG.key)
OTHER = sign_checkpoint(LOG.signer, 6, bytes(32))
OF_EACH = one_of_each(LOG)
SECRET = bytes(range(32))


@pytest.fixture(name="file")
def write_into(tmp_path):
    def write(data: bytes, name: str = "file") -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("name", OF_EACH)
def test_a_receipt_with_its_question(run, file, name):
    digest, data = OF_EACH[name]
    kind = name.partition(" ")[0]
    words = ("--key", KEY, "--event-digest", digest.hex())

    done = run("verify", file(data), *words, "--kind", kind)

    assert (done.code, done.err) == (0, "")
    assert done.text.endswith("\nVerify: OK\n\n")
    assert run("verify", file(data), *words).code == 0
    document = run("verify", file(data), "--key", KEY, "--json").document
    assert (document["Kind"], document["EventDigest"]) == (kind, digest.hex())
    assert document["NotProven"]


def test_the_event_itself_and_a_file_of_it(run, file):
    path = file(OF_EACH["logged"][1])

    assert run("verify", path, "--key", KEY, "--event", "event 2").code == 0
    assert run("verify", path, "--key", KEY, "--event-file", file(b"event 2", "e")).code == 0
    assert run("verify", path, "--key", KEY, "--event-file", "-", given=b"event 2").code == 0
    done = run("verify", path, "--key", KEY, "--event", "event 3")
    assert (done.code, "another event" in done.err) == (30, True)
    assert done.text == f"\nNot verified: {path}\n\nVerify: KO\n\n"
    assert run("verify", path, "--key", KEY, "--kind", "newest").code == 30


def test_an_error_is_one_document(run, file):
    done = run("verify", file(OF_EACH["logged"][1]), "--key", KEY, "--event", "x", "--json")

    assert (done.code, done.document["error"]["step"]) == (30, "event-digest")


def test_the_key_from_a_file_and_a_policy(run, file):
    path = file(OF_EACH["newest"][1])
    policy = file(f"log {KEY}\nquorum none\n".encode(), "policy")

    assert run("verify", path, "--key", file(KEY.encode() + b"\n", "key")).code == 0
    assert run("verify", path, "--policy", policy).code == 0
    other = format_verifier_key(small_log(1, seed=2).key)
    assert run("verify", path, "--key", other).code == 30
    assert run("verify", path, "--key", file(b"no key", "none")).code == 11
    assert run("verify", path, "--policy", file(b"log\n", "none")).code == 11
    assert run("verify", path, "--policy", file(b"", "none")).code == 11
    assert run("verify", path, "--key", "missing").code == 13


def test_a_quorum_that_is_not_reached(run, file):
    witness = KEY_OF_WITNESS
    policy = file(f"log {KEY}\nwitness w {witness}\nquorum w\n".encode(), "policy")

    done = run("verify", file(OF_EACH["newest"][1]), "--policy", policy)

    assert (done.code, "quorum" in done.err) == (30, True)


def cosigner_key() -> str:
    key = small_log(1, origin="witness.example", seed=3).key
    return format_verifier_key(type(key)(key.name, 0x04, key.public))


KEY_OF_WITNESS = cosigner_key()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "say --key or --policy"),
        (["--key", KEY, "--policy", "p"], "not both"),
        (["--key", KEY, "--event", "a", "--event-digest", "00" * 32], "exactly one"),
        (["--key", KEY, "--hyper-digest", "00" * 32], "no use for --hyper-digest"),
        (["--key", KEY, "--salt-file", "s"], "needs the --event itself"),
        (["--key", KEY, "--blind-key", "s"], "--blind-fingerprint"),
        (["--key", KEY, "--blind-fingerprint", "00" * 32], "--blind-key"),
        (["--key", KEY, "--event-digest", "00" * 32, "--salt-file", "s"], "takes the event itself"),
        (["--key", KEY, "--kind", "old"], "old"),
    ],
)
def test_words_that_make_no_sense(run, file, words, sentence):
    done = run("verify", file(OF_EACH["logged"][1]), *words)

    assert (done.code, sentence in done.err) == (2, True), done.err


# Several files


def test_many_files_that_hold(run, file):
    paths = [file(data, name) for name, (_, data) in OF_EACH.items()]

    done = run("verify", *paths, "--key", KEY)

    assert (done.code, done.err) == (0, "")
    assert done.text.count("\nVerify: OK\n") == len(paths)
    document = run("verify", *paths, "--key", KEY, "--json").document
    assert [one["File"] for one in document["Files"]] == paths
    assert {one["Verify"] for one in document["Files"]} == {"OK"}


def test_the_worst_file_decides(run, file):
    good, bad = file(OF_EACH["logged"][1], "good"), file(OF_EACH["newest"][1][:-9], "bad")

    done = run("verify", good, bad, "--key", KEY, "--json")
    assert done.code == 30
    first, second = done.document["Files"]
    assert (first["Verify"], second["Verify"], second["error"]["step"]) == ("OK", "KO", "note")
    assert f"Error: {bad}: " in done.err
    done = run("verify", "missing", bad, file(OTHER, "other"), good, "--key", KEY, "--json")
    assert done.code == 31
    verdicts = [one.get("Verify") for one in done.document["Files"]]
    assert verdicts == [None, "KO", "OK", "CONTRADICTION"]
    assert run("verify", "missing", good, "--key", KEY).code == 13
    assert run("verify", "missing", bad, "--key", KEY).code == 30


def test_a_file_that_cannot_be_read_has_no_verdict(run, file, tmp_path):
    good, missing = file(OF_EACH["logged"][1], "good"), str(tmp_path / "missing")

    for path, code in ((missing, 13), (str(tmp_path), 42)):
        done = run("verify", path, "--key", KEY)
        assert (done.code, "Verify" in done.text) == (code, False)
    done = run("verify", missing, str(tmp_path), good, "--key", KEY)
    assert (done.code, done.text.count("Verify: OK"), "KO" in done.text) == (42, 1, False)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"root:x:0:0::/root:/bin/sh\n", "evidence or saved proof\n"),
        (KEY.encode() + b"\n", "looks like a verifier key"),
        (b"PRIVATE+KEY+a+00000000+AAAA\n", "looks like a private key"),
    ],
)
def test_what_is_unrelated_is_told_so(run, file, data, words):
    done = run("verify", file(data), "--key", KEY)

    assert (done.code, "the file is no receipt, checkpoint" in done.err) == (30, True)
    assert words in done.err


def test_an_empty_key_is_a_word_that_makes_no_sense(run, file):
    done = run("verify", file(OF_EACH["logged"][1]), "--key", "")

    assert (done.code, "the key is empty" in done.err) == (2, True)


def test_two_checkpoints_that_exclude_each_other(run, file):
    one, other = file(LOG.note, "one"), file(OTHER, "other")

    assert run("verify", one, "--key", KEY).code == 0
    assert run("verify", one, one, "--key", KEY).code == 0
    done = run("verify", one, other, "--key", KEY)
    assert (done.code, "Verify: CONTRADICTION" in done.text) == (31, True)
    assert "two roots for size 6" in done.err


def test_a_known_checkpoint(run, file):
    path, other = file(OF_EACH["newest"][1]), file(OTHER, "known")

    assert run("verify", path, "--key", KEY, "--known", file(LOG.note, "same")).code == 0
    done = run("verify", path, "--key", KEY, "--known", other, "--json")
    assert (done.code, done.document["error"]["code"]) == (31, "contradiction")
    forged = sign_checkpoint(small_log(1, seed=2).signer, 6, bytes(32))
    assert run("verify", path, "--key", KEY, "--known", file(forged, "forged")).code == 30
    both = run("verify", path, "--key", KEY, "--known", file(LOG.note, "same"), "--known", other)
    assert both.code == 31


# Evidence


def test_evidence_that_shows_a_contradiction(run, file):
    path = file(new_equivocation(LOG.note, OTHER).encode())

    done = run("verify", path, "--key", KEY)

    assert done.code == 31
    assert "    Signed: true\n" in done.text
    assert "two histories" in done.err
    done = run("verify", path, "--key", KEY, "--json")
    assert (done.code, done.document["Verify"]) == (31, "CONTRADICTION")
    assert done.document["Signed"] is True


def test_evidence_that_nobody_signed_whole_says_so(run, file):
    path = file(new_lag(LOG.note, small_log(3).note).encode())

    done = run("verify", path, "--key", KEY, "--json")

    assert (done.code, done.document["Signed"]) == (31, False)
    assert "nobody signed" in done.document["Finding"]


@pytest.mark.parametrize("made", ["lag", "signature"])
def test_what_anybody_could_have_written_is_no_reason_to_stop_trusting_a_log(run, file, made):
    evidence = {
        "lag": new_lag(LOG.note, small_log(3).note),
        "signature": new_signature(LOG.key.name, b"whatever"),
    }[made]

    done = run("verify", file(evidence.encode()), "--key", KEY)

    assert "    Signed: false\n" in done.text
    assert "Hint: nobody has signed all of it" in done.err
    assert "Hint: stop trusting" not in done.err


def test_evidence_that_shows_nothing(run, file):
    done = run("verify", file(new_equivocation(LOG.note, LOG.note).encode()), "--key", KEY)

    assert (done.code, "shows nothing" in done.err) == (30, True)


# Saved proofs


def test_a_saved_proof_is_verified_by_itself(run, file):
    digest = LOG.snapshots[0].event_digest
    saved = SavedMembership(digest, None, LOG.log.membership(digest))
    path, signed = file(encode_saved(saved), "saved"), file(OF_EACH["logged"][1], "signed")

    done = run("verify", path, "--key", KEY)
    assert (done.code, "no use for --key" in done.err) == (2, True)
    done = run("verify", path, signed, "--key", KEY)
    assert (done.code, "by itself" in done.err) == (2, True)
    assert run("verify", path, path).code == 2


def test_what_is_nothing_at_all(run, file):
    assert run("verify", file(b"nothing")).code == 11
    assert run("verify", file(b"nothing"), "--key", KEY).code == 30
    assert run("verify", "missing").code == 13
    assert run("verify", "missing", "--key", KEY).code == 13


# Blinding


@pytest.fixture(name="blinded")
def log_with_a_blinded_event(file):
    log = PublishedLog()
    for digest in (sha256(EVENTS[0]).digest(), blind(SECRET, b"guessable")):
        log.log.add([digest])
        log._append(log.snapshots[-1])
    log.publish()
    digests = {"there": blind(SECRET, b"guessable"), "away": blind(SECRET, ABSENT_EVENT)}
    return {
        "logged": file(receipt(log, "logged", digests["there"]), "logged"),
        "absent": file(receipt(log, "absent", digests["away"]), "absent"),
    }


def test_a_salt(run, file, blinded):
    words = ("--key", KEY, "--salt-file", file(SECRET, "salt"))

    assert run("verify", blinded["logged"], *words, "--event", "guessable").code == 0
    assert run("verify", blinded["logged"], *words, "--event", "guessed").code == 30
    done = run("verify", blinded["absent"], *words, "--event", ABSENT_EVENT.decode())
    assert (done.code, "blind-key" in done.err) == (30, True)
    assert run("verify", blinded["logged"], "--key", KEY, "--event", "guessable").code == 30
    wrong = ("--key", KEY, "--salt-file", file(SECRET[1:], "short"), "--event", "guessable")
    assert run("verify", blinded["logged"], *wrong).code == 11


def test_an_owners_key(run, file, blinded):
    pinned = ("--blind-fingerprint", fingerprint(SECRET))
    words = ("--key", KEY, "--blind-key", file(SECRET, "owner"))

    assert run("verify", blinded["logged"], *words, *pinned, "--event", "guessable").code == 0
    event = ("--event", ABSENT_EVENT.decode())
    assert run("verify", blinded["absent"], *words, *pinned, *event).code == 0
    other = ("--blind-fingerprint", "00" * 32)
    done = run("verify", blinded["absent"], *words, *other, *event)
    assert (done.code, "fingerprint" in done.err) == (30, True)
