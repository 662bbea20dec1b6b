from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import qed.server.start as room
from qed.backup.create import create_backup
from qed.backup.restore import restore_backup
from qed.database import Database
from qed.engine.log import Log
from qed.engine.rows import FAMILIES
from qed.errors import (
    ConflictError,
    FatalError,
    LockedError,
    NotFoundError,
    QedError,
    StorageError,
)
from qed.server.config import ServerConfig
from qed.server.start import serve
from qed.trees import kernel
from qed.web.limits import WebLimits
from qed.wire import flat
from serving import DEADLINE_S, Wire, ask, eventually
from unit.server.conftest import Running, SlowDisk, local, running

ADD = b'{"Event":"eA=="}'


def refusal(config: ServerConfig) -> QedError:
    """Return what a start was refused with."""
    with pytest.raises(QedError) as caught:
        serve(config, announce=lambda _line: None)
    return caught.value


def added(port: int) -> int:
    return json.loads(ask(port, "POST", "/events", ADD).body)["Version"]


# --- the start ----------------------------------------------------------------------------------


def test_a_first_start_makes_a_key_and_a_log_and_says_so(tmp_path: Path) -> None:
    with running(local(tmp_path / "db")) as server:
        key = tmp_path / "db.keys" / "qed_ed25519"
        public = key.with_suffix(".pub").read_bytes().hex()
        info = json.loads(ask(server.data, "GET", "/info").body)
        assert server.announced[:2] == [
            f"created the signing key {key} (public half {public})",
            f"created a new, empty log {info['log_id']}",
        ]
        assert f"data port       http://127.0.0.1:{server.data}" in server.announced
        assert f"metrics port    http://127.0.0.1:{server.metrics}" in server.announced
        assert server.announced[-1] == f"verifier key    {info['verifier_key']}"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert server.announced[-2:] == ["stopping: answering what is in flight", "stopped"]
    assert not any(key.read_bytes()[:32].hex() in line for line in server.announced)


@pytest.mark.parametrize("why", ["", "the native kernel is not built"])
def test_a_start_without_the_native_kernel_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(kernel, "NAME", "twin (pure Python)")
    monkeypatch.setattr(kernel, "WHY_TWIN", why)
    monkeypatch.setattr(flat, "WHY_TWIN", why)
    with running(local(tmp_path / "db")) as server:
        told = server.about_the_kernel
    line = f"warning: running on the twin (pure Python), many times slower: {why}"
    assert told == ([line] if why else [])


def test_a_start_without_the_native_reading_of_bodies_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "WHY_TWIN", "")
    monkeypatch.setattr(flat, "NAME", "twin (pure Python)")
    monkeypatch.setattr(flat, "WHY_TWIN", "it is not built")
    with running(local(tmp_path / "db")) as server:
        told = server.about_the_kernel
    assert told == [
        "warning: running on the twin (pure Python) for bodies, slower: it is not built"
    ]


def test_threads_take_short_turns_while_a_server_runs(tmp_path: Path) -> None:
    before_s = sys.getswitchinterval()
    with running(local(tmp_path / "db")):
        assert sys.getswitchinterval() == pytest.approx(room.SWITCH_INTERVAL_S)
        assert before_s > 2 * room.SWITCH_INTERVAL_S
    assert sys.getswitchinterval() == pytest.approx(before_s)


def test_a_second_start_goes_on_with_the_same_log(tmp_path: Path) -> None:
    config = local(tmp_path / "db")
    with running(config) as server:
        assert added(server.data) == 0
        log_id = json.loads(ask(server.data, "GET", "/info").body)["log_id"]
    with running(config) as server:
        assert server.announced[0] == f"opened log {log_id}: 1 events (newest version 0)"
        assert added(server.data) == 1


def test_a_key_that_is_named_and_missing_is_made(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "qed_ed25519"
    with running(local(tmp_path / "db", private_key_path=key)) as server:
        assert str(key) in server.announced[0]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not (tmp_path / "db.keys").exists()


def test_a_key_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    config = local(tmp_path / "db")
    with running(config):
        pass
    config.key_path.chmod(0o644)
    with running(config) as server:
        assert server.announced[0].startswith("warning: others can read the signing key")


def test_an_unusable_key_is_refused_before_a_database_is_made(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"not a key")
    assert isinstance(refusal(local(tmp_path / "db", private_key_path=key)), ConflictError)
    assert not (tmp_path / "db").exists()


def test_a_port_in_use_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with running(local(tmp_path / "one")) as server:
        taken = f"127.0.0.1:{server.data}"
        error = refusal(local(tmp_path / "two", http_addr=taken))
    assert error.message == f"the address {taken} is in use by another process"
    assert not (tmp_path / "two").exists()
    assert not (tmp_path / "two.keys").exists()


def test_a_missing_certificate_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    config = local(tmp_path / "db", enable_tls=True, tls_cert_path=missing, tls_key_path=missing)
    assert isinstance(refusal(config), NotFoundError)
    assert list(tmp_path.iterdir()) == []


def test_a_second_server_on_the_database_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    config = local(tmp_path / "db")
    with running(config) as server:
        error = refusal(config)
        assert isinstance(error, LockedError)
        assert error.message.startswith(f"database {tmp_path / 'db'} is in use by another process")
        assert added(server.data) == 0


def test_a_file_where_the_database_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"")
    assert isinstance(refusal(local(tmp_path / "db")), ConflictError)


