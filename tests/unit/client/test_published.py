"""Published snapshots: each lie has its refusal, and what is late is none."""

import logging
import threading
from pathlib import Path

import pytest

from publishing import PublishedLog, serving
from qed import errors
from qed.client.config import ClientConfig
from qed.client.feed import open_source
from qed.client.pins import read_pin
from qed.client.published import Published, wait_for_size
from qed.client.trusted import Trusted
from qed.signing.note import format_verifier_key
from qed.trees import verify_log
from qed.trees.snapshot_log import encode_leaf
from qed.trees.tiles import encode_bundle


@pytest.fixture(name="log")
def log_of_300():
    log = PublishedLog()
    log.fill(300)
    return log


class Time:
    """A clock that only pauses move."""

    def __init__(self):
        self.now_s = 0.0
        self.pauses = []
        self.at = {}

    def clock(self):
        return self.now_s

    def pause(self, seconds):
        self.now_s += seconds
        self.pauses.append(seconds)
        for due_s in [due_s for due_s in self.at if due_s <= self.now_s]:
            self.at.pop(due_s)()


def config_of(server, **fields):
    settings = {
        "endpoints": [server.url],
        "snapshot_store_url": server.url,
        "key": format_verifier_key(server.log.key),
        "timeout_s": 5.0,
    }
    return ClientConfig(**settings | fields)


@pytest.fixture(name="server")
def served(log):
    with serving(log, info={"verifier_key": format_verifier_key(log.key)}) as server:
        yield server


@pytest.fixture(name="published")
def opened(server):
    published = Published(config_of(server))
    yield published
    published.close()


def test_a_snapshot_is_proven_under_the_checkpoint(published, log):
    for version in (0, 255, 256, 299):
        assert published.snapshot(version) == log.snapshots[version]
    (proven,) = published.prove([7]).values()
    trusted = Trusted(log.key, proven.note)
    assert trusted.authenticate(log.leaves[7], 7, proven.path) == log.snapshots[7]


def test_several_come_under_one_checkpoint(published, server, log):
    assert published.snapshots([299, 5, 5]) == [log.snapshots[5], log.snapshots[299]]
    assert [ask for ask in server.asked if "checkpoint" in ask] == [
        "GET /checkpoint?after=299&wait=5000ms"
    ]
    assert published.snapshots([]) == []


def test_a_version_not_published_yet_is_waited_for(published, log):
    published.snapshot(0)
    timer = threading.Timer(0.05, lambda: log.add(b"later"))
    timer.start()

    assert published.snapshot(300) == log.snapshots[300]
    timer.join()


def test_no_longer_than_the_time_and_it_is_no_verdict(server, log):
    published = Published(config_of(server, timeout_s=0.2))
    for _ in range(2):
        with pytest.raises(errors.NotPublishedError, match="version 300 is not published yet") as e:
            published.snapshot(300)
        assert "covers 300 versions" in e.value.message
    assert published.snapshot(299) == log.snapshots[299]
    published.close()


def test_a_mirror_is_asked_again_with_pauses(log, tmp_path):
    mirror = log.write_mirror(tmp_path)
    time = Time()

    def grow():
        log.add(b"later")
        log.write_mirror(mirror)

    time.at[3.0] = grow
    trusted = Trusted(log.key)
    with open_source(str(mirror)) as source:
        wait_for_size(source, trusted, 301, timeout_s=10, clock=time.clock, pause=time.pause)
        assert trusted.size == 301
        assert 3 <= time.now_s <= 4
        with pytest.raises(errors.NotPublishedError):
            wait_for_size(source, trusted, 302, timeout_s=2, clock=time.clock, pause=time.pause)
        assert time.pauses[0] < time.pauses[2] <= max(time.pauses) <= 1
        began_s = time.now_s
        with pytest.raises(errors.NotPublishedError):
            wait_for_size(source, trusted, 302, timeout_s=0, clock=time.clock, pause=time.pause)
        assert time.now_s == began_s
        time.at[time.now_s + 100] = grow
        wait_for_size(source, trusted, 302, timeout_s=None, clock=time.clock, pause=time.pause)


def test_no_checkpoint_at_all_is_not_published():
    log = PublishedLog()
    with serving(log) as server:
        published = Published(config_of(server, timeout_s=0.1))
        with pytest.raises(errors.NotPublishedError, match="no checkpoint yet"):
            published.snapshot(0)
        published.close()


