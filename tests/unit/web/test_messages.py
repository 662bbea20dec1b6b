from __future__ import annotations

import pytest

from qed.web.messages import Request


def request(accept: str | None) -> Request:
    headers = [(b"host", b"t")] + ([(b"accept", accept.encode())] if accept is not None else [])
    return Request("GET", "/", b"", headers, b"")


@pytest.mark.parametrize(
    ("accept", "named"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", True),
        ("text/html, application/json;q=0.5", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json;q=0", False),
        ("application/json; q=0.000", False),
        ("application/jsonp", False),
        (",;,=;q", False),
        ("a," * 1000 + "application/json", False),
    ],
)
def test_accept_names_a_type_itself_or_does_not(accept: str | None, named: bool) -> None:  # noqa: FBT001
    assert request(accept).accepts("application/json") is named
