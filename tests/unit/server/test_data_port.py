from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import json
import struct
from pathlib import Path

import pytest

from qed.engine.log import Limits, Log
from qed.errors import BusyError, DamagedError, StoppingError
from qed.web.limits import WebLimits
from serving import DEADLINE_S, Reply, Wire, ask, eventually
from unit.server.conftest import RefusingLog, ServingLog, SlowDisk

VECTORS = Path(__file__).parents[2] / "vectors"
EDGES = json.loads((VECTORS / "edges.json").read_text())["cases"]
WALK = json.loads((VECTORS / "walkthrough.json").read_text())
HUGE = 2**64


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def post(port: int, path: str, document: object, headers: dict[str, str] | None = None) -> Reply:
    return ask(port, "POST", path, json.dumps(document).encode(), headers)


def add(port: int, event: str) -> Reply:
    return post(port, "/events", {"Event": b64(event.encode())})


def in_hex(snapshot: dict[str, object]) -> dict[str, object]:
    return {
        name: value if name == "Version" else base64.b64decode(value).hex()
        for name, value in snapshot.items()
    }


@pytest.fixture
def port(log: Log, serving_log_both_ways: ServingLog) -> int:
    with serving_log_both_ways(log) as server:
        yield server.port


# --- what QED answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", EDGES, ids=lambda case: case["case"])
def test_the_edge_cases_are_answered_as_qed_answers_them(case: dict, port: int) -> None:
    for event in case["log"]:
        assert add(port, event).status == 201
    if "bulk" in case:
        events = [b64(event.encode()) for event in case["bulk"]]
        reply = post(port, "/events/bulk", {"Events": events})
        assert reply.status == 201
        assert [in_hex(snapshot) for snapshot in json.loads(reply.body)] == case["snapshots"]
    if "incremental" in case:
        reply = post(port, "/proofs/incremental", case["incremental"])
    else:
        reply = post(port, "/proofs/digest-membership", case["ask"])
    assert reply.status == case["status"]
    if "text" in case:
        assert reply.body.decode() == case["text"]
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert reply.headers["x-content-type-options"] == "nosniff"
    else:
        answer = json.loads(reply.body)
        answer.pop("HyperLeaf", None)  # ours, for what is absent
        assert answer == case["answer"]
        assert reply.headers["content-type"] == "application/json"


def test_the_walk_through_gives_the_manuals_digests(port: int) -> None:
    for number, snapshot in enumerate(WALK["snapshots"]):
        reply = add(port, f"event {number}")
        assert reply.status == 201
        assert in_hex(json.loads(reply.body)) == snapshot


@pytest.mark.parametrize("alone", WALK["alone"], ids=lambda alone: alone["event"][:12])
def test_an_event_in_a_log_of_its_own(alone: dict, port: int) -> None:
    assert in_hex(json.loads(add(port, alone["event"]).body)) == alone["snapshot"]


def test_fields_stand_in_qeds_order_without_spaces(port: int) -> None:
    text = add(port, "event 0").body.decode()
    assert list(json.loads(text)) == ["EventDigest", "HistoryDigest", "HyperDigest", "Version"]
    assert " " not in text


def test_field_names_match_in_any_letter_case_and_unknown_ones_are_ignored(port: int) -> None:
    reply = post(port, "/events", {"eVeNt": b64(b"event 0"), "Colour": "red"})
    assert reply.status == 201
    assert json.loads(reply.body)["EventDigest"] == b64(digest("event 0"))
    query = {"keydigest": b64(digest("event 0")), "VERSION": 0}
    assert json.loads(post(port, "/proofs/digest-membership", query).body)["Exists"] is True


def test_an_api_key_is_ignored(port: int) -> None:
    for key in ("", "my-key"):
        event = {"Event": b64(key.encode() + b"x")}
        assert post(port, "/events", event, {"Api-Key": key}).status == 201


def test_a_membership_query_by_event_gives_the_event_back(port: int) -> None:
    add(port, "event 0")
    reply = post(port, "/proofs/membership", {"Key": b64(b"event 0"), "Version": None})
    answer = json.loads(reply.body)
    assert (answer["Exists"], answer["Key"]) == (True, b64(b"event 0"))
    by_digest = {"KeyDigest": b64(digest("event 0")), "Version": None}
    other = json.loads(post(port, "/proofs/digest-membership", by_digest).body)
    assert answer | {"Key": None} == other