def test_a_server_where_too_many_wait_is_asked_again(server, log):
    busy = iter([(503, b"too many wait\n")] * 2)
    server.lies["/checkpoint"] = lambda body: next(busy, body)
    published = Published(config_of(server))
    assert published.snapshot(3) == log.snapshots[3]
    published.close()
    server.lies["/checkpoint"] = lambda _: (503, b"too many wait\n")
    never = Published(config_of(server, timeout_s=0.1))
    with pytest.raises(errors.UnavailableError, match="too many wait"):
        never.snapshot(3)
    never.close()


def test_nobody_there_says_where_else(server):
    with serving(PublishedLog()) as gone:
        pass
    published = Published(config_of(server, snapshot_store_url=gone.url))
    with pytest.raises(errors.UnreachableError) as caught:
        published.snapshot(0)
    assert "--from-server" in caught.value.hint
    published.close()


# Lies


def test_a_checkpoint_by_another_key_is_refused(server, log):
    other = PublishedLog(seed=2)
    other.fill(300)
    server.lies["/checkpoint"] = lambda _: other.note
    published = Published(config_of(server))
    with pytest.raises(errors.VerificationError, match="not signed by") as caught:
        published.snapshot(0)
    assert caught.value.step == "signature"
    assert "ask whoever runs it" in caught.value.hint
    del server.lies["/checkpoint"]
    assert published.snapshot(0) == log.snapshots[0]
    published.close()


def test_a_checkpoint_of_another_origin_is_refused(server):
    other = PublishedLog(origin="another")
    other.fill(300)
    server.lies["/checkpoint"] = lambda _: other.note
    published = Published(config_of(server))
    with pytest.raises(errors.VerificationError, match="of the log another"):
        published.snapshot(0)
    published.close()


def swapped(log, change):
    leaves = list(log.leaves[:256])
    leaves[5] = change(log)
    return encode_bundle(leaves)


@pytest.mark.parametrize("field", ["event_digest", "history_digest", "hyper_digest"])
def test_a_leaf_that_was_changed_is_refused(server, published, log, field):
    fields = {
        name: getattr(log.snapshots[5], name)
        for name in ("event_digest", "history_digest", "hyper_digest")
    }
    fields[field] = bytes(32)
    server.lies["/tile/entries"] = lambda _: swapped(log, lambda _: encode_leaf(5, **fields))
    with pytest.raises(errors.VerificationError, match="does not cover") as caught:
        published.snapshot(5)
    assert not isinstance(caught.value, errors.ContradictionError)
    assert published.snapshot(6) == log.snapshots[6]


def test_a_leaf_of_another_version_is_refused(server, published, log):
    server.lies["/tile/entries"] = lambda _: swapped(log, lambda log: log.leaves[6])
    with pytest.raises(errors.VerificationError):
        published.snapshot(5)


def test_hashes_that_do_not_lead_to_the_root_are_refused_and_read_again(server, published, log):
    server.lies["/tile/0"] = lambda body: bytes(len(body))
    with pytest.raises(errors.VerificationError, match="does not cover"):
        published.snapshot(5)
    del server.lies["/tile/0"]
    assert published.snapshot(5) == log.snapshots[5]


def test_what_its_own_checkpoint_covers_and_it_does_not_serve_is_said(server, published):
    server.lies["/tile/entries"] = lambda _: (404, b"no\n")
    with pytest.raises(errors.UnavailableError, match="does not serve all"):
        published.snapshot(5)


def test_a_fork_is_a_contradiction_with_evidence(log, server, published):
    published.snapshot(0)
    fork = PublishedLog()
    fork.fill(400, label="other ")
    server.log = fork
    with pytest.raises(errors.ContradictionError) as caught:
        published.snapshot(350)
    assert caught.value.evidence
    server.log = log
    assert published.snapshot(299) == log.snapshots[299]


def test_a_source_that_was_put_back_is_not_believed(server, tmp_path):
    pin = str(tmp_path / "pin.json")
    first = Published(config_of(server, pin=pin))
    first.snapshot(299)
    first.close()
    older = PublishedLog()
    older.fill(200)
    server.log = older

    again = Published(config_of(server, pin=pin, timeout_s=0.1))
    with pytest.raises(errors.NotPublishedError, match="one of 300 was seen before"):
        again.snapshot(5)
    again.close()
    assert read_pin(Path(pin)).note != older.note


