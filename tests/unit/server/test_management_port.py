from __future__ import annotations

import concurrent.futures
import contextlib
import json
import threading
from collections.abc import Iterator

import pytest

import qed.server.management_port as room
from qed.engine.log import Log
from qed.errors import StorageError
from qed.server.management_port import ManagementPort
from qed.server.metrics import Counts
from qed.trees.values import NO_VERSION
from qed.web.application import Application
from qed.web.limits import WebLimits
from serving import DEADLINE_S, Serving, ask, eventually, serving


@contextlib.contextmanager
def managing(log: Log, limits: WebLimits | None = None) -> Iterator[Serving]:
    limits = limits or WebLimits()
    counts = Counts()
    port = ManagementPort(
        log,
        counts,
        limits,
        directory=log.path / "backups",
        scratch=log.path / "qed-checkpoints",
    )
    with serving(Application(port.routes(), limits)) as server:
        server.counts = counts
        yield server


@pytest.fixture
def server(log: Log) -> Iterator[Serving]:
    with managing(log) as server:
        yield server


def listed(port: int) -> list[dict]:
    return json.loads(ask(port, "GET", "/backups").body)


def test_no_backup_is_an_empty_list(server: Serving, log: Log) -> None:
    reply = ask(server.port, "GET", "/backups")
    assert (reply.status, reply.body) == (200, b"[]")
    assert reply.headers["content-type"] == "application/json"
    assert not (log.path / "backups").exists()


def test_a_backup_is_made_listed_and_deleted(server: Serving, log: Log) -> None:
    for size in (0, 2):
        if size:
            log.append([bytes([number]) * 32 for number in range(size)])
        reply = ask(server.port, "POST", "/backup")
        assert (reply.status, reply.body) == (200, b"")
    found = listed(server.port)
    assert [list(entry) for entry in found] == [
        ["ID", "Timestamp", "Size", "NumFiles", "Metadata"]
    ] * 2
    assert [(entry["ID"], entry["Metadata"]) for entry in found] == [(1, str(NO_VERSION)), (2, "1")]
    assert server.counts.backups_made == 2
    assert server.counts.last_backup_s == found[1]["Timestamp"]
    reply = ask(server.port, "DELETE", "/backup?backupID=1")
    assert (reply.status, reply.body) == (204, b"")
    assert [entry["ID"] for entry in listed(server.port)] == [2]


def test_a_damaged_backup_and_one_that_cannot_be_read_say_so(server: Serving, log: Log) -> None:
    for _ in range(3):
        assert ask(server.port, "POST", "/backup").status == 200
    sound = listed(server.port)
    current = log.path / "backups" / "private" / "1" / "CURRENT"
    current.unlink()
    (log.path / "backups" / "meta" / "3").write_bytes(b"nonsense")

    found = listed(server.port)

    assert found[0].pop("Problem") == f"backup 1: {current} is missing"
    assert found[0] == sound[0] | {"Size": found[0]["Size"]}
    assert found[1] == sound[1], "a sound backup has the five fields and no more"
    assert "meta/3 is damaged" in found[2].pop("Problem")
    assert found[2] == {"ID": 3, "Timestamp": 0, "Size": 0, "NumFiles": 0, "Metadata": ""}


def test_the_metadata_is_exact_under_load(server: Serving, log: Log) -> None:
    done = threading.Event()

    def load() -> None:
        number = 0
        while not done.is_set():
            log.append([number.to_bytes(32, "big")])
            number += 1

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        try:
            versions = []
            for _ in range(3):
                before = log.head.size
                assert ask(server.port, "POST", "/backup").status == 200
                versions.append((before, int(listed(server.port)[-1]["Metadata"]), log.head.size))
        finally:
            done.set()
        loading.result(DEADLINE_S)
    for before, version, after in versions:
        assert before - 1 <= (version if version != NO_VERSION else -1) <= after - 1


BAD_QUERIES = {
    "": 400,
    "?": 400,
    "?backupID=": 400,
    "?backupID=one": 400,
    "?backupID=-1": 400,
    "?backupID=%2B1": 400,
    "?backupID=01": 400,
    "?backupID=1.0": 400,
    "?backupID=1e3": 400,
    "?backupID=" + "9" * 20: 400,
    "?backupID=" + "9" * 5000: 400,
    "?backupID=1&backupID=1": 400,
    "?backupid=1": 400,
    "?backupID=%D9%A1": 400,
    "?backupID=0": 404,
    "?backupID=7": 404,
    "?backupID=" + "9" * 19: 404,
    f"?backupID={2**64 - 1}": 404,
    f"?backupID={2**64}": 400,
}


@pytest.mark.parametrize(("query", "status"), BAD_QUERIES.items())
def test_what_names_no_backup_deletes_none(query: str, status: int, server: Serving) -> None:
    assert ask(server.port, "POST", "/backup").status == 200
    reply = ask(server.port, "DELETE", f"/backup{query}")
    assert reply.status == status
    assert reply.body.decode().count("\n") == 1
    assert [entry["ID"] for entry in listed(server.port)] == [1]


def test_an_unknown_id_lists_those_there_are(server: Serving) -> None:
    for _ in range(2):
        ask(server.port, "POST", "/backup")
    assert b"there are 1, 2" in ask(server.port, "DELETE", "/backup?backupID=3").body


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/backup", "POST, DELETE"),
        ("HEAD", "/backup", "POST, DELETE"),
        ("POST", "/backups", "GET"),
        ("DELETE", "/backups?backupID=1", "GET"),
    ],
)
def test_a_wrong_method_is_405(method: str, path: str, allowed: str, server: Serving) -> None:
    reply = ask(server.port, method, path)
    assert (reply.status, reply.headers["allow"], reply.body) == (405, allowed, b"")


def test_the_data_ports_routes_are_not_here(server: Serving) -> None:
    assert ask(server.port, "POST", "/events", b"{}").status == 404


def test_a_failed_backup_is_a_failure_and_the_next_one_works(
    server: Serving, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError("cannot write /db/backups/x: No space left on device", errno=28)

    with monkeypatch.context() as patch:
        patch.setattr(room, "create_backup", fail)
        reply = ask(server.port, "POST", "/backup")
    assert reply.status == 500
    assert b"No space left on device" in reply.body
    assert server.counts.backups_failed == 1
    assert log.failure is None
    assert ask(server.port, "POST", "/backup").status == 200


def test_calls_that_change_backups_take_turns_and_their_queue_has_an_end(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, release = threading.Semaphore(0), threading.Event()
    create = room.create_backup
    at_once = []

    def slow(*arguments: object, **named: object) -> object:
        at_once.append(None)
        assert len(at_once) == 1
        arrived.release()
        assert release.wait(DEADLINE_S)
        at_once.pop()
        return create(*arguments, **named)

    monkeypatch.setattr(room, "create_backup", slow)
    with (
        managing(log, WebLimits(waiting_backups=1)) as server,
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        made = [pool.submit(ask, server.port, "POST", "/backup")]
        assert arrived.acquire(timeout=DEADLINE_S)
        replies = [pool.submit(ask, server.port, "POST", "/backup") for _ in range(2)]
        eventually(lambda: any(reply.done() for reply in replies), "a refusal")
        assert listed(server.port) == []  # a list does not wait
        release.set()
        made += replies
        assert sorted(one.result(DEADLINE_S).status for one in made) == [200, 200, 503]
        assert [entry["ID"] for entry in listed(server.port)] == [1, 2]