def test_an_incremental_proof_has_its_path(port: int) -> None:
    for number in range(4):
        add(port, f"event {number}")
    reply = post(port, "/proofs/incremental", {"Start": 1, "End": 3})
    answer = json.loads(reply.body)
    assert (reply.status, answer["Start"], answer["End"]) == (200, 1, 3)
    assert answer["AuditPath"]


# --- digests ------------------------------------------------------------------------------------


def test_digests_are_added_raw_and_answered_raw(port: int) -> None:
    add(port, "event 0")
    body = digest("event 1") + digest("event 2")
    reply = ask(port, "POST", "/events/digests", body)
    assert (reply.status, reply.headers["content-type"]) == (201, "application/octet-stream")
    first, count, hyper = struct.unpack_from(">QQ32s", reply.body)
    assert (first, count, len(reply.body)) == (1, 2, 48 + 64)
    asked = {"KeyDigest": b64(digest("event 2")), "Version": None}
    assert json.loads(post(port, "/proofs/digest-membership", asked).body)["Exists"] is True
    assert len(hyper) == 32


def test_digests_are_answered_as_json_when_that_is_asked_for(port: int) -> None:
    headers = {"Accept": "application/json"}
    reply = ask(port, "POST", "/events/digests", digest("event 0"), headers)
    assert reply.headers["content-type"] == "application/json"
    assert [in_hex(snapshot) for snapshot in json.loads(reply.body)] == WALK["snapshots"][:1]


# --- bad input: a clear sentence, the right status, nothing lost --------------------------------

