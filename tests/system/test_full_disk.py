"""A disk that fills up while the server adds and while it backs up.

The disk is a small tmpfs in a mount namespace of its own, held open by a process that waits for the
end of its input; everything else is started inside it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from process import Answer, Qed, Server

pytestmark = pytest.mark.slow

DISK_MIB = 48


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted file system, and the words under which a command sees it."""

    path: Path
    inside: Sequence[str]

    def run(self, *words: str) -> str:
        return subprocess.run(
            [*self.inside, *words], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def fill(self) -> None:
        """Take all the space that is left."""
        words = ["dd", "if=/dev/zero", f"of={self.path}/filler", "bs=4096"]
        done = subprocess.run([*self.inside, *words], capture_output=True, text=True, check=False)
        assert "No space left" in done.stderr, done

    def free(self) -> None:
        self.run("rm", f"{self.path}/filler")


@contextlib.contextmanager
def mounted(path: Path) -> Iterator[Disk]:
    """Mount a small disk for the length of the block; only what is run `inside` sees it."""
    path.mkdir(parents=True)
    mount = f"mount -t tmpfs -o size={DISK_MIB}m none {path} && echo mounted && exec cat"
    root = os.geteuid() == 0  # who is not needs a user namespace to mount in
    user, enter_user = ([], []) if root else (["--map-root-user"], ["--user"])
    holder = subprocess.Popen(
        ["unshare", *user, "--mount", "sh", "-c", mount],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "mounted\n", "this machine has no namespaces"
        enter = ["nsenter", "--target", str(holder.pid), *enter_user, "--mount"]
        yield Disk(path, [*enter, "--preserve-credentials"])
        holder.stdin.close()


@pytest.fixture(name="disk")
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture(name="server")
def server_on_the_disk(qed: Qed, disk: Disk) -> Iterator[Server]:
    """A server whose database lies on the small disk, and its key and home elsewhere."""
    key = ["--private-key-path", str(qed.home / "key")]
    with Server(qed, disk.path / "db", key, prefix=disk.inside) as server:
        yield server


def _add(server: Server, name: str, count: int = 100) -> Answer:
    events = [base64.b64encode(f"{name}/{n}".encode()).decode() for n in range(count)]
    return server.call("POST", "/events/bulk", {"Events": events})


def _add_until_refused(server: Server) -> tuple[list[dict[str, Any]], Answer]:
    """Return the snapshots of everything acknowledged, and the refusal."""
    acknowledged: list[dict[str, Any]] = []
    for number in range(10_000):
        answer = _add(server, f"bulk {number}")
        if answer.status != 201:
            return acknowledged, answer
        acknowledged += answer.document()
    raise AssertionError("the disk never filled up")


def _expect_there(server: Server, snapshots: Sequence[dict[str, Any]]) -> None:
    for snapshot in snapshots:
        question = {"KeyDigest": snapshot["EventDigest"], "Version": snapshot["Version"]}
        answer = server.call("POST", "/proofs/digest-membership", question)
        assert answer.status == 200, answer
        assert answer.document()["Exists"], snapshot
        assert answer.document()["ActualVersion"] == snapshot["Version"]


def _check(disk: Disk, server: Server) -> Any:
    return json.loads(disk.run(*server.qed.command, "check", str(server.db), "--json"))


def test_a_disk_that_fills_up_during_adds(disk: Disk, server: Server) -> None:
    assert _add(server, "first").status == 201
    disk.fill()
    acknowledged, refusal = _add_until_refused(server)
    assert 400 <= refusal.status < 600
    text = refusal.body.decode().lower()
    assert "space" in text, text
    assert text.count("\n") == 1, text
    # Nothing more is acknowledged before a start has looked at what is there; the server ends by
    # itself or refuses, and it says why.
    with contextlib.suppress(OSError):
        assert _add(server, "after the refusal").status != 201
    server.kill()
    assert "No space left" in server.output
    disk.free()
    assert _check(disk, server)["Events"] >= 100 + len(acknowledged)
    server.start()
    _expect_there(server, acknowledged[::10] + acknowledged[-100:])
    assert _add(server, "after the restart").status == 201
    assert server.stop() == 0
    assert _check(disk, server)["Events"] >= 200 + len(acknowledged)


def test_a_start_on_a_full_disk_says_so_and_harms_nothing(disk: Disk, server: Server) -> None:
    first = _add(server, "first").document()
    server.kill()
    disk.fill()
    server.spawn()
    assert server.ended() != 0
    assert "No space left" in server.output
    assert "Traceback" not in server.output
    disk.free()
    server.start()
    _expect_there(server, first)
    assert _add(server, "second").status == 201


def test_a_backup_volume_that_fills_up(qed: Qed, tmp_path: Path) -> None:
    """The backup fails with a sentence, the one before it stays good, the log goes on."""
    db = tmp_path / "db"
    with mounted(db / "backups") as disk, Server(qed, db, prefix=disk.inside) as server:
        acknowledged = _add(server, "first", 1_000).document()
        assert server.call("POST", "/backup", port=1).status == 200
        acknowledged += _add(server, "second", 20_000).document()
        disk.fill()
        refusal = server.call("POST", "/backup", port=1)
        assert 400 <= refusal.status < 600, refusal
        assert "space" in refusal.body.decode().lower(), refusal
        assert _backups(server) == {1: "999"}
        acknowledged += _add(server, "while the volume is full").document()
        disk.free()
        assert server.call("POST", "/backup", port=1).status == 200
        assert list(_backups(server).values()) == ["999", "21099"]
        _expect_there(server, acknowledged[::1000] + acknowledged[-100:])
        backups = _backups(server)
        assert server.stop() == 0
        for backup_id, version in backups.items():
            target = tmp_path / f"restored-{backup_id}"
            where = ["--backup-dir", str(db / "backups"), "--restore-path", str(target)]
            disk.run(*qed.command, "restore", *where, "--backup-id", str(backup_id))
            report = json.loads(disk.run(*qed.command, "check", str(target), "--json"))
            assert report["Events"] == int(version) + 1


def _backups(server: Server) -> dict[int, str]:
    answer = server.call("GET", "/backups", port=1)
    assert answer.status == 200, answer
    return {backup["ID"]: backup["Metadata"] for backup in answer.document()}
