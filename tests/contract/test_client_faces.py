"""The blocking and the asyncio client: one body for both, against answers to the byte."""

import hashlib
import json
import time

import pytest

from faces import FACES, public_methods
from qed import errors, wire
from qed.client.async_client import AsyncClient
from qed.client.config import ClientConfig
from qed.client.sync_client import Client
from qed.trees.values import Snapshot
from qed.version import VERSION
from scripted_server import answer, drip, hang, scripted

EVENT = b"event 0"
SNAPSHOT = Snapshot(0, hashlib.sha256(EVENT).digest(), b"\x01" * 32, b"\x02" * 32)
CREATED = answer(201, wire.encode_snapshot(SNAPSHOT), connection="close")


@pytest.fixture(params=FACES)
def face(request):
    """Return how to open this face on a server, looking nowhere first unless asked to."""

    def opened(server, **fields):
        plain = {"enable_topology_discovery": False, "enable_health_checks": False}
        endpoints = {"endpoints": [server.endpoint], "management_endpoint": server.endpoint}
        return FACES[request.param](ClientConfig(**plain | endpoints | fields))

    return opened


def test_both_have_the_same_methods_in_the_same_order():
    assert list(public_methods(Client).items()) == list(public_methods(AsyncClient).items())


def test_an_event_is_added(face):
    with scripted(CREATED) as server, face(server) as client:
        assert client.call("add", EVENT) == SNAPSHOT
    head, body = server.heard[0]

    assert body == wire.encode_add(EVENT)
    assert head.startswith("POST /events HTTP/1.1\r\n")
    lines = head.lower().split("\r\n")
    assert "content-type: application/json" in lines
    assert "accept-encoding: identity" in lines
    assert f"user-agent: qed/{VERSION}" in lines
    assert not any(line.startswith("api-key:") for line in lines)


def test_a_call_looks_for_the_leader_first(face):
    with scripted(CREATED) as leader:
        shard = wire.Shard("b", leader.endpoint.removeprefix("http://"))
        shards = wire.encode_shards(wire.Shards("a", "b", "http", {"b": shard}))
        with (
            scripted(answer(200, shards, connection="close")) as asked,
            face(asked, enable_topology_discovery=True) as client,
        ):
            assert client.call("add", EVENT) == SNAPSHOT

    assert asked.heard[0][0].startswith("GET /info/shards ")
    assert leader.heard[0][0].startswith("POST /events ")


def test_every_method_reads_its_answer(face):
    digest = SNAPSHOT.event_digest
    added = wire.encode_added(0, SNAPSHOT.hyper_digest, SNAPSHOT.history_digest)
    entry = wire.BackupEntry(1, 2, 3, 4, "5")
    shards = wire.Shards("a", "a", "http", {"a": wire.Shard("a", "h:1")})
    membership = json.dumps(
        {
            "Exists": False,
            "Hyper": {},
            "History": None,
            "CurrentVersion": 2**64 - 1,
            "QueryVersion": 7,
            "ActualVersion": 7,
            "KeyDigest": wire.encode_digest_query(digest, None).decode().split('"')[3],
            "Key": None,
        }
    ).encode()
    bodies = [
        answer(201, wire.encode_snapshots([SNAPSHOT]), connection="close"),
        answer(201, added, connection="close"),
        answer(200, membership, connection="close"),
        answer(200, b'{"Start":1,"End":2,"AuditPath":{}}', connection="close"),
        answer(200, b'{"node_id":"a"}', connection="close"),
        answer(200, wire.encode_shards(shards), connection="close"),
        answer(200, connection="close"),
        answer(200, wire.encode_backups([entry]), connection="close"),
        b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    ]
    with scripted(*bodies) as server, face(server, api_key="my-key") as client:
        assert client.call("add_bulk", [EVENT]) == [SNAPSHOT]
        assert client.call("add_digests", [digest]) == [SNAPSHOT]
        assert client.call("membership", digest=digest, version=7).query_version == 7
        assert client.call("incremental", 1, 2).end == 2
        assert client.call("info") == {"node_id": "a"}
        assert client.call("shards") == shards
        assert client.call("create_backup") is None
        assert client.call("backups") == [entry]
        assert client.call("delete_backup", 3) is None

    assert [head.split(" HTTP")[0] for head, _ in server.heard] == [
        "POST /events/bulk",
        "POST /events/digests",
        "POST /proofs/digest-membership",
        "POST /proofs/incremental",
        "GET /info",
        "GET /info/shards",
        "POST /backup",
        "GET /backups",
        "DELETE /backup?backupID=3",
    ]
    assert all("api-key: my-key" in head.lower().split("\r\n") for head, _ in server.heard)


