"""Bad input to the running server over HTTP: a clear sentence, the right status, nothing lost."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from process import Answer, Qed, Server

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
RANGE = "unable to process proof from history tree: invalid range"


@pytest.fixture(name="server", scope="module")
def one_server_for_all(
    qed_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server stands all of it: whatever a test sends, the next one finds it serving."""
    home = tmp_path_factory.mktemp("home")
    with Server(Qed(qed_command, home), home / "db") as server:
        yield server
        assert server.stop() == 0


@pytest.fixture(name="unchanged", autouse=True)
def nothing_is_added(server: Server) -> Iterator[None]:
    """Compare the log before and after by the version that the next event gets."""
    before = _next_version(server)
    yield
    assert _next_version(server) == before + 1, "something was added, or lost"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _next_version(server: Server) -> int:
    answer = server.call("POST", "/events", {"Event": _b64(b"a good event")})
    assert answer.status == 201, answer
    version: int = answer.document()["Version"]
    return version


def _expect_refusal(answer: Answer, status: int, *words: str) -> None:
    """One line of text that a person understands."""
    text = answer.body.decode()
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert text.count("\n") == 1, text
    assert text.endswith("\n"), text
    assert len(text) > 10, text
    assert "Traceback" not in text
    for word in words:
        assert word.lower() in text.lower(), text


DIGEST_31 = _b64(bytes(31))
DIGEST_64 = _b64(bytes(64))
DIGEST = _b64(bytes(32))

NOT_JSON = [b"", b"{", b"nonsense", b'{"Event": "YQ=="} trailing', b"\xff\xfe", b"[" * 100_000]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
@pytest.mark.parametrize(
    "path",
    [
        "/events",
        "/events/bulk",
        "/proofs/membership",
        "/proofs/digest-membership",
        "/proofs/incremental",
    ],
)
def test_what_is_not_json(server: Server, path: str, body: bytes) -> None:
    _expect_refusal(server.call("POST", path, body), 400)


BAD_ADDS: list[tuple[str, Any]] = [
    ("/events", []),
    ("/events", "text"),
    ("/events", {}),
    ("/events", {"Event": None}),
    ("/events", {"Event": ""}),
    ("/events", {"Event": 5}),
    ("/events", {"Event": "no base64!"}),
    ("/events", {"Event": "YQ"}),
    ("/events", {"Event": "YQ==YQ=="}),
    ("/events/bulk", {"Events": []}),
    ("/events/bulk", {"Events": None}),
    ("/events/bulk", {"Events": "YQ=="}),
    ("/events/bulk", {"Events": ["YQ==", ""]}),
    ("/events/bulk", {"Events": ["YQ==", "no base64!"]}),
    ("/events/bulk", {"Events": ["YQ==", None]}),
    ("/events/bulk", {}),
    ("/events/digests", b""),
    ("/events/digests", bytes(31)),
    ("/events/digests", bytes(33)),
]


@pytest.mark.parametrize(("path", "body"), BAD_ADDS, ids=range(len(BAD_ADDS)))
def test_an_add_that_is_none(server: Server, path: str, body: Any) -> None:
    _expect_refusal(server.call("POST", path, body), 400)


def test_a_server_that_was_sent_an_empty_bulk_lives_on(server: Server) -> None:
    """QED's node dies of it for good; here even a restart finds nothing."""
    _expect_refusal(server.call("POST", "/events/bulk", {"Events": []}), 400)
    server.restart()


BAD_DIGESTS: list[Any] = [
    {"KeyDigest": DIGEST_31},
    {"KeyDigest": DIGEST_64},
    {"KeyDigest": ""},
    {"KeyDigest": None},
    {"KeyDigest": "%%%"},
    {"KeyDigest": 7},
]
BAD_NUMBERS: list[Any] = [-1, 2**64, 10**400, 1.5, "1", True, [], {}]


@pytest.mark.parametrize("question", BAD_DIGESTS, ids=range(len(BAD_DIGESTS)))
def test_a_digest_of_another_length(server: Server, question: Any) -> None:
    _expect_refusal(server.call("POST", "/proofs/digest-membership", question), 400)


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=range(len(BAD_NUMBERS)))
def test_a_version_that_is_none(server: Server, number: Any) -> None:
    for path, body in (
        ("/proofs/digest-membership", {"KeyDigest": DIGEST, "Version": number}),
        ("/proofs/membership", {"Key": "YQ==", "Version": number}),
        ("/proofs/incremental", {"Start": number, "End": 1}),
        ("/proofs/incremental", {"Start": 0, "End": number}),
    ):
        _expect_refusal(server.call("POST", path, body), 400)


@pytest.mark.parametrize("body", ['{"Start": 1e400, "End": 1}', '{"Start": NaN, "End": 1}'])
def test_a_number_that_json_does_not_know(server: Server, body: str) -> None:
    _expect_refusal(server.call("POST", "/proofs/incremental", body.encode()), 400)


@pytest.mark.parametrize(("start", "end"), [(1, 0), (0, 2**64 - 1), (2**63, 2**63), (10**9, 0)])
def test_a_range_that_is_none_is_qeds_412(server: Server, start: int, end: int) -> None:
    answer = server.call("POST", "/proofs/incremental", {"Start": start, "End": end})
    _expect_refusal(answer, 412)
    assert answer.body.decode() == RANGE + "\n"


def test_a_version_beyond_the_log_is_answered(server: Server) -> None:
    question = {"KeyDigest": DIGEST, "Version": 2**64 - 1}
    answer = server.call("POST", "/proofs/digest-membership", question)
    assert answer.status == 200
    assert answer.document()["QueryVersion"] == 2**64 - 1


