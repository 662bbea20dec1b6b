"""All five processes of a log, as installed commands: server, store, publisher, auditor, monitor.

Each can be killed, stopped and started again on its own. A test that wants somebody to lie puts an
address of its own in the place of the server's or the store's (`server_url`, `store_url`).
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from process import (
    COMMAND_LIMIT_S,
    POLL_S,
    START_LIMIT_S,
    Answer,
    Qed,
    Server,
    environment,
    free_ports,
)

AGENTS = ("publisher", "auditor", "monitor")


@dataclass(slots=True)
class Program:
    """One long-running command; whether it answers shows at `port`, if it has one."""

    qed: Qed
    words: Sequence[str]
    port: int
    probe: str  # the path that is asked
    _process: subprocess.Popen[bytes] | None = None
    _output: list[bytes] = field(default_factory=list)
    _reader: threading.Thread | None = None

    @property
    def output(self) -> str:
        """What it has written since the last start."""
        return b"".join(self._output).decode(errors="replace")

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def spawn(self) -> Self:
        """Start it; whether it answers is another question."""
        self._output = []
        self._process = subprocess.Popen(
            [*self.qed.command, *self.words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(self.qed.home),
            cwd=self.qed.home,
        )
        self._reader = threading.Thread(
            target=self._collect, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()
        return self

    def _collect(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self._output.append(line)

    def wait_ready(self) -> Self:
        """Wait until it answers."""
        assert self._process is not None
        for _ in deadline(START_LIMIT_S):
            if self._process.poll() is not None:
                code = self.end()
                raise AssertionError(f"{self.words[:2]} ended with {code}:\n{self.output}")
            try:
                if get(self.port, self.probe).status == 200:
                    return self
            except OSError:
                pass
        self.kill()
        raise AssertionError(f"{self.words[:2]} does not answer:\n{self.output}")

    def start(self) -> Self:
        return self.spawn().wait_ready()

    def stop(self) -> int:
        """SIGTERM; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Wait until it has ended; return its exit code."""
        assert self._process is not None
        code = self._process.wait(COMMAND_LIMIT_S)
        if self._reader is not None:
            self._reader.join(COMMAND_LIMIT_S)
        self._process = None
        return code

    def close(self) -> None:
        if self._process is not None:
            self.kill()


@dataclass(slots=True)
class Whole:
    """The five of one log below `directory`; everything that was started ends with the block."""

    qed: Qed
    directory: Path
    server_flags: Sequence[str] = ()
    agent_flags: Sequence[str] = ()
    server_url: str = ""  # what publisher, auditor and monitor are told; the server's own if empty
    store_url: str = ""  # what auditor and monitor are told; the store's own if empty
    server: Server = field(init=False)
    programs: dict[str, Program] = field(default_factory=dict)
    key: str = ""

    def __post_init__(self) -> None:
        self.server = Server(self.qed, self.directory / "db", self.server_flags)

    @property
    def store(self) -> Program:
        return self.programs["store"]

    def start_server(self) -> Self:
        self.server.start()
        info = self.server.call("GET", "/info").document()
        self.key = info["verifier_key"]
        self.server_url = self.server_url or self.server.endpoint
        return self

    def start_store(self) -> Program:
        port, metrics = free_ports(2)
        words = [
            *("store", "start", "--http-addr", f"127.0.0.1:{port}"),
            *("--metrics-addr", f"127.0.0.1:{metrics}", "--key", self.key),
            *("--db-path", str(self.directory / "store"), "--log", "info"),
        ]
        self.programs["store"] = Program(self.qed, words, port, "/count")
        self.store_url = self.store_url or self.real_store_url
        return self.store.start()

    @property
    def real_store_url(self) -> str:
        return f"http://127.0.0.1:{self.store.port}"

    def agent_words(self, name: str, *flags: str) -> list[str]:
        """The command line of an agent; the publisher always writes into the real store."""
        store = self.real_store_url if name == "publisher" else self.store_url
        return [
            *("agent", name, "--qed-endpoints", self.server_url, "--store-endpoint", store),
            *("--notifier-endpoint", f"{self.real_store_url}/alert", "--key", self.key),
            *("--state-path", str(self.directory / name), "--log", "info"),
            *self.agent_flags,
            *flags,
        ]

    def spawn_agent(self, name: str, *flags: str) -> Program:
        (port,) = free_ports(1)
        words = [*self.agent_words(name, *flags), "--metrics-addr", f"127.0.0.1:{port}"]
        self.programs[name] = Program(self.qed, words, port, "/metrics")
        return self.programs[name].spawn()

    def start_agent(self, name: str, *flags: str) -> Program:
        return self.spawn_agent(name, *flags).wait_ready()

    def start(self) -> Self:
        """Start all five; the agents at the same time."""
        self.start_server().start_store()
        for agent in [self.spawn_agent(name) for name in AGENTS]:
            agent.wait_ready()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.programs.values():
            program.close()
        self.server.__exit__(None, None, None)

    # --- what can be asked of them -------------------------------------------------------------

    def count(self) -> int:
        """How many snapshots the store has."""
        return int(get(self.store.port, "/count").body)

    def alerts(self) -> list[str]:
        """The alerts at the store."""
        found: list[str] = json.loads(get(self.store.port, "/alert").body)
        return found

    def metrics_text(self, name: str) -> str:
        """All metrics of an agent, as it serves them."""
        return get(self.programs[name].port, "/metrics").body.decode()

    def metric(self, name: str, metric: str) -> float:
        """A metric of an agent, summed over its labels; 0 while there is none."""
        return self._metric(self.programs[name].port, metric)

    def metric_of_server(self, metric: str) -> float:
        """The same of the server."""
        return self._metric(self.server.ports[2], metric)

    def _metric(self, port: int, metric: str) -> float:
        text = get(port, "/metrics").body.decode()
        values = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((f"{metric} ", f"{metric}{{"))
        ]
        return sum(values)

    def evidence_files(self, name: str) -> list[Path]:
        """What an agent has filed."""
        return sorted((self.directory / name / "evidence").glob("*.json"))

    def said(self) -> str:
        """What all of them have written, for a test that fails."""
        said = {"server": self.server.output}
        said |= {name: program.output for name, program in self.programs.items()}
        return "\n".join(f"=== {name}\n{text[-4000:]}" for name, text in said.items())


def deadline(limit_s: float) -> Iterator[int]:
    """Yield until the time is over, with a short pause between."""
    paused = threading.Event()
    for number in range(int(limit_s / POLL_S)):
        yield number
        paused.wait(POLL_S)


def get(port: int, path: str, limit_s: float = 10.0) -> Answer:
    """Make one GET request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()
