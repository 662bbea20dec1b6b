"""Both faces of the client against the real server: what one writes the other reads."""

import hashlib

import pytest

import vector_files
from faces import FACES
from log_serving import log_server
from qed import errors
from qed.client.config import ClientConfig
from qed.trees.values import NO_VERSION

WALKTHROUGH = [
    vector_files.snapshot(row) for row in vector_files.load("walkthrough.json")["snapshots"]
]
BULKS = vector_files.load("bulk_adds.json")["steps"]


@pytest.fixture(params=FACES)
def client(request, tmp_path):
    with log_server(tmp_path / "db") as server:
        config = ClientConfig(endpoints=[server.data], management_endpoint=server.management)
        with FACES[request.param](config) as face:
            yield face


def test_the_walk_through_gives_the_numbers_of_the_original(client):
    snapshots = [client.call("add", b"event %d" % n) for n in range(6)]

    assert snapshots == WALKTHROUGH
    for n, snapshot in enumerate(snapshots):
        proof = client.call("verify_membership", event=b"event %d" % n, snapshots=snapshots)
        assert (proof.exists, proof.actual_version) == (True, n)
        past = client.call(
            "verify_membership",
            digest=snapshot.event_digest,
            version=n,
            snapshots=[snapshot, snapshots[-1]],
        )
        assert (past.query_version, past.current_version) == (n, 5)
        client.call("verify_incremental", snapshots[0], snapshot)


def test_a_bulk_is_one_group(client):
    for step in BULKS:
        want = [vector_files.snapshot(row) for row in step["snapshots"]]
        assert want == client.call("add_bulk", [event.encode() for event in step["events"]])


def test_digests_give_what_events_give(client):
    for step in BULKS:
        want = [vector_files.snapshot(row) for row in step["snapshots"]]
        digests = [hashlib.sha256(event.encode()).digest() for event in step["events"]]
        assert want == client.call("add_digests", digests)


def test_an_absence_is_proven(client):
    snapshots = client.call("add_bulk", [b"event %d" % n for n in range(40)])
    near = bytes([*snapshots[0].event_digest[:-1], snapshots[0].event_digest[-1] ^ 1])

    for question in (
        {"event": b"nobody added this"},
        {"digest": near},
        {"digest": near, "version": 3},
    ):
        proof = client.call("verify_membership", **question, snapshots=snapshots)
        assert not proof.exists
    assert proof.hyper_leaf is not None


def test_an_event_of_any_bytes_is_added_unchanged(client):
    for event in (b"\n\t ", bytes(range(256)), "ünï\u2028".encode(), b"\x00", b"x" * 100_000):
        snapshot = client.call("add", event)
        assert hashlib.sha256(event).digest() == snapshot.event_digest


def test_an_empty_log_proves_nothing_and_says_so(client):
    proof = client.call("membership", event=b"event 0")

    assert not proof.exists
    assert {NO_VERSION} == {proof.current_version, proof.query_version, proof.actual_version}
    with pytest.raises(errors.NotProvenError, match="the log is empty"):
        client.call("verify_membership", event=b"event 0", snapshots=[])


def test_another_history_is_not_believed(client):
    client.call("add_bulk", [b"a", b"b"])

    with pytest.raises(errors.VerificationError):
        client.call("verify_membership", event=b"a", snapshots=WALKTHROUGH[:2])
    with pytest.raises(errors.VerificationError):
        client.call("verify_incremental", WALKTHROUGH[0], WALKTHROUGH[1])


def test_the_snapshot_that_is_missing_is_named(client):
    first = client.call("add", b"event 0")
    client.call("add", b"somebody else's")

    with pytest.raises(errors.RequestError, match="the hyper digest of version 1 is needed"):
        client.call("verify_membership", event=b"event 0", version=0, snapshots=[first])


def test_refusals_keep_their_class_and_the_texts_of_the_original(client):
    snapshot = client.call("add", b"event 0")
    client.call("add", b"event 0")

    with pytest.raises(
        errors.NotProvenError,
        match=r"^actual version 1 is greater than the query version which is 0$",
    ):
        client.call("membership", digest=snapshot.event_digest, version=0)
    for start, end in ((1, 0), (0, 2)):
        with pytest.raises(
            errors.NotProvenError,
            match=r"^unable to process proof from history tree: invalid range$",
        ):
            client.call("incremental", start, end)


def test_a_bulk_above_the_limit_is_refused_whole(client):
    with pytest.raises(errors.TooLargeError):
        client.call("add_digests", [bytes(32)] * 20_001)
    assert client.call("add", b"event 0").version == 0


def test_an_event_above_the_limit_is_refused(client):
    with pytest.raises(errors.TooLargeError):
        client.call("add", b"x" * (26 * 2**20))
    assert client.call("add", b"event 0").version == 0


def test_backups_are_made_listed_and_deleted(client):
    assert client.call("backups") == []
    client.call("create_backup")
    client.call("add_bulk", [b"a", b"b"])
    client.call("create_backup")

    entries = client.call("backups")
    assert [(entry.id, entry.metadata) for entry in entries] == [(1, str(NO_VERSION)), (2, "1")]
    assert all(entry.timestamp_s > 0 and entry.num_files > 0 for entry in entries)
    client.call("delete_backup", 1)
    assert [entry.id for entry in client.call("backups")] == [2]
    with pytest.raises(errors.NotFoundError, match="2"):
        client.call("delete_backup", 1)


def test_the_server_says_who_it_is(client):
    info, shards = client.call("info"), client.call("shards")

    assert shards.shards[shards.leader_id].http_addr == info["http_addr"]
    assert info["node_id"] == shards.node_id == shards.leader_id