BAD = {
    "no body": ("/events", b"", 400),
    "unparsable JSON": ("/events", b"{", 400),
    "no object": ("/events", b"[]", 400),
    "not unicode": ("/events", b'{"Event": "\xff"}', 400),
    "deeply nested": ("/events", b"[" * 100_000, 400),
    "deeply nested beside": ("/events", b'{"Event":"eA==","x":' + b"[" * 50_000, 400),
    "wrong base64": ("/events", b'{"Event": "not base64!"}', 400),
    "no event": ("/events", b'{"Other": "eA=="}', 400),
    "a number as event": ("/events", b'{"Event": 7}', 400),
    "empty event": ("/events", b'{"Event": ""}', 400),
    "empty bulk": ("/events/bulk", b'{"Events": []}', 400),
    "null bulk": ("/events/bulk", b'{"Events": null}', 400),
    "an empty event in a bulk": ("/events/bulk", b'{"Events": ["eA==", ""]}', 400),
    "no digests": ("/events/digests", b"", 400),
    "31 bytes of digests": ("/events/digests", bytes(31), 400),
    "33 bytes of digests": ("/events/digests", bytes(33), 400),
    "a digest of 31 bytes": (
        "/proofs/digest-membership", json.dumps({"KeyDigest": b64(bytes(31))}).encode(), 400,
    ),
    "a digest of 64 bytes": (
        "/proofs/digest-membership", json.dumps({"KeyDigest": b64(bytes(64))}).encode(), 400,
    ),
    "no digest": ("/proofs/digest-membership", b'{"Version": 1}', 400),
    "an empty key": ("/proofs/membership", b'{"Key": "", "Version": null}', 400),
    "start after end": ("/proofs/incremental", b'{"Start": 1, "End": 0}', 412),
    "beyond the log": ("/proofs/incremental", b'{"Start": 0, "End": 18446744073709551615}', 412),
    "a negative start": ("/proofs/incremental", b'{"Start": -1, "End": 0}', 400),
    "no end": ("/proofs/incremental", b'{"Start": 0}', 400),
    "2^64": ("/proofs/incremental", b'{"Start": 0, "End": %d}' % HUGE, 400),
    "1e400": ("/proofs/incremental", b'{"Start": 0, "End": 1e400}', 400),
    "a fraction": ("/proofs/incremental", b'{"Start": 0, "End": 1.5}', 400),
    "five thousand digits": ("/proofs/incremental", b'{"Start":0,"End":' + b"9" * 5000 + b"}", 400),
    "a version as text": (
        "/proofs/digest-membership",
        json.dumps({"KeyDigest": b64(bytes(32)), "Version": "1"}).encode(),
        400,
    ),
    "a negative version": (
        "/proofs/digest-membership",
        json.dumps({"KeyDigest": b64(bytes(32)), "Version": -1}).encode(),
        400,
    ),
    "NaN": ("/proofs/incremental", b'{"Start": NaN, "End": 0}', 400),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_sentence_and_harms_nothing(
    path: str, body: bytes, status: int, log: Log, port: int
) -> None:
    assert add(port, "event 0").status == 201
    with Wire(port) as wire:
        reply = wire.ask("POST", path, body)
        assert reply.status == status
        text = reply.body.decode()
        assert text.endswith("\n")
        assert text.count("\n") == 1
        assert 10 < len(text) < 300
        problem = wire.ask("POST", path, body, {"Accept": "application/problem+json"})
        assert (problem.status, json.loads(problem.body)["status"]) == (status, status)
    assert log.head.size == 1
    assert json.loads(add(port, "event 1").body)["Version"] == 1


def test_a_body_of_a_hundred_megabytes_is_413(log: Log, port: int) -> None:
    with Wire(port) as wire:
        wire.send(b"POST /events HTTP/1.1\r\nHost: t\r\nContent-Length: 104857600\r\n\r\n")
        for _ in range(100):
            wire.send(bytes(1 << 20))
        reply = wire.read()
        assert reply.status == 413
        assert b"33554432 bytes" in reply.body
    assert log.head.size == 0


def test_a_slow_body_is_408(log: Log, serving_log_both_ways: ServingLog) -> None:
    with serving_log_both_ways(log, WebLimits(read_s=0.05)) as server, Wire(server.port) as wire:
        wire.send(b"POST /events HTTP/1.1\r\nHost: t\r\nContent-Length: 20\r\n\r\n{")
        assert wire.read().status == 408
    assert log.head.size == 0


@pytest.mark.parametrize("how", ["bulk", "digests"])
def test_more_events_than_a_request_may_have_are_413_and_none_is_added(
    how: str, log: Log, serving_log_both_ways: ServingLog
) -> None:
    with serving_log_both_ways(log, WebLimits(request_events=3)) as server:
        for events, status in ((4, 413), (3, 201)):
            if how == "bulk":
                document = {"Events": [b64(b"%d" % number) for number in range(events)]}
                reply = post(server.port, "/events/bulk", document)
            else:
                reply = ask(server.port, "POST", "/events/digests", bytes(32) * events)
            assert reply.status == status
            if status == 413:
                assert b"4 events in one request; at most 3" in reply.body
                assert log.head.size == 0
    assert log.head.size == 3


def test_the_largest_event_is_taken(port: int) -> None:
    event = bytes(23 * 1024 * 1024)  # 32 MiB hold 24 MiB in base64
    reply = post(port, "/events", {"Event": b64(event)})
    assert reply.status == 201
    assert json.loads(reply.body)["EventDigest"] == b64(hashlib.sha256(event).digest())


def test_a_large_bulk_is_answered_in_order(port: int) -> None:
    events = [f"event {number:064}" for number in range(2_000)]
    reply = post(port, "/events/bulk", {"Events": [b64(event.encode()) for event in events]})
    answered = json.loads(reply.body)
    assert [entry["EventDigest"] for entry in answered] == [b64(digest(event)) for event in events]
    assert [entry["Version"] for entry in answered] == list(range(2_000))


# --- methods, paths, topology -------------------------------------------------------------------

ALLOWED = {
    "/events": "POST",
    "/events/bulk": "POST",
    "/events/digests": "POST",
    "/proofs/membership": "POST",
    "/proofs/digest-membership": "POST",
    "/proofs/incremental": "POST",
    "/healthcheck": "HEAD",
    "/info": "GET",
    "/info/shards": "GET",
}


@pytest.mark.parametrize(("path", "allowed"), ALLOWED.items())
def test_a_wrong_method_is_405(path: str, allowed: str, port: int) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} - {allowed}:
        reply = ask(port, method, path, b"x" if method in {"PUT", "POST"} else b"")
        assert (reply.status, reply.headers["allow"], reply.body) == (405, allowed, b"")