def test_connections_are_used_again(face):
    def twice(connection, _):
        connection.sendall(answer(200, b'{"node_id":"a"}'))
        connection.recv(65536)
        connection.sendall(answer(200, b'{"node_id":"b"}'))

    with scripted(twice) as server, face(server) as client:
        assert client.call("info") == {"node_id": "a"}
        assert client.call("info") == {"node_id": "b"}


def test_a_refusal_becomes_an_error_of_the_tree(face):
    sentence = b"actual version 5 is greater than the query version which is 2\n"
    refusal = answer(412, sentence, content_type="text/plain; charset=utf-8", connection="close")
    with (
        scripted(refusal) as server,
        face(server) as client,
        pytest.raises(errors.NotProvenError) as caught,
    ):
        client.call("membership", event=EVENT, version=2)

    assert sentence.decode().strip() == str(caught.value)


def test_nobody_there_is_unreachable(face):
    with scripted() as server:
        pass
    with face(server) as client, pytest.raises(errors.UnreachableError, match="cannot connect"):
        client.call("info")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 201",
        b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
        b"220 this is no web server\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"HTTP/1.1 201 Created\r\n" + b"a: b\r\n" * 100_000,
        b"HTTP/1.1 999999 x\r\n\r\n",
    ],
    ids=["nothing", "line", "body", "chunk", "other protocol", "tls", "headers", "status"],
)
def test_half_an_answer_is_none_and_the_addition_is_not_repeated(face, said):
    """The event may be in the log; a second request would add it a second time."""
    with (
        scripted(said, CREATED) as server,
        face(server, max_retries=3) as client,
        pytest.raises(errors.UnreachableError, match="was not answered"),
    ):
        client.call("add", EVENT)
    assert len(server.heard) == 1


def test_an_addition_is_repeated_after_a_503(face):
    busy = answer(503, b"full\n", content_type="text/plain", retry_after="0", connection="close")
    with scripted(busy, CREATED) as server, face(server, max_retries=1) as client:
        assert client.call("add", EVENT) == SNAPSHOT
    assert len(server.heard) == 2


def test_a_query_is_repeated_after_half_an_answer(face):
    good = answer(200, b'{"node_id":"a"}', connection="close")
    with scripted(b"HTTP", good) as server, face(server, max_retries=1) as client:
        assert client.call("info") == {"node_id": "a"}
    assert len(server.heard) == 2


def test_a_server_that_says_nothing_is_left_in_time(face):
    began_s = time.monotonic()
    with (
        scripted(hang) as server,
        face(server, timeout_s=0.2) as client,
        pytest.raises(errors.UnreachableError, match="was not answered"),
    ):
        client.call("add", EVENT)
    assert time.monotonic() - began_s < 10


def test_a_server_that_drips_is_left_in_time(face):
    began_s = time.monotonic()
    with (
        scripted(drip(b"x", 0.01)) as server,
        face(server, timeout_s=0.3) as client,
        pytest.raises(errors.UnreachableError, match=r"was not whole after 0\.3 s"),
    ):
        client.call("add", EVENT)
    assert time.monotonic() - began_s < 10


def test_an_answer_above_its_bound_is_left_unread(face):
    with (
        scripted(drip(b"x" * 65536, 0)) as server,
        face(server) as client,
        pytest.raises(errors.VerificationError, match="was answered with more than"),
    ):
        client.call("add", EVENT)


def test_a_compressed_answer_is_not_unpacked(face):
    """Nothing was asked to be compressed; a small body could become a very large one."""
    packed = answer(201, wire.encode_snapshot(SNAPSHOT), content_encoding="gzip")
    with scripted(packed) as server, face(server) as client:
        assert client.call("add", EVENT) == SNAPSHOT


def test_a_redirection_is_not_followed(face):
    with scripted(CREATED) as other:
        moved = answer(307, location=other.endpoint + "/events", connection="close")
        with (
            scripted(moved) as server,
            face(server) as client,
            pytest.raises(errors.RequestError, match="redirections are not followed"),
        ):
            client.call("add", EVENT)
    assert other.heard == []


def test_no_proxy_and_no_password_is_taken_from_the_environment(face, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("default login user password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with scripted(CREATED) as server, face(server) as client:
        assert client.call("add", EVENT) == SNAPSHOT
    assert "authorization" not in server.heard[0][0].lower()


def test_a_question_that_is_none_is_not_sent(face):
    with scripted() as server, face(server) as client:
        for name, arguments in (("add", [b""]), ("add_bulk", [[]]), ("incremental", [-1, 0])):
            with pytest.raises(errors.RequestError):
                client.call(name, *arguments)
    assert server.heard == []


def test_a_closed_client_opens_again(face):
    with scripted(CREATED, CREATED) as server, face(server) as client:
        client.call("add", EVENT)
        client.call("close")
        client.call("add", EVENT)
    assert len(server.heard) == 2