def test_another_origin_than_the_logs_is_refused(tmp_path: Path) -> None:
    with running(local(tmp_path / "db", origin="log.example.org")) as server:
        assert json.loads(ask(server.data, "GET", "/info").body)["origin"] == "log.example.org"
    error = refusal(local(tmp_path / "db", origin="other.example.org"))
    assert isinstance(error, ConflictError)
    assert "log.example.org" in error.message
    with running(local(tmp_path / "db")):
        pass


def test_a_node_id_belongs_to_the_database(tmp_path: Path) -> None:
    with running(local(tmp_path / "db", node_id="server0")):
        pass
    assert isinstance(refusal(local(tmp_path / "db", node_id="server1")), ConflictError)
    with running(local(tmp_path / "db")) as server:
        assert json.loads(ask(server.data, "GET", "/info").body)["node_id"] == "server0"


def test_a_creation_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    Database.create(tmp_path / "db", FAMILIES).close()
    with running(local(tmp_path / "db")) as server:
        assert server.announced[1].startswith("created a new, empty log")


def test_a_restore_that_was_staged_while_it_ran_is_served_after_the_restart(
    tmp_path: Path,
) -> None:
    config = local(tmp_path / "db")
    with running(config) as server:
        added(server.data)
        assert ask(server.management, "POST", "/backup").status == 200
        assert added(server.data) == 1
        restore_backup(config.backups_path, config.db_path, None)
        assert added(server.data) == 2
    with running(config) as server:
        assert server.announced[0] == "restored backup 1: the log has 1 events (newest version 0)"
        assert "qed-replaced" in server.announced[1]
        assert "2 versions are only there" in server.announced[1]
        assert "second history" in server.announced[2]
        assert added(server.data) == 1
        assert json.loads(ask(server.management, "GET", "/backups").body)[0]["ID"] == 1


def test_what_a_backup_left_behind_is_cleaned(tmp_path: Path) -> None:
    config = local(tmp_path / "db")
    with running(config):
        pass
    with Log.open(config.db_path) as log:
        config.checkpoints_path.mkdir()
        log.checkpoint(config.checkpoints_path / "left-over")
        create_backup(log, config.backups_path, scratch=config.checkpoints_path)
    with running(config):
        assert not list(config.checkpoints_path.glob("*"))
        assert (config.backups_path / "meta" / "1").exists()


def test_a_stop_while_the_log_is_opening_ends_that_and_lets_go_of_it(tmp_path: Path) -> None:
    config = local(tmp_path / "db")
    with running(config) as server:
        assert added(server.data) == 0
    server = Running(config)
    server.stop.request()
    server.start()
    assert server.join() is None
    assert server.places is None
    assert server.announced == ["stopped before the log was open: nothing was served"]
    with running(config) as server:
        assert added(server.data) == 1


def test_a_stop_before_there_is_a_log_leaves_a_whole_one(tmp_path: Path) -> None:
    server = Running(local(tmp_path / "db"))
    server.stop.request()
    server.start()
    assert server.join() is None
    assert server.announced[-1] == "stopped"
    with Log.open(tmp_path / "db") as log:
        assert log.head.size == 0


OPENING = """
import select, sys
from pathlib import Path
import qed.server.start as room
from qed.server.config import ServerConfig
from qed.web import process
process.PROGRESS_EVERY_S = 0.0
def announce(line):
    print(line, flush=True)
    if line.startswith("opening the log: 1 of 2"):
        # The log stays where it is until the test lets it go on. In turns, since a signal that
        # comes between the last look for one and a read without an end would never be handled.
        while not select.select([sys.stdin], [], [], 0.05)[0]:
            pass
anywhere = "127.0.0.1:0"
room.serve(
    ServerConfig(db_path=Path(sys.argv[1]), http_addr=anywhere, mgmt_addr=anywhere,
                 metrics_addr=anywhere),
    announce=announce,
)
print("returned", flush=True)
"""