def test_every_route_is_known_to_the_test_above(
    port: int, log: Log, serving_log_both_ways: ServingLog
) -> None:
    del port
    with serving_log_both_ways(log) as server:
        assert {route.path for route in server.data_port.routes()} == set(ALLOWED)


def test_an_unknown_path_is_404(port: int) -> None:
    for path in ("/", "/event", "/events/", "/info/shards/x", "/EVENTS"):
        assert ask(port, "GET", path).status == 404


def test_info_and_topology(port: int) -> None:
    assert json.loads(ask(port, "GET", "/info").body) == {"node_id": "node"}
    assert json.loads(ask(port, "GET", "/info/shards").body) == {
        "nodeId": "node",
        "leaderId": "node",
        "uriScheme": "http",
        "shards": {"node": {"nodeId": "node", "httpAddr": "127.0.0.1:8800"}},
    }


def test_health_is_204_until_the_server_stops_or_the_log_fails(
    log: Log, serving_log_both_ways: ServingLog
) -> None:
    with serving_log_both_ways(log) as server:
        assert ask(server.port, "HEAD", "/healthcheck").status == 204
        server.data_port.stopping = True
        reply = ask(server.port, "HEAD", "/healthcheck")
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    failed = RefusingLog(StoppingError("x"), failure=DamagedError("row default/head"))
    with serving_log_both_ways(failed) as server:
        assert ask(server.port, "HEAD", "/healthcheck").status == 503


# --- when the log says no -----------------------------------------------------------------------


def test_a_log_that_is_busy_or_stopping_is_503_with_retry_after(
    serving_log_both_ways: ServingLog,
) -> None:
    for error in (BusyError("the queue is full"), StoppingError("the log is closing")):
        with serving_log_both_ways(RefusingLog(error)) as server:
            reply = add(server.port, "event")
            assert (reply.status, reply.body) == (503, error.message.encode() + b"\n")
            assert int(reply.headers["retry-after"]) >= 1


def test_a_full_queue_is_503_and_what_it_holds_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving_log_both_ways: ServingLog
) -> None:
    with (
        Log.create(tmp_path / "db", limits=Limits(queue_requests=1)) as log,
        serving_log_both_ways(log) as server,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        disk = SlowDisk(monkeypatch)
        first = pool.submit(add, server.port, "event 0")
        disk.wait_for_a_commit()  # and the writer is away from the queue
        second = pool.submit(add, server.port, "event 1")
        eventually(lambda: len(log._committer._queue) == 1, "a queue with one request")
        refused = add(server.port, "event 2")
        disk.release.set()
        assert [first.result(DEADLINE_S).status, second.result(DEADLINE_S).status] == [201, 201]
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert log.head.size == 2


def test_a_failed_commit_is_answered_and_said(
    log: Log, monkeypatch: pytest.MonkeyPatch, serving_log_both_ways: ServingLog
) -> None:
    with serving_log_both_ways(log) as server:
        disk = SlowDisk(monkeypatch)
        disk.failure = DamagedError("row log/0 is damaged")
        disk.release.set()
        reply = add(server.port, "event 0")
        assert (reply.status, b"row log/0 is damaged" in reply.body) == (500, True)
        assert ask(server.port, "HEAD", "/healthcheck").status == 503


def test_a_client_that_leaves_before_its_answer_has_added_all_the_same(
    log: Log, monkeypatch: pytest.MonkeyPatch, serving_log_both_ways: ServingLog
) -> None:
    with serving_log_both_ways(log) as server:
        disk = SlowDisk(monkeypatch)
        body = json.dumps({"Event": b64(b"event 0")}).encode()
        with Wire(server.port) as wire:
            wire.send(b"POST /events HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % len(body))
            wire.send(body)
            disk.wait_for_a_commit()
        disk.release.set()
        eventually(lambda: log.head.size == 1, "the commit")
        assert json.loads(add(server.port, "event 1").body)["Version"] == 1