# Keys and pins


def test_the_first_use_says_so_and_pins(server, log, tmp_path, caplog):
    pin = tmp_path / "pins" / "pin.json"
    published = Published(config_of(server, key="", pin=str(pin)))
    with caplog.at_level(logging.WARNING):
        published.snapshot(0)
        published.close()
    (record,) = caplog.records
    assert "trusting on first use" in record.message
    assert format_verifier_key(log.key) in record.message
    assert str(pin) in record.message
    assert (read_pin(pin).key, read_pin(pin).note) == (log.key, log.note)

    caplog.clear()
    again = Published(config_of(server, key="", pin=str(pin)))
    assert again.snapshot(1) == log.snapshots[1]
    assert again.key == log.key
    again.close()
    assert caplog.records == []
    assert server.asked.count("GET /info") == 1


def test_without_a_pin_the_key_is_remembered_for_the_clients_life(server, log, caplog):
    published = Published(config_of(server, key=""))
    assert published.key == log.key
    published.snapshot(0)
    published.close()
    assert server.asked.count("GET /info") == 1
    assert "for this client's life only" in caplog.text


def test_another_key_later_is_refused_with_what_to_do(server, log, tmp_path):
    pin = tmp_path / "pin.json"
    first = Published(config_of(server, key="", pin=str(pin)))
    first.snapshot(0)
    first.close()
    other = PublishedLog(seed=2)
    other.fill(400)
    server.log = other
    server.info["verifier_key"] = format_verifier_key(other.key)

    again = Published(config_of(server, key="", pin=str(pin)))
    with pytest.raises(errors.VerificationError) as caught:
        again.snapshot(0)
    assert f"not the log of the pin {pin}" in caught.value.hint
    said = Published(config_of(server, pin=str(pin)))
    with pytest.raises(errors.VerificationError, match="pins the key") as caught:
        said.snapshot(0)
    assert "move the pin away" in caught.value.hint
    assert read_pin(pin).key == log.key
    again.close()


def test_the_pin_grows_with_what_is_seen(server, log, tmp_path):
    pin = tmp_path / "pin.json"
    published = Published(config_of(server, pin=str(pin)))
    for _ in range(2):
        assert published.checkpoint() == read_pin(pin).note == log.note
        log.add(b"more %d" % log.size)
        assert published.snapshot(log.size - 1) == log.snapshots[-1]
        assert read_pin(pin).note == log.note
    published.close()


def test_a_server_that_shows_no_key_is_said(server):
    published = Published(config_of(server, key=""))
    del server.info["verifier_key"]
    with pytest.raises(errors.VerificationError) as caught:
        published.snapshot(0)
    assert "--key" in caught.value.hint
    assert "key= of ClientConfig" in caught.value.hint
    server.info["verifier_key"] = "nonsense"
    with pytest.raises(errors.VerificationError, match="no verifier key"):
        published.snapshot(0)
    published.close()


def test_a_key_that_is_given_is_pinned_before_anything_is_published(log, tmp_path):
    pin = tmp_path / "pin.json"
    with serving(PublishedLog()) as empty:
        published = Published(config_of(empty, pin=str(pin), timeout_s=0.1))
        with pytest.raises(errors.NotPublishedError):
            published.snapshot(0)
        published.close()
    assert (read_pin(pin).key, read_pin(pin).note) == (log.key, b"")


def test_the_first_endpoint_that_answers_is_asked_for_the_key(server, log):
    with serving(PublishedLog()) as gone:
        pass
    published = Published(config_of(server, key="", endpoints=[gone.url, server.url]))
    assert published.key == log.key
    published.close()
    nobody = Published(config_of(server, key="", endpoints=[gone.url]))
    with pytest.raises(errors.UnreachableError):
        nobody.checkpoint()
    nobody.close()


def test_an_empty_log_has_a_checkpoint_and_no_snapshot():
    log = PublishedLog()
    log.publish()
    with serving(log) as server:
        published = Published(config_of(server, timeout_s=0.1))
        assert published.checkpoint() == log.note
        with pytest.raises(errors.NotPublishedError):
            published.snapshot(0)
        published.close()
    assert Trusted(log.key, log.note).root == verify_log.EMPTY_ROOT