@contextlib.contextmanager
def opening(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has replayed one of the two groups of a log, and waits."""
    with running(local(path)) as server:
        for _ in range(2):
            added(server.data)
    command = [sys.executable, "-c", OPENING, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        line = process.stdout.readline()
        if line.startswith("warning: running on the twin"):
            line = process.stdout.readline()
        assert line.startswith("opening the log: 1 of 2 events")
        yield process


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal, as the system sees it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(caught >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_log_is_opening_is_a_stop_in_order(number: int, tmp_path: Path) -> None:
    with opening(tmp_path / "db") as process:
        process.send_signal(number)
        told = process.communicate("\n", timeout=DEADLINE_S)
    assert told == ("stopped before the log was open: nothing was served\nreturned\n", "")
    assert process.returncode == 0
    with Log.open(tmp_path / "db") as log:
        assert log.head.size == 2


def test_a_second_signal_while_the_log_is_opening_does_not_wait(tmp_path: Path) -> None:
    with opening(tmp_path / "db") as process:
        process.send_signal(signal.SIGINT)
        eventually(lambda: not catches(process.pid, signal.SIGTERM), "the first signal is taken")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == -signal.SIGTERM
    with Log.open(tmp_path / "db") as log:
        assert log.head.size == 2


def waiting(server: Running) -> float:
    """Return how many adds are not on disk yet, as its metrics say."""
    text = ask(server.metrics, "GET", "/metrics").body.decode()
    return float(text.split("\nqed_adds_waiting ")[1].split("\n")[0])


# --- the stop -----------------------------------------------------------------------------------


def test_adds_in_flight_are_answered_and_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = local(tmp_path / "db")
    with running(config) as server, concurrent.futures.ThreadPoolExecutor(16) as pool:
        disk = SlowDisk(monkeypatch)
        bodies = [json.dumps({"Event": f"{number:04}"}).encode() for number in range(16)]
        wires = [Wire(server.data) for _ in bodies]
        replies = [
            pool.submit(wire.ask, "POST", "/events", body)
            for wire, body in zip(wires, bodies, strict=True)
        ]
        disk.wait_for_a_commit()
        eventually(lambda: waiting(server) == 16, "sixteen adds in flight")
        server.stop.request()
        eventually(lambda: "stopping: answering what is in flight" in server.announced, "the stop")
        disk.release.set()
        answers = [reply.result(DEADLINE_S) for reply in replies]
        assert server.join() is None
        for wire in wires:
            wire.socket.close()
    assert {answer.status for answer in answers} == {201}
    assert {answer.headers["connection"] for answer in answers} == {"close"}
    versions = {json.loads(answer.body)["Version"] for answer in answers}
    assert versions == set(range(16))
    with Log.open(config.db_path) as log:
        assert log.head.size == 16


def test_what_was_given_up_by_the_drain_is_in_the_log_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = local(tmp_path / "db", limits=WebLimits(drain_s=0.05))
    with running(config) as server, Wire(server.data) as first, Wire(server.data) as second:
        disk = SlowDisk(monkeypatch)
        for wire in (first, second):  # one at the disk, one in the queue
            wire.send(b"POST /events HTTP/1.1\r\nHost: t\r\nContent-Length: 16\r\n\r\n" + ADD)
            if wire is first:
                disk.wait_for_a_commit()
        eventually(lambda: waiting(server) == 2, "two adds in flight")
        server.stop.request()
        assert first.closed()
        assert second.closed()
        disk.release.set()
        assert server.join() is None
    with Log.open(config.db_path) as log:
        assert log.head.size == 2


def test_a_log_that_fails_stops_the_process_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = local(tmp_path / "db")
    with running(config) as server:
        assert added(server.data) == 0
        with monkeypatch.context() as patch:
            disk = SlowDisk(patch)
            disk.failure = StorageError("cannot sync: No space left on device", errno=28)
            disk.release.set()
            reply = ask(server.data, "POST", "/events", ADD)
            assert (reply.status, b"No space left on device" in reply.body) == (500, True)
            error = server.join()
    assert isinstance(error, StorageError)
    assert isinstance(error, FatalError)
    assert error.errno == 28
    assert "stopped" not in server.announced
    with running(config) as server:
        assert added(server.data) == 1


def test_the_database_is_free_after_the_stop(tmp_path: Path) -> None:
    server = Running(local(tmp_path / "db"))
    server.start()
    server.stop.request()
    assert server.join() is None
    with Log.open(tmp_path / "db") as log:
        assert log.head.size == 0


PROGRAM = """
import sys
from pathlib import Path
from qed.server.config import ServerConfig
from qed.server.start import serve
anywhere = "127.0.0.1:0"
serve(
    ServerConfig(db_path=Path(sys.argv[1]), http_addr=anywhere, mgmt_addr=anywhere,
                 metrics_addr=anywhere),
    announce=lambda line: None,
    on_ready=lambda places: print(places.data.address.port, flush=True),
)
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_no_request(number: int, tmp_path: Path) -> None:
    acknowledged: list[bytes] = []
    unanswered: list[OSError] = []

    def load(port: int, name: int) -> None:
        with Wire(port) as wire:
            for count in range(100_000):
                event = b"%d of %d..." % (count, name)
                digest = hashlib.sha256(event).digest()
                try:
                    reply = wire.ask("POST", "/events/digests", digest)
                except OSError as error:
                    unanswered.append(error)
                    return
                assert reply.status == 201
                acknowledged.append(digest)
                if reply.headers.get("connection") == "close":
                    return

    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "db")]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        port = int(process.stdout.readline())
        loads = [pool.submit(load, port, name) for name in range(8)]
        eventually(lambda: len(acknowledged) > 200, "some load")
        os.kill(process.pid, number)
        for one in loads:
            one.result(DEADLINE_S)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(DEADLINE_S) == 0
    assert unanswered == []  # every connection was told to close, none was cut
    with Log.open(tmp_path / "db") as log:
        assert log.head.size == len(acknowledged)
        assert all(log.prove_membership(digest).exists for digest in acknowledged)
