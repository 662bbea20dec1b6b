"""The command line in this process: what it wrote, its exit code, and a log in memory to ask."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
import structlog

from publishing import PublishedLog, Serving, serving
from pure_log import PureLog
from qed import wire
from qed.cli import client_flags, main
from qed.cli.server_part import SERVER_LIBRARIES
from qed.errors import NotFoundError, NotProvenError
from qed.signing.note import format_verifier_key


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class FakeClient:
    """A client whose server is a log in memory; it answers as the server does."""

    log: PureLog = field(default_factory=PureLog)
    entries: dict[int, wire.BackupEntry] = field(default_factory=dict)
    added: list[bytes] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    failure: Exception | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, event: bytes):
        return self.add_bulk([event])[0]

    def add_bulk(self, events: Sequence[bytes]):
        if self.failure is not None:
            raise self.failure
        self.added += events
        self.batches.append(len(events))
        return self.log.add([sha256(event).digest() for event in events])

    def add_digests(self, digests: Sequence[bytes]):
        return self.log.add(list(digests))

    def get(self, version: int):
        if self.failure is not None:
            raise self.failure
        return self.log.snapshots[version]

    def membership(self, *, digest: bytes, version: int | None = None):
        if self.failure is not None:
            raise self.failure
        proof = self.log.membership(digest, version)
        if proof.exists and version is not None and proof.actual_version > version:
            raise NotProvenError("too new")
        return proof

    def incremental(self, start: int, end: int):
        return self.log.incremental(start, end)

    def create_backup(self) -> None:
        if self.failure is not None:
            raise self.failure
        number = len(self.entries) + 1
        self.entries[number] = wire.BackupEntry(number, 1563369206, 5 * 2**29, 4, "1")

    def backups(self):
        return list(self.entries.values())

    def delete_backup(self, backup_id: int) -> None:
        if self.entries.pop(backup_id, None) is None:
            raise NotFoundError(f"there is no backup {backup_id}")


@pytest.fixture(name="published")
def log_that_publishes() -> Iterator[Serving]:
    """Serve a log of four events, its proofs and what it publishes, on one port."""
    log = PublishedLog()
    for number in range(4):
        log.add(b"event %d" % number)
    with serving(log, info={"verifier_key": format_verifier_key(log.key)}) as server:
        yield server


@pytest.fixture(name="ask_published")
def run_against_what_is_published(run, published):
    """Give a function that runs a client command against that log, which is its store too."""
    flags = (
        "--endpoints",
        published.url,
        "--snapshot-store-url",
        published.url,
        "--enable-topology-discovery=false",
        "--enable-health-checks=false",
    )
    return lambda *words, **more: run("client", *words, *flags, **more)


@pytest.fixture(name="client")
def client_in_memory(monkeypatch) -> FakeClient:
    """Answer every command that wants a client with one that has a log in memory."""
    fake = FakeClient()

    def create(config):
        fake.fields = {name: getattr(config, name) for name in config.__slots__}
        return fake

    monkeypatch.setattr(client_flags, "Client", create)
    return fake


@pytest.fixture(name="run")
def run_command(capsysbinary, monkeypatch, tmp_path):
    """Give a function that runs `qed` with words, standard input and environment."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run(*words: str, given: bytes = b"", env: dict[str, str] | None = None) -> Done:
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsysbinary.readouterr()
        code = main.run(words)
        captured = capsysbinary.readouterr()
        return Done(code, captured.out, captured.err.decode())

    yield run
    root = logging.getLogger()
    root.handlers[:] = [
        handler for handler in root.handlers if type(handler).__module__ != "qed.cli.logs"
    ]
    root.setLevel(logging.WARNING)
    logging.getLogger("qed").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture(name="plain_install")
def run_without_the_server_part():
    """Give a function that runs `qed` where none of the extra's libraries can be imported."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        code = (
            f"import sys; sys.modules.update(dict.fromkeys({sorted(SERVER_LIBRARIES)}));"
            "from qed.cli.main import main; main()"
        )
        command = [sys.executable, "-W", "error", "-c", code, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
