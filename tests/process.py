"""The installed `qed` command as tests use it: run to its end, or a server until it is stopped.

A process that has no other signal is asked again and again until a deadline; that is the one place
where a test waits for time to pass. Nothing of the user's is touched: home, data and environment
are the test's own.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

COMMAND_LIMIT_S = 60.0
START_LIMIT_S = 60.0
POLL_S = 0.02

# Below the range from which the kernel takes the ports of outgoing connections.
_PORTS = range(12_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on, below the kernel's own choice."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which the command sees nothing of the user's."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    own = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return kept | own | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(extra or {})


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"

    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Qed:
    """The command with a home of its own."""

    command: Sequence[str]
    home: Path

    def run(
        self, *words: str, given: str | bytes = "", env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a command to its end; `given` is its standard input."""
        done = subprocess.run(
            [*self.command, *words],
            input=given.encode() if isinstance(given, str) else given,
            capture_output=True,
            env=environment(self.home, env),
            cwd=self.home,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str, given: str | bytes = "") -> str:
        """Run a command that must succeed; return its standard output."""
        done = self.run(*words, given=given)
        assert done.code == 0, f"qed {' '.join(words)}: {done}"
        return done.out


@dataclass(slots=True)
class Server:
    """`qed server start` on ports of its own; started with the block, stopped with it."""

    qed: Qed
    db: Path
    flags: Sequence[str] = ()
    prefix: Sequence[str] = ()  # what the command is run under: strace, unshare
    ports: Sequence[int] = field(default_factory=lambda: free_ports(3))
    _process: subprocess.Popen[bytes] | None = None
    _output: list[bytes] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def management(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has written to both streams since the last start."""
        return b"".join(self._output).decode(errors="replace")

    def words(self) -> list[str]:
        addresses = zip(("http", "mgmt", "metrics"), self.ports, strict=True)
        listen = [f"--{name}-addr=127.0.0.1:{port}" for name, port in addresses]
        return ["server", "start", *listen, "--db-path", str(self.db), *self.flags]

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it and collect what it writes; whether it serves is another question."""
        process = subprocess.Popen(
            [*self.prefix, *self.qed.command, *self.words()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(self.qed.home),
            cwd=self.qed.home,
        )
        self._process, self._output = process, []
        self._readers = [
            threading.Thread(target=self._collect, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()
        return process

    def _collect(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self._output.append(line)

    def start(self) -> Self:
        """Start it and wait until it answers on all its ports."""
        process = self.spawn()
        paused = threading.Event()
        for _ in range(int(START_LIMIT_S / POLL_S)):
            if process.poll() is not None:
                self._end()
                raise AssertionError(f"the server ended with {process.returncode}:\n{self.output}")
            if self.answers():
                return self
            paused.wait(POLL_S)
        process.kill()
        self._end()
        raise AssertionError(f"the server does not answer:\n{self.output}")

    def answers(self) -> bool:
        try:
            return (
                self.call("HEAD", "/healthcheck", limit_s=5).status == 204
                and self.call("GET", "/backups", port=1, limit_s=5).status == 200
                and self.call("GET", "/metrics", port=2, limit_s=5).status == 200
            )
        except OSError:
            return False

    def stop(self) -> int:
        """Ask it to go, as `docker stop` does; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._end()

    def kill(self) -> None:
        """End it as a power cut would, as far as the process is concerned."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def _end(self) -> int:
        assert self._process is not None
        code = self._process.wait(COMMAND_LIMIT_S)
        for reader in self._readers:
            reader.join(COMMAND_LIMIT_S)
        self._process = None
        return code

    def ended(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        return self._end()

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()

    def call(  # noqa: PLR0913 - an HTTP request has as many parts
        self,
        method: str,
        path: str,
        body: bytes | Any = None,
        *,
        port: int = 0,
        headers: Mapping[str, str] | None = None,
        limit_s: float = COMMAND_LIMIT_S,
    ) -> Answer:
        """Make one HTTP request to a port (0 data, 1 management, 2 metrics); JSON unless bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=limit_s)
        try:
            connection.request(method, path, data, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    # --- the commands of a user against this server ------------------------------------------

    def client(self, *words: str, given: str | bytes = "") -> Finished:
        return self.qed.run("client", "--endpoints", self.endpoint, *words, given=given)

    def add(self, event: str) -> str:
        done = self.client("add", "--event", event)
        assert done.code == 0, done
        return done.out

    def backup(self, *words: str) -> Finished:
        return self.qed.run("backup", "--endpoint", self.management, *words)
