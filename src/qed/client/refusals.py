"""Answers that say no, turned into the tree of errors with the server's own sentence.

A server of ours explains itself in a problem document (RFC 9457) that carries the stable code of
the error; QED's, or a proxy on the way, in one line of text, where only the status tells the
branch. `FatalError` and `VerificationError` are never read from an answer: they speak of the disk
and of the checks of who raises them.
"""

from __future__ import annotations

from collections.abc import Iterator

from qed import errors
from qed.client.calls import Response
from qed.wire.fields import read_object
from qed.wire.json_text import parse_answer

_MAX_REFUSAL_BYTES = 64 * 1024
_MAX_SENTENCE_CHARS = 1000
_NO_ROUTE = "404 page not found"  # Go's words, and so ours: this port has no such path
_PORTS_HINT = (
    "is this the right port? Events and proofs are the data port's (8800), backups the"
    " management port's (8700), unless the server was started with others"
)

_BY_STATUS: dict[int, type[errors.QedError]] = {
    400: errors.MalformedError,
    404: errors.NotFoundError,
    408: errors.UnavailableError,
    409: errors.ConflictError,
    412: errors.NotProvenError,
    413: errors.TooLargeError,
    429: errors.BusyError,
}


def read_refusal(response: Response, where: str) -> errors.QedError:
    """Return the error that an answer other than the expected one stands for.

    Args:
        response: any answer that is not the one hoped for, an unexpected 2xx included.
        where: what was asked of which URL, for the sentence when the server gives none of use.

    Returns:
        A `RequestError` for 1xx to 4xx, an `UnavailableError` for 408, 429 and 5xx, each as its
        class of the tree when status or code say so.
    """
    branch = errors.UnavailableError if response.status >= 500 else errors.RequestError  # noqa: PLR2004 (5xx)
    kind = _BY_STATUS.get(response.status, branch)
    document = _read_problem(response)
    sentence = one_line(document.get("detail") or "") or _read_line(response)
    if not sentence:
        sentence = f"{where} answered {response.status}{_redirection(response)}"
    elif sentence == _NO_ROUTE:
        return errors.NotFoundError(f"{where}: {sentence}", hint=_PORTS_HINT)
    elif response.status >= 500 and response.status != 503:  # noqa: PLR2004 (503: nothing was done)
        sentence = f"the server failed: {sentence}"
    known = _CODES.get(document.get("code") or "")
    if known is not None and issubclass(known, branch):
        kind = known
    return kind(sentence, hint=one_line(document.get("hint") or ""))


def _read_problem(response: Response) -> dict[str, str]:
    """Return the texts of a problem document, nothing when the answer is none."""
    if response.media_type != "application/problem+json":
        return {}
    try:
        fields = read_object(parse_answer(response.body, max_bytes=_MAX_REFUSAL_BYTES), "problem")
    except errors.MalformedError:
        return {}  # the status still says what to do
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _read_line(response: Response) -> str:
    """Return the line of a refusal in plain text; pages of HTML say nothing to a person."""
    if response.status < 400 or response.media_type not in {"", "text/plain"}:  # noqa: PLR2004 (no refusal)
        return ""
    return one_line(response.body[: 4 * _MAX_SENTENCE_CHARS].decode("utf-8", "replace"))


def one_line(text: str) -> str:
    """Return a text of the server in one line, without what could move a terminal's cursor."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:_MAX_SENTENCE_CHARS]


def _redirection(response: Response) -> str:
    target = response.headers.get("location", "")
    return f" and points to {one_line(target)}; redirections are not followed" if target else ""


def _tree(kind: type[errors.QedError]) -> Iterator[type[errors.QedError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


_CODES = {
    kind.code: kind
    for branch in (errors.RequestError, errors.UnavailableError)
    for kind in _tree(branch)
}
