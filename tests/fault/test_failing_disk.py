"""A server whose disk stops syncing: nothing is acknowledged, the process ends and says why."""

from __future__ import annotations

import base64
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from process import Answer, Qed, Server

pytestmark = [pytest.mark.fault, pytest.mark.slow]

STORAGE = 42


@contextlib.contextmanager
def failing(server: Server, fault: str) -> Iterator[None]:
    """Let every sync of a running server fail for the length of the block."""
    command = ["strace", "-f", "-p", str(server.pid), "-e", "trace=fdatasync", "-e", fault]
    with subprocess.Popen(
        [*command, "-o", "/dev/null"], stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        assert "attached" in said, said
        yield
        tracer.terminate()
        tracer.communicate(timeout=60)


def _add(server: Server, event: str) -> Answer:
    return server.call("POST", "/events", {"Event": base64.b64encode(event.encode()).decode()})


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_sync_that_fails_stops_the_server(
    qed_command: list[str], tmp_path: Path, error: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    server = Server(Qed(qed_command, home), tmp_path / "db")
    with server:
        for number in range(3):
            assert _add(server, f"event {number}").status == 201
        with failing(server, f"inject=fdatasync:error={error}"):
            refusal = _add(server, "event 3")
            assert 400 <= refusal.status < 600
            assert b"whether the events are in the log" in refusal.body
            assert server.ended() == STORAGE, server.output
        assert "Traceback" not in server.output
        assert "fdatasync" in server.output
        server.qed.ok("check", str(server.db))
        server.start()
        for number in range(3):
            done = server.client("membership", "--event", f"event {number}", "--json")
            assert done.code == 0, done
            assert done.document()["ActualVersion"] == number
        assert _add(server, "event 4").document()["Version"] in (3, 4)
