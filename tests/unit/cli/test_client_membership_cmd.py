"""`qed client membership`: question, answer, verdict; the vectors of SPEC decide."""

import threading
from dataclasses import replace
from hashlib import sha256

import pytest

from qed import wire
from qed.errors import NotProvenError, VerificationError

DIGEST = sha256(b"event 0").hexdigest()


@pytest.fixture(name="last")
def last_of_three(client):
    """Add three events and return the last snapshot's digests in hex."""
    for number in range(3):
        client.add(b"event %d" % number)
    snapshot = client.log.snapshots[2]
    return snapshot.hyper_digest.hex(), snapshot.history_digest.hex()


def answer(exists, current, query, actual, digest=DIGEST):
    return (
        "\nReceived membership proof:\n\n"
        f"    Exists: {exists}\n"
        "    Hyper audit path: <TRUNCATED>\n"
        "    History audit path: <TRUNCATED>\n"
        f"    CurrentVersion: {current}\n"
        f"    QueryVersion: {query}\n"
        f"    ActualVersion: {actual}\n"
        f"    KeyDigest: {digest}\n\n"
    )


def verdict(hyper, history, version, word="OK", digest=DIGEST):
    return (
        "\nVerifying event with:\n\n"
        f"    EventDigest: {digest}\n"
        f"    HyperDigest: {hyper}\n"
        f"    HistoryDigest: {history}\n"
        f"    Version: {version}\n\n"
        f"Verify: {word}\n\n"
    )


@pytest.mark.parametrize(
    ("words", "question", "query"),
    [
        (["--event", "event 0"], "key [ event 0 ] with latest version", 2),
        (["--event", "event 0", "--version", "1"], "key [ event 0 ] with version [ 1 ]", 1),
        (["--event-digest", DIGEST], f"digest [ {DIGEST} ] with latest version", 2),
        (["--event-digest", DIGEST, "--version=9"], f"digest [ {DIGEST} ] with version [ 9 ]", 9),
    ],
)
@pytest.mark.usefixtures("last")
def test_question_and_answer(run, words, question, query):
    done = run("client", "membership", *words)

    assert (done.code, done.err) == (0, "")
    assert done.text == f"\nQuerying {question}\n" + answer("true", 2, query, 0)


@pytest.mark.usefixtures("last")
def test_an_event_of_a_file_is_shown_by_its_digest(run):
    done = run("client", "membership", "--event-file", "-", given=b"event 0")

    assert done.text.startswith(f"\nQuerying digest [ {DIGEST} ] with latest version\n")


@pytest.mark.usefixtures("client")
def test_an_empty_log_answers_with_no_version(run):
    done = run("client", "membership", "--event", "event 0")

    none = 2**64 - 1
    assert done.code == 0
    assert done.text.endswith(answer("false", none, none, none))


def test_verify_asks_for_what_is_missing(run, last):
    hyper, history = last
    words = ("client", "membership", "--event", "event 0", "--verify")
    question = "\nQuerying key [ event 0 ] with latest version\n" + answer("true", 2, 2, 0)
    ask_hyper = "Please, provide the hyperDigest for current version [ 2 ]: "
    ask_history = "Please, provide the historyDigest for version [ 2 ] : "
    good = verdict(hyper, history, 2)

    both = run(*words, given=f"{hyper}\n{history}\n".encode())
    one = run(*words, "--hyper-digest", hyper, given=f"{history}\n".encode())
    none = run(*words, "--hyper-digest", hyper, "--history-digest", history)

    assert (both.code, both.text) == (0, question + ask_hyper + ask_history + good)
    assert (one.code, one.text) == (0, question + ask_history + good)
    assert (none.code, none.text) == (0, question + good)


def test_an_absence_is_verified(run, client, last):
    hyper, history = last
    words = ("client", "membership", "--event", "event 9", "--verify", "--hyper-digest", hyper)
    digest = sha256(b"event 9").hexdigest()
    needed = client.log.membership(sha256(b"event 9").digest()).hyper_leaf is not None

    done = run(*words, "--history-digest", history)
    asked = run(*words, given=f"{history}\n".encode())

    assert done.code == 0
    assert done.text.endswith(
        answer("false", 2, 2, 2, digest) + verdict(hyper, history, 2, "OK", digest)
    )
    assert asked.code == 0
    assert ("historyDigest for version [ 2 ] : " in asked.text) is needed


@pytest.mark.parametrize("which", ["--hyper-digest", "--history-digest"])
def test_a_false_proof_is_ko_and_leaves_by_30(run, last, which):
    digests = {"--hyper-digest": last[0], "--history-digest": last[1]}
    digests[which] = "00" * 32
    flags = [word for pair in digests.items() for word in pair]

    done = run("client", "membership", "--event", "event 0", "--verify", *flags)

    assert done.code == 30
    assert done.text.endswith(verdict(*digests.values(), 2, "KO"))
    assert done.err.startswith("Error: ")


def test_a_false_proof_is_the_document_of_an_error(run, last):
    flags = ["--hyper-digest", last[0], "--history-digest", "00" * 32, "--json"]

    done = run("client", "membership", "--event", "event 0", "--verify", *flags)

    assert (done.code, done.document["error"]["code"]) == (30, "verification")
    assert done.document["error"]["step"]


