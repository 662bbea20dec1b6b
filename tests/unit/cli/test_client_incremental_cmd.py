"""`qed client incremental`."""

from dataclasses import replace

import pytest

from qed import wire

WORDS = ("client", "incremental", "--start", "0", "--end", "2")
QUESTION = "\nQuerying incremental between versions [ 0 ] and [ 2 ]\n"
ANSWER = (
    "\nReceived incremental proof:\n\n"
    "    Start version: 0\n"
    "    End version: 2\n"
    "    Incremental audit path: <TRUNCATED>\n\n"
)
ASK_START = "Please, provide the starting historyDigest for version [ 0 ]: "
ASK_END = "Please, provide the ending historyDigest for version [ 2 ] : "


@pytest.fixture(name="digests")
def history_digests(client):
    for number in range(3):
        client.add(b"event %d" % number)
    return tuple(client.log.snapshots[at].history_digest.hex() for at in (0, 2))


def verdict(start, end, word="OK"):
    return (
        "\nVerifying with snapshots:\n"
        f"    HistoryDigest for start version [ 0 ]: {start}\n"
        f"    HistoryDigest for end version [ 2 ]: {end}\n\n"
        f"Verify: {word}\n\n"
    )


@pytest.mark.usefixtures("digests")
def test_question_and_answer(run):
    done = run(*WORDS)

    assert (done.code, done.text, done.err) == (0, QUESTION + ANSWER, "")


def test_verify_asks_for_what_is_missing(run, digests):
    start, end = digests
    good = verdict(start, end)

    both = run(*WORDS, "--verify", given=f"{start}\n{end}\n".encode())
    one = run(*WORDS, "--verify", "--start-digest", start, given=f"{end}\n".encode())
    none = run(*WORDS, "--verify", "--start-digest", start, "--end-digest", end)

    assert (both.code, both.text) == (0, QUESTION + ANSWER + ASK_START + ASK_END + good)
    assert (one.code, one.text) == (0, QUESTION + ANSWER + ASK_END + good)
    assert (none.code, none.text) == (0, QUESTION + ANSWER + good)


def test_a_false_proof_is_ko_and_leaves_by_30(run, digests):
    start, end = digests

    done = run(*WORDS, "--verify", "--start-digest", end, "--end-digest", end)

    assert done.code == 30
    assert done.text == QUESTION + ANSWER + verdict(end, end, "KO")
    assert start != end


@pytest.mark.usefixtures("digests")
def test_the_end_of_the_input_is_an_error(run):
    done = run(*WORDS, "--verify")

    assert (done.code, done.text) == (11, QUESTION + ANSWER + ASK_START)


def test_the_document(run, digests):
    flags = ["--verify", "--start-digest", digests[0], "--end-digest", digests[1]]

    done = run(*WORDS, *flags, "--json")

    assert (done.document["Start"], done.document["End"]) == (0, 2)
    assert done.document["Verify"] == "OK"
    assert set(done.document["Proof"]) == {"Start", "End", "AuditPath"}


def test_a_saved_answer_is_verified_without_a_server(run, digests, tmp_path):
    path = tmp_path / "proof"

    run(*WORDS, "--save", str(path))
    done = run("verify", str(path), "--start-digest", digests[0], "--end-digest", digests[1])

    assert (done.code, done.text) == (0, ANSWER + verdict(*digests))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--start", "3", "--end", "2"], "--start 3 is after --end 2"),
        (["--start", "3"], "Missing option '--end'"),
        (["--end", "3"], "Missing option '--start'"),
        (["--start", "-1", "--end", "2"], "is not a version"),
        (["--start", "0", "--end", "1", "--end-digest", "00" * 32], "only with --verify"),
    ],
)
def test_a_bad_question_is_refused_before_anything_is_sent(run, client, words, sentence):
    done = run("client", "incremental", *words)

    assert (done.code, client.fields) == (2, {})
    assert sentence in done.err


def test_growth_is_verified_by_published_snapshots(ask_published):
    done = ask_published("incremental", "--start", "0", "--end", "3", "--auto-verify")

    assert done.code == 0
    assert done.text.endswith(
        "\nAuto-Verifying event with:\n\n    Start: 0\n    End: 3\n\nVerify: OK\n\n"
    )
    same = ask_published("incremental", "--start=2", "--end=2", "--auto-verify", "--json")
    assert same.document["Verify"] == "OK"


def test_false_growth_is_ko_and_late_growth_is_not(ask_published, published):
    published.log.add(b"later", publish=False)
    words = ("incremental", "--start=0", "--end=4", "--auto-verify", "--timeout=200ms")
    late = ask_published(*words)
    assert (late.code, "Verify:" in late.text) == (25, False)
    published.log.publish()
    assert ask_published(*words).code == 0

    def lie(body):
        proof = wire.decode_incremental(body)
        first = dict.fromkeys(list(proof.audit_path)[:1], bytes(32))
        return wire.encode_incremental(replace(proof, audit_path={**proof.audit_path, **first}))

    published.lies["/proofs/incremental"] = lie
    false = ask_published(*words)
    assert false.code == 30
    assert false.text.endswith("    End: 4\n\nVerify: KO\n\n")
