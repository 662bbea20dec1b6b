"""Answers that say no: the branch of the tree, and the server's own sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed import errors
from qed.client.calls import Response
from qed.client.refusals import read_refusal

WHERE = "POST http://x/events"
PLAIN = {"content-type": "text/plain; charset=utf-8"}
PROBLEM = {"content-type": "application/problem+json"}


def problem(status, **fields):
    return read_refusal(Response(status, PROBLEM, json.dumps(fields).encode()), WHERE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, errors.RequestError),
        (301, errors.RequestError),
        (400, errors.MalformedError),
        (401, errors.RequestError),
        (404, errors.NotFoundError),
        (405, errors.RequestError),
        (408, errors.UnavailableError),
        (409, errors.ConflictError),
        (412, errors.NotProvenError),
        (413, errors.TooLargeError),
        (422, errors.RequestError),
        (429, errors.BusyError),
        (500, errors.UnavailableError),
        (502, errors.UnavailableError),
        (503, errors.UnavailableError),
    ],
)
def test_a_status_says_what_the_caller_can_do(status, kind):
    error = read_refusal(Response(status, PLAIN, b"some sentence\n"), WHERE)

    assert type(error) is kind
    assert ("some sentence" if status >= 400 else f"answered {status}") in str(error)


def test_the_sentence_is_the_servers():
    text = b"unable to process proof from history tree: invalid range\n"

    assert text.decode().strip() == str(read_refusal(Response(412, PLAIN, text), WHERE))


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, PLAIN, b"404 page not found\n"),
        Response(404, PROBLEM, b'{"code":"not-found","detail":"404 page not found"}'),
    ],
)
def test_a_port_without_that_path_is_named_with_the_ports_that_there_are(answer):
    error = read_refusal(answer, WHERE)

    assert type(error) is errors.NotFoundError
    assert error.message == f"{WHERE}: 404 page not found"
    assert "8800" in error.hint
    assert "8700" in error.hint


def test_a_problem_document_gives_class_sentence_and_hint():
    error = problem(503, code="stopping", detail="the server is going down", hint="come back")

    assert type(error) is errors.StoppingError
    assert (error.message, error.hint) == ("the server is going down", "come back")
    assert type(problem(409, code="newer-format", detail="x")) is errors.NewerFormatError
    assert type(problem(400, code="malformed", detail="x")) is errors.MalformedError


@pytest.mark.parametrize(
    "code", ["verification", "fatal", "damaged", "storage", "nothing", "", "error"]
)
def test_a_server_cannot_speak_of_our_disk_or_our_checks(code):
    for status in (400, 422, 500, 503):
        error = problem(status, code=code, detail="x")
        assert isinstance(error, (errors.RequestError, errors.UnavailableError))


def test_code_and_status_that_contradict_each_other_follow_the_status():
    assert type(problem(400, code="busy", detail="x")) is errors.MalformedError
    assert type(problem(503, code="not-proven", detail="x")) is errors.UnavailableError


def test_a_failure_of_the_server_is_told_from_a_refusal():
    assert str(problem(500, detail="cannot write")) == "the server failed: cannot write"
    assert str(problem(503, detail="the queue is full")) == "the queue is full"


def test_an_answer_without_a_sentence_says_where_and_which_status():
    for response in (
        Response(502),
        Response(502, PLAIN, b" \n"),
        Response(502, {"content-type": "text/html"}, b"<html>"),
        Response(502, PROBLEM, b"not JSON"),
        Response(502, PROBLEM, b'{"detail":1,"code":[]}'),
        Response(502, PROBLEM, b'{"detail":"a","detail":"b"}'),
    ):
        assert str(read_refusal(response, WHERE)) == f"{WHERE} answered 502"


def test_a_redirection_is_named_and_not_followed():
    response = Response(307, {"location": "https://elsewhere/"})

    assert "https://elsewhere/" in str(read_refusal(response, WHERE))


def test_a_sentence_cannot_move_the_cursor_of_a_terminal():
    error = problem(400, detail="a\x1b[2Jb\nc\r\x00d" + "x" * 10_000, hint="\x07e")

    assert str(error).startswith("a [2Jb c dx")
    assert len(str(error)) <= 1000
    assert error.hint == "e"


@given(
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(["content-type", "location", "retry-after"]),
        st.sampled_from(["application/problem+json", "text/plain", "x"]) | st.text(),
    ),
    st.binary() | st.text().map(lambda text: json.dumps({"detail": text, "code": text}).encode()),
)
def test_any_answer_becomes_an_error_with_one_line(status, headers, body):
    error = read_refusal(Response(status, headers, body), WHERE)

    assert isinstance(error, (errors.RequestError, errors.UnavailableError))
    assert str(error)
    assert str(error).isprintable()
