"""Both faces of the client and what a log publishes: verified, late, false or forked."""

import threading
from dataclasses import replace

import pytest

from faces import FACES
from log_serving import log_server
from publishing import PublishedLog, serving
from qed import errors, wire
from qed.client.blind import blind
from qed.client.config import ClientConfig
from qed.client.pins import read_pin
from qed.signing.note import format_verifier_key

PLAIN = {"enable_topology_discovery": False, "enable_health_checks": False, "timeout_s": 5.0}


@pytest.fixture(name="server")
def log_of_four():
    log = PublishedLog()
    for number in range(4):
        log.add(b"event %d" % number)
    with serving(log, info={"verifier_key": format_verifier_key(log.key)}) as server:
        yield server


@pytest.fixture(name="face", params=FACES)
def opened(request, server):
    def opened(**fields):
        places = {"endpoints": [server.url], "snapshot_store_url": server.url}
        return FACES[request.param](ClientConfig(**PLAIN | places | fields))

    return opened


def test_a_published_snapshot_is_had(face, server):
    with face() as client:
        for snapshot in server.log.snapshots:
            assert client.call("get", snapshot.version) == snapshot
        with pytest.raises(errors.MalformedError):
            client.call("get", -1)


def test_presence_absence_and_growth_are_verified(face):
    with face() as client:
        proof = client.call("auto_verify_membership", event=b"event 1")
        assert (proof.exists, proof.actual_version) == (True, 1)
        proof = client.call("auto_verify_membership", event=b"event 1", version=2)
        assert (proof.exists, proof.query_version) == (True, 2)
        assert not client.call("auto_verify_membership", event=b"never").exists
        assert client.call("auto_verify_incremental", 0, 3).end == 3
        assert client.call("auto_verify_incremental", 2, 2).start == 2


def test_what_is_late_is_waited_for_and_what_is_too_late_is_said(face, server):
    server.log.add(b"later", publish=False)
    with face(timeout_s=0.2) as client:
        for call in (
            lambda: client.call("get", 4),
            lambda: client.call("auto_verify_membership", event=b"later"),
            lambda: client.call("auto_verify_incremental", 0, 4),
        ):
            with pytest.raises(errors.NotPublishedError):
                call()
    timer = threading.Timer(0.05, server.log.publish)
    timer.start()
    with face() as client:
        assert client.call("auto_verify_membership", event=b"later").exists
    timer.join()


def test_a_false_answer_is_refused(face, server):
    def lie(body):
        proof = wire.decode_membership(body)
        first = dict.fromkeys(list(proof.hyper)[:1], bytes(32))
        return wire.encode_membership(replace(proof, hyper={**proof.hyper, **first}))

    server.lies["/proofs"] = lie
    with face() as client:
        for event in (b"event 1", b"never"):
            with pytest.raises(errors.VerificationError):
                client.call("auto_verify_membership", event=event)


def test_a_fork_is_a_contradiction(face, server):
    with face() as client:
        client.call("get", 3)
        server.log = PublishedLog()
        server.log.fill(9, label="other ")
        with pytest.raises(errors.ContradictionError) as caught:
            client.call("get", 3)
    assert caught.value.evidence


def test_the_key_is_asked_for_once_and_outlives_a_close(face, server, tmp_path):
    pin = tmp_path / "log.pin"
    with face() as client:
        client.call("get", 0)
        client.call("close")
        client.call("get", 1)
    assert server.asked.count("GET /info") == 1
    for _ in range(2):
        with face(pin=str(pin)) as client:
            client.call("get", 3)
    assert server.asked.count("GET /info") == 2
    assert read_pin(pin).note == server.log.note


@pytest.mark.parametrize("name", FACES)
def test_the_real_server_publishes_what_is_verified(name, tmp_path):
    with log_server(tmp_path / "db") as server:
        config = ClientConfig(
            endpoints=[server.data], snapshot_store_url=server.data, pin=str(tmp_path / "pin")
        )
        with FACES[name](config) as client:
            added = client.call("add_bulk", [b"event %d" % n for n in range(300)])
            for version in (0, 255, 299):
                assert client.call("get", version) == added[version]
            (hidden,) = client.call("add_digests", [blind(bytes(32), b"yes")])
            assert client.call("get", 300) == hidden
            assert client.call("auto_verify_membership", digest=hidden.event_digest).exists
            assert not client.call("auto_verify_membership", event=b"yes").exists
            client.call("auto_verify_incremental", 7, 300)
            with pytest.raises(errors.NotProvenError):
                client.call("auto_verify_incremental", 7, 301)
