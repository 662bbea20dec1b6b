"""A private namespace in the place of a container, where no container engine runs.

It has an empty `/var/tmp`, an `/etc/hosts` in which the containers are this machine, a network of
its own, and for each entrypoint the powers that its file leaves. Clients run in it too, as those of
the manual do in the same network. It lasts as long as the block.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from process import Finished

DOCKER = Path(__file__).resolve().parents[1] / "deploy" / "docker"
DEADLINE_S = 60.0
POLL_S = 0.05

# What the container engine does before it starts an entrypoint; `$1` is the file with the names.
ENTER = """
set -e
mount -t tmpfs tmpfs /var/tmp
mount --bind "$1" /etc/hosts
ip link set lo up
mkdir -p /var/tmp/qed0/db/backups
echo ready
cat >/dev/null
"""


def read_services(name: str) -> dict[str, Any]:
    """Return the services of a compose file."""
    found: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text())["services"]
    return found


def entrypoint(service: dict[str, Any]) -> list[str]:
    """Return what a service runs; the one script of the image is taken from beside its file."""
    return [
        str(DOCKER / Path(word).name) if word.startswith("/usr/local/bin/") else word
        for word in shlex.split(service["entrypoint"])
    ]


@dataclass
class Running:
    """A process in the namespace, and what it says."""

    process: subprocess.Popen[bytes]
    log: list[bytes] = field(default_factory=list)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.log.append(line)

    def said(self) -> str:
        return b"".join(self.log).decode(errors="replace")

    def stop(self) -> int:
        """`docker stop`: SIGTERM, and the exit code."""
        self.process.terminate()
        code = self.process.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass
class Namespace:
    """Runs commands inside; `spawn` starts an entrypoint word for word."""

    holder: subprocess.Popen[str]
    environment: dict[str, str]
    running: list[Running] = field(default_factory=list)

    def inside(self, *words: str) -> list[str]:
        enter = ["nsenter", f"--target={self.holder.pid}", "--user", "--mount", "--net"]
        return [*enter, "--preserve-credentials", "--", *words]

    def run(self, *words: str) -> Finished:
        """What `docker exec` or a second container in the same network would do."""
        done = subprocess.run(
            self.inside(*words),
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.code == 0, f"{words}: {done}\n{self.said()}"
        return done.out

    def said(self) -> str:
        return "\n".join(one.said() for one in self.running)

    def spawn(self, words: Sequence[str], powers: Sequence[str] = ()) -> Running:
        """Start a process with no more powers than these capabilities."""
        bounding = ",".join(["-all", *(f"+{name.lower()}" for name in powers)])
        limit = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={bounding}"]
        process = subprocess.Popen(
            self.inside(*limit, "--", *words),
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.running.append(Running(process))
        return self.running[-1]

    def wait_until(self, *words: str) -> None:
        """Ask again and again until the command succeeds; a process that has ended fails it."""
        paused = threading.Event()
        for _ in range(int(DEADLINE_S / POLL_S)):
            ended = [one for one in self.running if one.process.poll() is not None]
            assert not ended, f"it ended:\n{ended[0].said()}"
            if self.run(*words).code == 0:
                return
            paused.wait(POLL_S)
        raise AssertionError(f"{words} does not succeed:\n{self.said()}")


@contextlib.contextmanager
def namespace(names: Sequence[str], qed_command: list[str], scratch: Path) -> Iterator[Namespace]:
    """Make a namespace in which these names are this machine."""
    hosts = scratch / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(names)}\n")
    alone = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    holder = subprocess.Popen(
        [*alone, "bash", "-c", ENTER, "enter", str(hosts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        first = holder.stdout.readline().strip()
        if first != "ready":
            pytest.skip(f"this machine lets nobody make a namespace: {first}")
        path = f"{Path(qed_command[0]).parent}:{os.environ['PATH']}"
        made = Namespace(
            holder, {"PATH": path, "HOME": "/var/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        )
        try:
            yield made
        finally:
            for one in made.running:
                one.close()
            holder.stdin.close()
