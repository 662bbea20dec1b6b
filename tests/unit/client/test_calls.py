"""Each call: the request to the byte, and what an answer to another question becomes."""

import hashlib
from dataclasses import replace

import pytest

import vector_files
from qed import wire
from qed.client import calls
from qed.client.calls import Response
from qed.errors import MalformedError, QedError, RequestError, VerificationError
from qed.trees.values import Snapshot

EVENT = b"event 0"
DIGEST = hashlib.sha256(EVENT).digest()
OTHER = hashlib.sha256(b"other").digest()
SNAPSHOT = Snapshot(7, DIGEST, b"\x01" * 32, b"\x02" * 32)
BULK = [b"a", b"b", b"c"]
BULK_SNAPSHOTS = [
    Snapshot(5 + at, hashlib.sha256(event).digest(), bytes([at]) * 32, b"\x09" * 32)
    for at, event in enumerate(BULK)
]
PROOF = vector_files.membership(vector_files.load("membership.json")["present"][0]["answer"])
INCREMENT = vector_files.incremental(vector_files.load("incremental.json")["answers"][3])


def answer(call, body):
    return call.read(Response(call.expected, {}, body))


def refused(call, body, step):
    with pytest.raises(VerificationError) as caught:
        answer(call, body)
    assert step == caught.value.step


def test_every_request_is_what_spec_5_and_6_say():
    requests = {
        "add": calls.build_add(EVENT),
        "bulk": calls.build_add_bulk(BULK),
        "digests": calls.build_add_digests([DIGEST]),
        "membership": calls.build_membership(event=EVENT),
        "incremental": calls.build_incremental(1, 2),
        "info": calls.build_info(),
        "shards": calls.build_shards(),
        "health": calls.build_health_check(),
        "backup": calls.build_create_backup(),
        "backups": calls.build_backups(),
        "delete": calls.build_delete_backup(3),
    }

    assert {
        name: (call.request.method, call.request.path, call.request.body, call.expected)
        for name, call in requests.items()
    } == {
        "add": ("POST", "/events", wire.encode_add(EVENT), 201),
        "bulk": ("POST", "/events/bulk", wire.encode_bulk(BULK), 201),
        "digests": ("POST", "/events/digests", DIGEST, 201),
        "membership": (
            "POST",
            "/proofs/digest-membership",
            wire.encode_digest_query(DIGEST, None),
            200,
        ),
        "incremental": ("POST", "/proofs/incremental", b'{"Start":1,"End":2}', 200),
        "info": ("GET", "/info", b"", 200),
        "shards": ("GET", "/info/shards", b"", 200),
        "health": ("HEAD", "/healthcheck", b"", 204),
        "backup": ("POST", "/backup", b"", 200),
        "backups": ("GET", "/backups", b"", 200),
        "delete": ("DELETE", "/backup?backupID=3", b"", 204),
    }
    assert {"add", "bulk", "digests", "backup", "delete"} == {
        name for name, call in requests.items() if not call.repeatable
    }
    for call in requests.values():
        assert "application/problem+json" in call.request.headers["accept"]
        assert call.request.max_answer_bytes > 0


def test_the_event_asked_for_does_not_leave_the_client():
    for version in (None, 7):
        assert calls.build_membership(event=EVENT, version=version).request == (
            calls.build_membership(digest=DIGEST, version=version).request
        )
    assert wire.decode_digest_query(
        calls.build_membership(event=EVENT, version=7).request.body
    ) == (
        DIGEST,
        7,
    )


def test_raw_digests_ask_for_the_raw_answer():
    assert "application/json" not in calls.build_add_digests([DIGEST]).request.headers["accept"]


def test_the_snapshot_of_the_event_added_is_returned():
    assert answer(calls.build_add(EVENT), wire.encode_snapshot(SNAPSHOT)) == SNAPSHOT


def test_the_snapshot_of_another_event_is_refused():
    other = replace(SNAPSHOT, event_digest=OTHER)

    refused(calls.build_add(EVENT), wire.encode_snapshot(other), "event-digest")


def test_the_version_of_an_empty_log_is_no_version_of_an_event():
    last = replace(SNAPSHOT, version=2**64 - 2)

    assert answer(calls.build_add(EVENT), wire.encode_snapshot(last)) == last
    none = replace(SNAPSHOT, version=2**64 - 1)
    refused(calls.build_add(EVENT), wire.encode_snapshot(none), "version")


def test_the_snapshots_of_a_bulk_are_returned_in_order():
    body = wire.encode_snapshots(BULK_SNAPSHOTS)

    assert answer(calls.build_add_bulk(BULK), body) == BULK_SNAPSHOTS


