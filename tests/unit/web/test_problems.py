from __future__ import annotations

import json

from qed.errors import BusyError, MalformedError, NotFoundError, NotProvenError
from qed.web.problems import answer_error, problem_line

ACCEPT_PROBLEM = [(b"accept", b"application/problem+json")]


def test_an_error_is_one_line_of_text() -> None:
    answer = answer_error(MalformedError("the body\nis not\tJSON", hint="send JSON"), [])
    assert answer.status == 400
    assert answer.body == b"the body is not JSON: send JSON\n"
    assert answer.content_type == b"text/plain; charset=utf-8"
    assert answer.headers == ((b"x-content-type-options", b"nosniff"),)


def test_a_412_is_qeds_text_and_no_more() -> None:
    assert problem_line(NotProvenError("invalid range", hint="ask for less")) == b"invalid range\n"


def test_a_client_that_accepts_it_gets_a_problem_document() -> None:
    answer = answer_error(NotFoundError("no backup 7", hint="there are 1 and 2"), ACCEPT_PROBLEM)
    assert answer.content_type == b"application/problem+json"
    assert json.loads(answer.body) == {
        "type": "urn:qed:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "no backup 7",
        "code": "not-found",
        "hint": "there are 1 and 2",
    }


def test_unavailable_says_when_to_come_back() -> None:
    for headers in ([], ACCEPT_PROBLEM):
        answer = answer_error(BusyError("the queue is full"), headers)
        assert answer.status == 503
        assert (b"retry-after", b"1") in answer.headers


def test_text_that_is_not_unicode_does_not_break_the_answer() -> None:
    error = NotFoundError("no host \udcff")
    assert problem_line(error) == b"no host ?\n"
    assert b"no host ?" in answer_error(error, ACCEPT_PROBLEM).body
