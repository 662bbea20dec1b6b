"""The body of an error: one line of text, or an RFC 9457 problem document when it is accepted.

The text is what QED sends: `text/plain; charset=utf-8`, one line ending in a newline, with
`X-Content-Type-Options: nosniff`. Source: SPEC 5.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from qed.errors import NotProvenError, QedError
from qed.web.messages import TEXT, Answer, Header, accepts
from qed.web.statuses import retry_after_s, status_of

PROBLEM = b"application/problem+json"
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


def answer_error(error: QedError, request_headers: Sequence[Header]) -> Answer:
    """Return the answer for an error, in the form that the request accepts."""
    status = status_of(error)
    headers: tuple[Header, ...] = ()
    seconds = retry_after_s(error)
    if seconds is not None:
        headers = ((b"retry-after", b"%d" % seconds),)
    if accepts(request_headers, "application/problem+json", "application/json"):
        return Answer(status, problem_document(error, status), PROBLEM, headers)
    return Answer(status, problem_line(error), TEXT, (*headers, _NO_SNIFF))


def problem_line(error: QedError) -> bytes:
    """Return one line of text: what is wrong and, unless QED has fixed the text, what to do."""
    text = error.message
    if error.hint and not isinstance(error, NotProvenError):  # QED's 412 texts are exact
        text = f"{text}: {error.hint}"
    return " ".join(text.split()).encode("utf-8", "replace") + b"\n"


def problem_document(error: QedError, status: int) -> bytes:
    """Return RFC 9457's fields, then ours: the stable `code` and the `hint`."""
    fields = {
        "type": f"urn:qed:problem:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
