"""Asking for a digest: once, of anybody, never for ever."""

import pytest

from qed.cli.prompts import ANSWER_LIMIT_BYTES

HEX = "ab" * 32
MEMBERSHIP = ("client", "membership", "--event", "event 0", "--verify")
PROMPT = b"Please, provide the hyperDigest for current version [ 0 ]: "


@pytest.fixture(autouse=True)
def _one_event(client):
    client.add(b"event 0")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "  \n", ""])
def test_a_line_is_an_answer_however_it_ends(run, client, ending):
    snapshot = client.log.snapshots[0]
    lines = f"{snapshot.hyper_digest.hex()}\n{snapshot.history_digest.hex()}{ending}"

    done = run(*MEMBERSHIP, given=lines.encode())

    assert done.code == 0, done.err
    assert done.text.count("Please, provide") == 2


def test_the_end_of_the_input_is_an_error(run):
    done = run(*MEMBERSHIP)

    assert done.code == 11
    assert done.out.endswith(PROMPT)
    assert "Error: the input ended before the digest was given" in done.err
    assert "--hyper-digest" in done.err


def test_the_end_of_the_input_at_the_second_prompt_is_an_error_too(run):
    done = run(*MEMBERSHIP, given=f"{HEX}\n".encode())

    assert done.code == 11
    assert "--history-digest" in done.err


@pytest.mark.parametrize("answer", ["", "xyz", "ab" * 31, "ab" * 64, "\udcff"])
def test_an_answer_that_is_no_digest_is_an_error_and_not_asked_again(run, answer):
    given = (answer + "\n").encode("utf-8", "surrogateescape") * 5

    done = run(*MEMBERSHIP, given=given)

    assert done.code == 11
    assert "Error: that is not a digest" in done.err
    assert done.text.count("Please, provide") == 1


def test_an_endless_line_is_not_read_to_its_end(run):
    done = run(*MEMBERSHIP, given=b"a" * (4 * ANSWER_LIMIT_BYTES))

    assert done.code == 11
    assert f"not {ANSWER_LIMIT_BYTES}" in done.err


def test_with_json_the_prompt_leaves_standard_output_alone(run, client):
    snapshot = client.log.snapshots[0]
    lines = f"{snapshot.hyper_digest.hex()}\n{snapshot.history_digest.hex()}\n"

    done = run(*MEMBERSHIP, "--json", given=lines.encode())

    assert done.document["Verify"] == "OK"
    assert PROMPT.decode() in done.err
