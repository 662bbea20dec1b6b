from __future__ import annotations

import pytest

from qed.web.hot import BODY_BYTES, Asker, HotRoute, HotTable
from qed.web.limits import WebLimits

LENGTH = b"Content-Length: 3\r\n"


def first(_body: bytes, _asker: Asker) -> bool:
    return True


def second(_body: bytes, _asker: Asker) -> bool:
    return True


def table(limits: WebLimits | None = None) -> HotTable:
    routes = [HotRoute("/one", first), HotRoute("/two", second, negotiates=True)]
    return HotTable(routes, limits or WebLimits())


def head(more: bytes = LENGTH, line: bytes = b"POST /one HTTP/1.1") -> bytes:
    return line + b"\r\nHost: t\r\n" + more + b"\r\n"


def test_a_hot_head_is_found_with_its_route_and_its_length() -> None:
    found = table().find(head() + b"abc", 0)
    assert found is not None
    assert (found[0].handler, found[0].length, found[0].path) == (first, 3, "/one")
    assert found[1] == len(head())


def test_a_head_is_found_behind_a_body() -> None:
    data = head() + b"abc" + head(line=b"POST /two HTTP/1.1") + b"abc"
    found = table().find(data, len(head()) + 3)
    assert found is not None
    assert (found[0].handler, found[1]) == (second, len(data) - 3)


def test_a_head_is_judged_once_and_then_known() -> None:
    both = table()
    known = both.find(head(), 0)
    assert known is not None
    again = both.find(head(), 0)
    assert again is not None
    assert again[0] is known[0]


def test_of_a_known_head_only_what_an_answer_depends_on_is_kept() -> None:
    many = b"".join(b"X%d: y\r\n" % number for number in range(200))
    found = table().find(head(many + b"Accept: text/plain\r\n" + LENGTH), 0)
    assert found is not None
    assert found[0].headers == [(b"accept", b"text/plain")]


def test_the_oldest_of_many_heads_is_forgotten() -> None:
    few = table()
    known = few.find(head(), 0)
    for number in range(2_048):
        assert few.find(head(LENGTH + b"X: %d\r\n" % number), 0) is not None
    assert len(few._known) == 2_048
    assert few.find(head(), 0)[0] is not known[0]


ORDINARY = {
    "no other header": LENGTH,
    "a length in small letters": b"content-length: 3\r\n",
    "keep-alive": b"Connection: keep-alive\r\n" + LENGTH,
    "accept anything": b"Accept: */*\r\n" + LENGTH,
    "accept json": b"Accept: application/json\r\n" + LENGTH,
    "what clients send": b"User-Agent: x\r\nAccept-Encoding: gzip\r\nApi-Key: k\r\n" + LENGTH,
}
UNUSUAL = {
    "no length": b"X: y\r\n",
    "no body": b"Content-Length: 0\r\n",
    "an endless body": b"Content-Length: 99999999\r\n",
    "a body above the bound": b"Content-Length: %d\r\n" % (BODY_BYTES + 1),
    "two lengths": LENGTH + LENGTH,
    "a signed length": b"Content-Length: +3\r\n",
    "chunked": b"Transfer-Encoding: chunked\r\n",
    "chunked and a length": b"Transfer-Encoding: chunked\r\n" + LENGTH,
    "expect": b"Expect: 100-continue\r\n" + LENGTH,
    "a compressed body": b"Content-Encoding: gzip\r\n" + LENGTH,
    "the last request": b"Connection: close\r\n" + LENGTH,
    "the last, as to a proxy": b"Proxy-Connection: close\r\n" + LENGTH,
    "an upgrade": b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH,
    "an upgrade beside": b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n" + LENGTH,
    "a space before the colon": b"Content-Length : 3\r\n",
    "a folded header": b"X: a\r\n b\r\n" + LENGTH,
    "a bare line feed": b"X: a\nContent-Length: 3\r\n",
    "a zero byte": b"X: a\0b\r\n" + LENGTH,
    "a large head": b"X: %b\r\n" % (b"a" * 4_000) + LENGTH,
}
LINES = [
    b"GET /one HTTP/1.1",
    b"POST /one HTTP/1.0",
    b"POST /one?a=b HTTP/1.1",
    b"POST /one/ HTTP/1.1",
    b"POST http://t/one HTTP/1.1",
    b"POST /%6fne HTTP/1.1",
    b"post /one HTTP/1.1",
    b"POST  /one HTTP/1.1",
    b" POST /one HTTP/1.1",
    b"\r\nPOST /one HTTP/1.1",
]


@pytest.mark.parametrize("headers", ORDINARY.values(), ids=ORDINARY)
def test_headers_that_change_nothing_are_hot(headers: bytes) -> None:
    assert table().find(head(headers) + b"abc", 0) is not None


@pytest.mark.parametrize("headers", UNUSUAL.values(), ids=UNUSUAL)
def test_a_header_that_may_change_something_is_not_hot(headers: bytes) -> None:
    assert table().find(head(headers) + b"abc", 0) is None


@pytest.mark.parametrize("line", LINES)
def test_only_the_exact_request_line_is_hot(line: bytes) -> None:
    assert table().find(head(line=line) + b"abc", 0) is None


def test_half_a_head_is_not_hot() -> None:
    for stop in range(len(head())):
        assert table().find(head()[:stop], 0) is None


@pytest.mark.parametrize("accept", [b"application/json", b"application/problem+json;q=0.5"])
def test_a_route_that_negotiates_is_hot_only_without_an_accepted_type(accept: bytes) -> None:
    asking = b"Accept: %b\r\n" % accept + LENGTH
    assert table().find(head(asking, line=b"POST /two HTTP/1.1"), 0) is None
    plain = b"Accept: application/octet-stream\r\n" + LENGTH
    assert table().find(head(plain, line=b"POST /two HTTP/1.1"), 0) is not None


def test_the_bounds_of_a_server_hold_here_too() -> None:
    assert table(WebLimits(head_bytes=40)).find(head(), 0) is None
    assert table(WebLimits(body_bytes=2)).find(head(), 0) is None
    assert table(WebLimits(body_bytes=3)).find(head(), 0) is not None
