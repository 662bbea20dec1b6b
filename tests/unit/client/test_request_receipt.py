"""Receipts on request: what is put together holds, and no lie of a server gets into one."""

import threading
from dataclasses import replace
from hashlib import sha256

import pytest

from publishing import PublishedLog, serving
from qed import wire
from qed.client.config import ClientConfig
from qed.client.feed import open_source
from qed.client.published import Proven, Published
from qed.client.receipt_text import parse_receipt
from qed.client.receipts import verify_under_key
from qed.client.request_receipt import (
    finish_receipt,
    make_receipt,
    prove_version,
    request_receipt,
)
from qed.client.sync_client import Client
from qed.client.trusted import Trusted
from qed.errors import (
    MalformedError,
    NotProvenError,
    NotPublishedError,
    QedError,
    VerificationError,
)
from qed.signing.note import format_verifier_key
from qed.trees.values import NO_VERSION
from receipt_log import EVENTS, beside, receipt, small_log


class Answers:
    """A client that answers from a log in memory, as a test would have it."""

    def __init__(self, log, change=lambda answer: answer):
        self.log = log
        self.change = change

    def membership(self, *, event=None, digest=None, version=None):
        assert event is None
        assert version is None
        return self.change(self.log.log.membership(digest))


def digest_of(number: int) -> bytes:
    return sha256(EVENTS[number]).digest()


@pytest.fixture(name="log")
def log_of_300():
    log = PublishedLog()
    log.fill(300)
    return log


@pytest.fixture(name="server")
def served(log):
    with serving(log) as server:
        yield server


@pytest.fixture(name="source")
def opened(server):
    with open_source(server.url) as source:
        yield source


def config_of(server, **fields):
    return ClientConfig(
        endpoints=[server.url],
        snapshot_store_url=server.url,
        key=format_verifier_key(server.log.key),
        enable_topology_discovery=False,
        enable_health_checks=False,
        **fields,
    )


@pytest.mark.parametrize("kind", ["logged", "newest", "absent"])
def test_what_is_asked_for_is_what_comes(log, server, kind):
    digest = beside(EVENTS[3]) if kind == "absent" else digest_of(3)
    published = Published(config_of(server))
    with Client(config_of(server)) as client:
        answer = client.membership(digest=digest)
    data, found = finish_receipt(published, answer, digest=digest, kind=kind)
    published.close()

    assert (found.kind, found.digest, found.size) == (kind, digest, 300)
    assert found.version == (None if kind == "absent" else 3)
    assert verify_under_key(data, log.key, digest=digest, kind=kind) == found
    assert data == receipt(log, kind, digest)


def test_from_a_source_that_the_caller_holds(log, source):
    trusted = Trusted(log.key)
    data, found = request_receipt(source, Answers(log), trusted, digest=digest_of(5))

    assert (found.kind, found.version) == ("logged", 5)
    assert trusted.note == log.note == parse_receipt(data).note


def test_a_version_that_is_known_asks_no_server(log, source):
    data, found = request_receipt(
        source, None, Trusted(log.key), digest=log.snapshots[260].event_digest, version=260
    )

    assert found.version == 260
    assert parse_receipt(data).index == 260


def test_an_earlier_version_of_an_event_that_was_added_again(log, source):
    log.add(EVENTS[5])
    trusted = Trusted(log.key)

    for version, wanted in ((None, 300), (5, 5)):
        _, found = request_receipt(
            source, Answers(log), trusted, digest=digest_of(5), version=version
        )
        assert found.version == wanted


def test_a_version_of_another_event(log, source):
    with pytest.raises(NotProvenError, match="version 6 of the log is another event") as raised:
        request_receipt(source, None, Trusted(log.key), digest=digest_of(5), version=6)
    assert "leave the version out" in raised.value.hint


def test_the_opposite_is_said_and_gives_no_receipt(log, source):
    trusted = Trusted(log.key)
    for kind in ("logged", "newest"):
        with pytest.raises(NotProvenError, match="not in it") as raised:
            request_receipt(source, Answers(log), trusted, digest=beside(EVENTS[0]), kind=kind)
        assert "absent" in raised.value.hint
    with pytest.raises(NotProvenError, match="at version 0"):
        request_receipt(source, Answers(log), trusted, digest=digest_of(0), kind="absent")


