"""What runs beside the server of `qed dev`: a snapshot store, publisher, auditor and monitor.

Each is a process of its own, started as a person would start it, with its output in a file. One
thread starts them, starts again what ended, and stops them. Their data lies in a directory named
after the log and its key: a log that takes the place of another (the walk-through does that) gets
a store and agents of its own, and what they knew of the other one stays as it was.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qed import durable
from qed.client.feed import open_source
from qed.client.pins import ask_key
from qed.errors import QedError, UnavailableError
from qed.signing.note import VerifierKey, format_verifier_key

STORE = "store"
AGENTS = ("publisher", "auditor", "monitor")
LOGS_NAME = "output"
KEY_NAME = "verifier-key"

_STORE_LIMIT_S = 60.0
_POLL_S = 0.05
_WATCH_S = 1.0
_AGAIN_S = (1.0, 2.0, 5.0, 15.0, 60.0)  # after how long what ended is started again
_STOP_LIMIT_S = 30.0
_ANY_PORT = "127.0.0.1:0"  # what it became stands in the output
_TAIL_BYTES = 16 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where everything is: addresses as URLs, `store` as host:port, and the directory of it all."""

    directory: Path
    data: str
    store: str
    log_level: str

    @property
    def store_url(self) -> str:
        """The store as clients are told."""
        return f"http://{self.store}"


@dataclass(slots=True)
class _Child:
    """One companion; owned by the thread that starts it."""

    name: str
    words: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    ends: int = 0


@dataclass(slots=True)
class Companions:
    """The companions of one server; `start` once, `stop` once."""

    setting: Setting
    on_ready: Callable[[str], None]  # given the verifier key
    on_failure: Callable[[QedError], None]
    announce: Callable[[str], None]
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start them in the background; `on_ready` is called once the store answers.

        What keeps them from starting goes to `on_failure`.
        """
        # The children die with the thread that started them: it lives until they are stopped.
        self._thread = threading.Thread(target=self._run, name="qed-dev-companions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop them and wait until they have ended."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        children: list[_Child] = []
        try:
            # The server is this very process: its word is enough.
            with open_source(self.setting.data) as source:
                key = ask_key(source)
            text = format_verifier_key(key)
            # For `--key` of whoever checks offline.
            durable.write_file(self.setting.directory / KEY_NAME, text.encode() + b"\n")
            children.append(_Child(STORE, store_words(self.setting, key)))
            self._spawn(children[0])
            self._await_store(children[0])
            for name in AGENTS:
                children.append(_Child(name, agent_words(self.setting, key, name)))
                self._spawn(children[-1])
            self.on_ready(text)
            self._watch(children)
        except QedError as error:
            self.on_failure(error)
        finally:
            # Agents first: what they read from goes last.
            for child in reversed(children):
                _end(child)

    def _spawn(self, child: _Child) -> None:
        path = self._log_path(child)
        durable.make_directory(path.parent)
        command = [sys.executable, "-m", "qed.cli.dev_child", str(os.getpid()), *child.words]
        with durable.storage_errors("write", path), path.open("ab") as log:
            child.process = subprocess.Popen(  # noqa: S603 - this program, with words made here
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the parent, which stops its children in order.
                start_new_session=True,
            )

    def _await_store(self, child: _Child) -> None:
        """Return once the store answers; one that ends before is said with its own last words."""
        waited_s = 0.0
        with open_source(self.setting.store_url, timeout_s=1.0) as source:
            while not self._stopping.wait(_POLL_S):
                waited_s += _POLL_S
                if child.process is not None and child.process.poll() is not None:
                    raise UnavailableError(
                        f"the snapshot store did not start: {self._last_words(child)}",
                        hint=f"everything it said is in {self._log_path(child)}",
                    )
                try:
                    source.get("/count")
                except UnavailableError as error:
                    if waited_s > _STORE_LIMIT_S:
                        raise UnavailableError(
                            "the snapshot store does not answer",
                            hint=f"everything it said is in {self._log_path(child)}",
                        ) from error
                else:
                    return

    def _watch(self, children: Sequence[_Child]) -> None:
        """Start again what ended, until the stop."""
        while not self._stopping.wait(_WATCH_S):
            for child in children:
                if child.process is None or child.process.poll() is None:
                    continue
                pause_s = _AGAIN_S[min(child.ends, len(_AGAIN_S) - 1)]
                child.ends += 1
                self.announce(
                    f"{child.name} has ended with status {child.process.returncode}: "
                    f"{self._last_words(child)}; it is started again in {pause_s:.0f} s"
                )
                if self._stopping.wait(pause_s):
                    return
                self._spawn(child)

    def _log_path(self, child: _Child) -> Path:
        return self.setting.directory / LOGS_NAME / f"{child.name}.log"

    def _last_words(self, child: _Child) -> str:
        """Return the sentence with which a child ended, from the end of its log."""
        with durable.storage_errors("read", self._log_path(child)):
            said = self._log_path(child).read_bytes()[-_TAIL_BYTES:]
        lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("Error: ") if lines else "it ended without a word"


def store_words(setting: Setting, key: VerifierKey) -> list[str]:
    """Return the command line of the store, without `qed`."""
    return [
        *("store", "start", "--http-addr", setting.store, "--metrics-addr", _ANY_PORT),
        *("--db-path", str(_home(setting, key) / STORE), "--qed-endpoints", setting.data),
        *("--key", format_verifier_key(key), "--log", setting.log_level),
    ]


def agent_words(setting: Setting, key: VerifierKey, name: str) -> list[str]:
    """Return the command line of an agent, without `qed`."""
    return [
        *("agent", name, "--node-name", name, "--role", name),
        *("--qed-endpoints", setting.data, "--store-endpoint", setting.store_url),
        *("--notifier-endpoint", f"{setting.store_url}/alert", "--metrics-addr", _ANY_PORT),
        *("--state-path", str(_home(setting, key) / name)),
        *("--key", format_verifier_key(key), "--log", setting.log_level),
    ]


def _home(setting: Setting, key: VerifierKey) -> Path:
    """Return the directory of what runs beside one log under one key."""
    return setting.directory / "logs" / f"{_UNSAFE.sub('_', key.name)}-{key.key_id.hex()}"


def _end(child: _Child) -> None:
    """Stop a child: it finishes what it has in hand, or is killed after a while."""
    process = child.process
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
