"""kill -9 of the server under load, again and again: nothing that was acknowledged is missing.

Several threads add (one by one, in bulks, as digests) while another makes backups, until a number
of acknowledgements drawn from the seed has come in; then the process is killed, started again, and
every acknowledgement ever given is proved against its own snapshot and the newest one.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from process import Qed, Server
from qed.trees.values import Snapshot
from qed.trees.verify import Root, verify_membership
from qed.wire import decode_added, decode_membership, decode_snapshot, decode_snapshots
from system import printed

ADDERS = 6
BULK = 20


@dataclass
class Load:
    """What was acknowledged so far; `full` is set when there is enough of it."""

    wanted: int
    snapshots: list[Snapshot] = field(default_factory=list)
    backups: int = 0
    strange: list[str] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, snapshots: Sequence[Snapshot]) -> None:
        with self.lock:
            self.snapshots += snapshots
            if len(self.snapshots) >= self.wanted and self.backups:
                self.full.set()


def _one(server: Server, event: bytes) -> list[Snapshot]:
    answer = server.call("POST", "/events", {"Event": base64.b64encode(event).decode()})
    assert answer.status == 201, answer
    return [decode_snapshot(answer.body)]


def _bulk(server: Server, event: bytes) -> list[Snapshot]:
    events = [base64.b64encode(event + b"/%d" % number).decode() for number in range(BULK)]
    answer = server.call("POST", "/events/bulk", {"Events": events})
    assert answer.status == 201, answer
    return list(decode_snapshots(answer.body))


def _digests(server: Server, event: bytes) -> list[Snapshot]:
    digests = [sha256(event + b"/%d" % number).digest() for number in range(BULK)]
    answer = server.call("POST", "/events/digests", b"".join(digests))
    assert answer.status == 201, answer
    first, hyper, history = decode_added(answer.body)
    return [
        Snapshot(first + number, digest, history[number], hyper)
        for number, digest in enumerate(digests)
    ]


def _add_until_killed(server: Server, load: Load, name: str) -> None:
    kinds: list[Callable[[Server, bytes], list[Snapshot]]] = [_one, _one, _bulk, _digests]
    for number in range(1_000_000):
        event = f"{name}/{number}".encode()
        try:
            load.acknowledge(kinds[number % len(kinds)](server, event))
        except (OSError, http.client.HTTPException):
            return  # killed; whether the last one is in the log is not known
        except Exception as error:  # noqa: BLE001 - told by the thread that asserts
            load.strange.append(repr(error))
            return


def _back_up_until_killed(server: Server, load: Load) -> None:
    while not load.full.is_set():
        try:
            answer = server.call("POST", "/backup", port=1)
        except (OSError, http.client.HTTPException):
            return
        with load.lock:
            load.backups += answer.status == 200
            if answer.status != 200:
                load.strange.append(repr(answer))
                return


def _round(server: Server, load: Load, name: str) -> None:
    """Put load on a running server and kill it in the middle."""
    threads = [
        threading.Thread(target=_add_until_killed, args=(server, load, f"{name}/{number}"))
        for number in range(ADDERS)
    ]
    threads.append(threading.Thread(target=_back_up_until_killed, args=(server, load)))
    for thread in threads:
        thread.start()
    assert load.full.wait(60), (
        f"{len(load.snapshots)} acknowledged: {load.strange}\n{server.output}"
    )
    server.kill()
    for thread in threads:
        thread.join(60)
    assert load.strange == []


def _expect_everything(server: Server, snapshots: Sequence[Snapshot]) -> None:
    """Prove each acknowledged event: as of its own snapshot, in the map of the newest one."""
    newest = _one(server, f"newest after {len(snapshots)}".encode())[0]
    versions = [snapshot.version for snapshot in snapshots]
    assert len(set(versions)) == len(versions), "one version was given twice"
    assert max(versions) < newest.version
    hyper = Root(newest.version, newest.hyper_digest)
    for snapshot in snapshots:
        question = {
            "KeyDigest": base64.b64encode(snapshot.event_digest).decode(),
            "Version": snapshot.version,
        }
        answer = server.call("POST", "/proofs/digest-membership", question)
        assert answer.status == 200, (snapshot, answer)
        verify_membership(
            decode_membership(answer.body),
            digest=snapshot.event_digest,
            version=snapshot.version,
            hyper=hyper,
            history=Root(snapshot.version, snapshot.history_digest),
        )


def _expect_backups(qed: Qed, server: Server, acknowledged: int, scratch: Path) -> None:
    """Restore and check each backup that is listed: at least those that were acknowledged."""
    done = server.backup("list")
    assert done.code == 0, done
    listed = printed.listed(done.out)
    assert len(listed) >= acknowledged
    for backup_id, version in listed.items():
        target = scratch / f"restored-{backup_id}"
        where = ["--backup-dir", str(server.db / "backups"), "--restore-path", str(target)]
        qed.ok("restore", *where, "--backup-id", str(backup_id))
        report = json.loads(qed.ok("check", str(target), "--json"))
        assert report["Events"] == int(version) + 1, report


def _kill_in_a_loop(qed: Qed, scratch: Path, rounds: int, seed: object) -> None:
    draw = random.Random(f"kill {seed}")  # noqa: S311 - a time to kill, not a secret
    server = Server(qed, scratch / "db")
    acknowledged: list[Snapshot] = []
    backups = 0
    for number in range(rounds):
        load = Load(wanted=draw.randrange(20, 400))
        with server:
            _round(server, load, f"round {number}")
        qed.ok("check", str(server.db))
        acknowledged += load.snapshots
        backups += load.backups
        with server:
            _expect_everything(server, load.snapshots if number < rounds - 1 else acknowledged)
            server.stop()
    with server:
        _expect_backups(qed, server, backups, scratch)


@pytest.fixture(name="seed")
def seed_of_the_run(pytestconfig: pytest.Config) -> object:
    return pytestconfig.getoption("randomly_seed", 0)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_kill_9(qed: Qed, tmp_path: Path, seed: object) -> None:
    _kill_in_a_loop(qed, tmp_path, 3, seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost_by_many_kills(qed: Qed, tmp_path: Path, seed: object) -> None:
    _kill_in_a_loop(qed, tmp_path, 60, seed)