def test_a_request_above_the_group_limit_adds_nothing(server: Server) -> None:
    events = [_b64(b"%d" % number) for number in range(20_001)]
    _expect_refusal(server.call("POST", "/events/bulk", {"Events": events}), 413, "20000")
    _expect_refusal(server.call("POST", "/events/digests", bytes(32 * 20_001)), 413, "20000")


def test_an_event_larger_than_the_limit(server: Server) -> None:
    event = _b64(bytes(25 * MIB))  # 33.3 MiB of base64
    _expect_refusal(server.call("POST", "/events", {"Event": event}), 413)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_100_mb(server: Server, *, declared: bool) -> None:
    """Declared, it is refused before it is sent; in chunks, once it is above the limit."""
    size = 100 * MIB
    chunk = bytes(MIB)
    with socket.create_connection(("127.0.0.1", server.ports[0]), timeout=60) as raw:
        kind = f"Content-Length: {size}" if declared else "Transfer-Encoding: chunked"
        raw.sendall(f"POST /events HTTP/1.1\r\nHost: a\r\n{kind}\r\n\r\n".encode())
        try:
            for _ in range(size // MIB):
                raw.sendall(chunk if declared else b"100000\r\n" + chunk + b"\r\n")
        except OSError:
            pass  # it need not read all of it
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 413
        assert b"\n" in answer.read()


@pytest.mark.parametrize(("port", "path"), [(0, "/events"), (1, "/backup")])
def test_a_slow_body_is_cut_off(qed: Qed, tmp_path: Path, port: int, path: str) -> None:
    """The deadline is for the whole request: a part of it keeps nothing open."""
    with (
        Server(qed, tmp_path / "db", ["--read-timeout", "1s"]) as server,
        socket.create_connection(("127.0.0.1", server.ports[port]), timeout=60) as raw,
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        raw.sendall(head.encode() + b'{"Event')
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 408
        assert answer.read().endswith(b"\n")
        assert raw.recv(1) == b"", "the connection stays open"
        assert _next_version(server) == 0


@pytest.mark.parametrize(
    ("method", "path", "port", "status"),
    [
        ("GET", "/nowhere", 0, 404),
        ("POST", "/info/nowhere", 0, 404),
        ("POST", "/events/", 0, 404),
        ("GET", "/tile/0/000", 0, 404),
        ("GET", "/tile/00/000", 0, 404),
        ("GET", "/tile/64/000", 0, 404),
        ("GET", "/tile/entries/000.p/256", 0, 404),
        ("GET", "/tile/entries/../../info", 0, 404),
        ("GET", "/tile/0/" + "x000/" * 5000 + "000", 0, 404),
        ("GET", "/checkpoint?after=%2B5", 0, 400),
        ("GET", "/checkpoint?after=0&wait=1h", 0, 400),
        ("GET", "/checkpoint?wait=1s", 0, 400),
        ("GET", f"/checkpoint?after={10**30}", 0, 400),
        ("GET", f"/snapshot?v={2**64 - 1}", 0, 404),
        ("GET", "/snapshot?v=%2B5", 0, 400),
        ("GET", "/snapshot", 0, 400),
        ("DELETE", "/backup?backupID=99", 1, 404),
        ("DELETE", "/backup", 1, 400),
        ("DELETE", "/backup?backupID=", 1, 400),
        ("DELETE", "/backup?backupID=one", 1, 400),
        ("DELETE", "/backup?backupID=-1", 1, 400),
        ("DELETE", "/backup?backupID=1&backupID=2", 1, 400),
        ("DELETE", f"/backup?backupID={10**30}", 1, 400),
    ],
)
def test_a_path_or_an_id_that_is_not_there(
    server: Server, method: str, path: str, port: int, status: int
) -> None:
    _expect_refusal(server.call(method, path, port=port), status)


@pytest.mark.parametrize(
    ("method", "path", "port", "allow"),
    [
        ("GET", "/events", 0, {"POST"}),
        ("POST", "/info", 0, {"GET"}),
        ("POST", "/checkpoint", 0, {"GET"}),
        ("DELETE", "/tile/0/000", 0, {"GET"}),
        ("GET", "/backup", 1, {"POST", "DELETE"}),
        ("POST", "/backups", 1, {"GET"}),
    ],
)
def test_a_method_that_a_path_does_not_take(
    server: Server, method: str, path: str, port: int, allow: set[str]
) -> None:
    answer = server.call(method, path, port=port)
    assert (answer.status, answer.body) == (405, b"")
    assert {word.strip() for word in answer.headers["allow"].split(",")} - {"HEAD"} == allow


def test_a_problem_document_when_the_client_takes_one(server: Server) -> None:
    accept = {"Accept": "application/problem+json"}
    answer = server.call("POST", "/events", b"{", headers=accept)
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert json.loads(answer.body)["status"] == 400


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /events HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /events HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
    ids=range(5),
)
def test_what_is_not_http(server: Server, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.ports[0]), timeout=60) as raw:
        try:
            raw.sendall(head)
            first = raw.recv(4096)
        except ConnectionResetError:
            return
    assert first == b"" or first.split(b" ")[1][:1] == b"4", first


def test_the_database_is_what_it_was(server: Server) -> None:
    """After all that, in whatever order: the log checks clean, and the server starts again."""
    assert server.stop() == 0
    server.qed.ok("check", str(server.db))
    server.start()