BAD_BULKS = {
    "none": ([], "count"),
    "one missing": (BULK_SNAPSHOTS[:2], "count"),
    "one more": ([*BULK_SNAPSHOTS, SNAPSHOT], "count"),
    "out of order": (BULK_SNAPSHOTS[::-1], "event-digest"),
    "a gap": ([*BULK_SNAPSHOTS[:2], replace(BULK_SNAPSHOTS[2], version=8)], "version"),
    "a version twice": ([*BULK_SNAPSHOTS[:2], replace(BULK_SNAPSHOTS[2], version=6)], "version"),
    "two groups": (
        [*BULK_SNAPSHOTS[:2], replace(BULK_SNAPSHOTS[2], hyper_digest=OTHER)],
        "group",
    ),
}


@pytest.mark.parametrize(("snapshots", "step"), BAD_BULKS.values(), ids=BAD_BULKS.keys())
def test_snapshots_that_are_not_of_the_bulk_are_refused(snapshots, step):
    refused(calls.build_add_bulk(BULK), wire.encode_snapshots(snapshots), step)


def test_the_raw_answer_becomes_snapshots():
    digests = [snapshot.event_digest for snapshot in BULK_SNAPSHOTS]
    histories = [snapshot.history_digest for snapshot in BULK_SNAPSHOTS]
    body = wire.encode_added(5, b"\x09" * 32, b"".join(histories))

    assert answer(calls.build_add_digests(digests), body) == BULK_SNAPSHOTS
    refused(calls.build_add_digests(digests[:2]), body, "count")
    refused(calls.build_add_digests([*digests, DIGEST]), body, "count")


def test_a_proof_about_what_was_asked_is_returned():
    current = PROOF.current_version
    body = wire.encode_membership(PROOF)

    assert answer(calls.build_membership(digest=PROOF.key_digest), body) == PROOF
    assert answer(calls.build_membership(digest=PROOF.key_digest, version=current), body) == PROOF


def test_a_proof_about_another_digest_or_version_is_refused():
    body = wire.encode_membership(PROOF)
    as_of = wire.encode_membership(replace(PROOF, query_version=5))

    refused(calls.build_membership(digest=OTHER), body, "question")
    refused(calls.build_membership(digest=PROOF.key_digest, version=5), body, "question")
    refused(calls.build_membership(digest=PROOF.key_digest), as_of, "question")


def test_an_increment_between_other_versions_is_refused():
    body = wire.encode_incremental(INCREMENT)

    assert answer(calls.build_incremental(INCREMENT.start, INCREMENT.end), body) == INCREMENT
    refused(calls.build_incremental(INCREMENT.start, INCREMENT.end + 1), body, "question")
    refused(calls.build_incremental(INCREMENT.start + 1, INCREMENT.end), body, "question")


def test_what_the_server_would_refuse_is_not_sent():
    for build in (
        lambda: calls.build_add(b""),
        lambda: calls.build_add_bulk([]),
        lambda: calls.build_add_bulk([b"a", b""]),
        lambda: calls.build_add_digests([]),
        lambda: calls.build_add_digests([bytes(31)]),
        calls.build_membership,
        lambda: calls.build_membership(event=EVENT, digest=DIGEST),
        lambda: calls.build_membership(event=b""),
        lambda: calls.build_membership(digest=bytes(33)),
        lambda: calls.build_membership(event=EVENT, version=-1),
        lambda: calls.build_membership(event=EVENT, version=2**64),
        lambda: calls.build_membership(event=EVENT, version=True),
        lambda: calls.build_incremental(-1, 0),
        lambda: calls.build_incremental(0, 2**64),
        lambda: calls.build_delete_backup(0),
        lambda: calls.build_delete_backup(-1),
        lambda: calls.build_delete_backup(True),  # noqa: FBT003 (the mistake under test)
    ):
        with pytest.raises(RequestError):
            build()


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"<html>", b"\xff" * 100])
def test_an_answer_that_is_none_is_malformed(body):
    for call in (
        calls.build_add(EVENT),
        calls.build_add_digests([DIGEST]),
        calls.build_membership(event=EVENT),
        calls.build_incremental(0, 0),
        calls.build_shards(),
    ):
        with pytest.raises(MalformedError):
            answer(call, body)


def test_the_other_answers_are_read():
    entry = wire.BackupEntry(1, 2, 3, 4, "5")
    shards = wire.Shards("a", "a", "http", {"a": wire.Shard("a", "h:1")})

    assert answer(calls.build_info(), b'{"node_id":"a"}') == {"node_id": "a"}
    assert shards == answer(calls.build_shards(), wire.encode_shards(shards))
    assert [entry] == answer(calls.build_backups(), wire.encode_backups([entry]))
    for call in (
        calls.build_health_check(),
        calls.build_create_backup(),
        calls.build_delete_backup(1),
    ):
        assert answer(call, b"") is None


def test_the_media_type_is_read_without_its_parameters():
    assert Response(200, {"content-type": "Text/Plain; charset=utf-8"}).media_type == "text/plain"
    assert Response(200).media_type == ""


def test_errors_of_a_call_are_in_the_tree():
    with pytest.raises(QedError, match="not both"):
        calls.digest_of(event=None, digest=None)