def test_an_empty_log_has_no_receipt(log, source):
    empty = Answers(log, lambda answer: replace(answer, current_version=NO_VERSION))

    with pytest.raises(NotProvenError, match="empty"):
        request_receipt(source, empty, Trusted(log.key), digest=digest_of(0))


def test_questions_that_are_none(log, source):
    with pytest.raises(MalformedError, match="none of"):
        request_receipt(source, Answers(log), Trusted(log.key), digest=digest_of(0), kind="old")
    with pytest.raises(MalformedError, match="leave the version out"):
        request_receipt(
            source, None, Trusted(log.key), digest=digest_of(0), kind="newest", version=1
        )


def test_what_is_not_published_yet_is_waited_for(log, source):
    log.add(b"late", publish=False)
    publishing = threading.Timer(0.05, log.publish)
    publishing.start()
    _, found = request_receipt(
        source, Answers(log), Trusted(log.key), digest=sha256(b"late").digest(), timeout_s=20
    )
    publishing.join()

    assert (found.version, found.size) == (300, 301)


def test_what_is_not_published_in_time_is_told_apart(log, source):
    log.add(b"late", publish=False)

    for kind in ("logged", "newest"):
        with pytest.raises(NotPublishedError):
            request_receipt(
                source,
                Answers(log),
                Trusted(log.key),
                digest=sha256(b"late").digest(),
                kind=kind,
                timeout_s=0,
            )


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: replace(answer, query_version=7),
        lambda answer: replace(answer, actual_version=2**63),
        lambda answer: replace(answer, actual_version=answer.actual_version + 1),
        lambda answer: replace(answer, current_version=298, query_version=298),
        lambda answer: replace(answer, hyper={}),
        lambda answer: replace(answer, key_digest=bytes(32)),
        lambda answer: replace(answer, history={}),
    ],
)
def test_no_lie_of_the_server_gets_into_a_receipt(log, source, change):
    with pytest.raises(VerificationError):
        request_receipt(
            source, Answers(log, change), Trusted(log.key), digest=digest_of(3), kind="newest"
        )


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda answer: replace(answer, query_version=7), "question"),
        (lambda answer: replace(answer, actual_version=2**63), "numbers"),
    ],
)
def test_numbers_that_cannot_be_are_refused_before_anything_is_waited_for(
    log, source, change, step
):
    with pytest.raises(VerificationError) as raised:
        request_receipt(
            source, Answers(log, change), Trusted(log.key), digest=digest_of(3), timeout_s=0
        )
    assert raised.value.step == step


def test_no_lie_of_the_source_gets_into_a_receipt(log, server):
    other = small_log(300, seed=2)
    other.fill(300)
    for path, lie in (
        ("/tile/entries", lambda body: body[:-1] + bytes([body[-1] ^ 1])),
        ("/tile/entries", lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:]),
        ("/tile/0", lambda body: bytes(len(body))),
        ("/tile/1", lambda body: bytes(len(body))),
        ("/checkpoint", lambda _: other.note),
    ):
        server.lies = {path: lie}
        with open_source(server.url) as source, pytest.raises(QedError) as raised:
            request_receipt(
                source, None, Trusted(log.key), digest=log.snapshots[299].event_digest, version=299
            )
        assert raised.value.code == "verification", path


def test_a_mirror_gives_receipts_too(log, tmp_path):
    with open_source(str(log.write_mirror(tmp_path / "mirror"))) as mirror:
        _, found = request_receipt(mirror, Answers(log), Trusted(log.key), digest=digest_of(9))

    assert found.version == 9


def test_parts_at_hand_make_a_receipt(log, source):
    trusted = Trusted(log.key, log.note)
    answer = log.log.membership(beside(EVENTS[1]))
    proven = prove_version(source, trusted, 299)

    assert proven == Proven(log.snapshots[299], proven.path, log.note)
    data = make_receipt(proven, kind="absent", answer=answer)
    assert verify_under_key(data, log.key, digest=beside(EVENTS[1])).kind == "absent"
    assert wire.encode_membership(parse_receipt(data).answer) == wire.encode_membership(answer)