@pytest.mark.usefixtures("client")
def test_verify_on_an_empty_log_says_that_there_is_nothing(run):
    done = run("client", "membership", "--event", "event 0", "--verify")

    assert done.code == 15
    assert "the log is empty" in done.err
    assert "Please" not in done.text


def test_what_is_not_proven_is_never_absent(run, client, last):
    client.add(b"event 0")
    client.failure = NotProvenError("actual version 3 is greater than the query version which is 1")

    done = run("client", "membership", "--event", "event 0", "--version", "1")

    assert last
    assert (done.code, "Exists" in done.text) == (15, False)
    assert done.err == "Error: actual version 3 is greater than the query version which is 1\n"


def test_an_answer_to_another_question_is_false(run, client):
    client.failure = VerificationError("the answer is about another digest", step="question")

    assert run("client", "membership", "--event", "event 0").code == 30


def test_the_document(run, last):
    flags = ["--verify", "--hyper-digest", last[0], "--history-digest", last[1], "--json"]

    done = run("client", "membership", "--event", "event 0", *flags)
    plain = run("client", "membership", "--event", "event 0", "--json")

    assert (done.document["Verify"], plain.document["Verify"]) == ("OK", None)
    assert done.document["Exists"] is True
    assert done.document["Proof"]["CurrentVersion"] == 2


def test_a_saved_answer_is_verified_without_a_server(run, last, tmp_path):
    path = tmp_path / "proof"

    saved = run("client", "membership", "--event", "event 0", "--version=5", "--save", str(path))
    digests = ("--hyper-digest", last[0], "--history-digest", last[1])
    done = run("verify", str(path), *digests)

    assert saved.code == 0
    assert (done.code, done.text) == (
        0,
        answer("true", 2, 5, 0) + verdict(*last, 5),
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--version", "-1"],
        ["--version", "18446744073709551616"],
        ["--event-digest", "00" * 31],
        ["--event-digest", "00" * 64],
        ["--event-digest", "xx" * 32],
        ["--verify", "--hyper-digest", "00"],
        ["--save", ""],
    ],
)
def test_a_bad_value_is_refused_before_anything_is_sent(run, client, words):
    event = [] if "--event-digest" in words else ["--event", "x"]

    assert run("client", "membership", *event, *words).code == 2
    assert client.fields == {}


def auto(digest, version, word="OK"):
    return (
        "\nAuto-Verifying event with:\n\n"
        f"    EventDigest: {digest}\n"
        f"    Version: {version}\n\n"
        f"Verify: {word}\n\n"
    )


@pytest.mark.parametrize(
    ("words", "exists", "query"),
    [
        (["--event", "event 0"], "true", 3),
        (["--event", "event 0", "--version", "1"], "true", 1),
        (["--event", "event 0", "--version", "9"], "true", 9),
        (["--event", "never"], "false", 3),
    ],
)
def test_presence_and_absence_are_verified_by_published_snapshots(
    ask_published, words, exists, query
):
    done = ask_published("membership", *words, "--auto-verify")

    digest = sha256(words[1].encode()).hexdigest()
    actual = 0 if exists == "true" else 3
    assert done.code == 0
    assert done.text.endswith(answer(exists, 3, query, actual, digest) + auto(digest, query))
    document = ask_published("membership", *words, "--auto-verify", "--json").document
    assert document["Verify"] == "OK"


def test_a_current_version_that_is_not_published_yet_is_waited_for(ask_published, published):
    published.log.add(b"later", publish=False)
    timer = threading.Timer(0.1, published.log.publish)
    timer.start()
    done = ask_published("membership", "--event", "later", "--auto-verify")
    timer.join()
    assert (done.code, "Verify: OK" in done.text) == (0, True)

    published.log.add(b"much later", publish=False)
    late = ask_published("membership", "--event", "later", "--auto-verify", "--timeout=200ms")
    assert late.code == 25
    assert "Verify:" not in late.text
    assert "version 5 is not published yet" in late.err


def test_an_answer_that_is_false_under_published_snapshots_is_ko(ask_published, published):
    def lie(body):
        proof = wire.decode_membership(body)
        first = dict.fromkeys(list(proof.hyper)[:1], bytes(32))
        return wire.encode_membership(replace(proof, hyper={**proof.hyper, **first}))

    published.lies["/proofs"] = lie
    done = ask_published("membership", "--event", "event 0", "--auto-verify")

    assert done.code == 30
    assert done.text.endswith(auto(DIGEST, 3, "KO"))


def test_an_answer_about_another_digest_is_refused(ask_published, published):
    other = published.log.log.membership(sha256(b"event 1").digest())
    published.lies["/proofs"] = lambda _: wire.encode_membership(other)

    done = ask_published("membership", "--event", "event 0", "--auto-verify")

    assert done.code == 30
    assert "the answer is about the digest" in done.err


def test_a_snapshot_that_a_store_has_changed_is_ko(ask_published, published):
    published.lies["/tile/entries"] = lambda body: body[:-1] + bytes([body[-1] ^ 1])
    done = ask_published("membership", "--event", "event 0", "--auto-verify")

    assert done.code == 30
    assert done.text.endswith(auto(DIGEST, 3, "KO"))
    assert "does not cover" in done.err
