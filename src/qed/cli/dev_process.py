"""The process behind `qed dev`: whether it runs, how it is started apart, how it is stopped.

It holds `flock` on its directory for its life, so nothing stale can be taken for it: not a file
that a crash left, not a process that got the same number. `dev.json` in there says what it serves;
its output goes to `dev.log` when it was started apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qed import durable
from qed.errors import (
    DamagedError,
    LockedError,
    NotFoundError,
    StoppingError,
    UnavailableError,
)

STATE_NAME = "dev.json"
LOG_NAME = "dev.log"
STATE_LIMIT_BYTES = 64 * 1024
STOP_LIMIT_S = 60.0

_READY = b"ready\n"
_TAIL_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class DevState:
    """What a running `qed dev` serves; addresses as URLs."""

    pid: int
    data: str
    management: str
    metrics: str
    store: str
    db_path: str
    verifier_key: str


@contextlib.contextmanager
def hold(directory: Path) -> Iterator[bool]:
    """Be the one `qed dev` of a directory for the length of the block; False when there is one."""
    durable.make_directory(directory)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(durable.lock_directory(directory, exclusive=True))
        except LockedError:
            yield False
            return
        durable.remove_file(directory / STATE_NAME)
        stack.callback(durable.remove_file, directory / STATE_NAME)
        yield True


def is_running(directory: Path) -> bool:
    """Return whether a process holds the directory."""
    if not directory.is_dir():
        return False
    try:
        with durable.lock_directory(directory, exclusive=False):
            return False
    except LockedError:
        return True


def write_state(directory: Path, state: DevState) -> None:
    """Say what is served; only the process that holds the directory calls this."""
    durable.write_file(directory / STATE_NAME, json.dumps(asdict(state)).encode() + b"\n")


def read_state(directory: Path) -> DevState | None:
    """Return what is served, None while the process is still starting."""
    try:
        data = durable.read_file(directory / STATE_NAME, STATE_LIMIT_BYTES)
    except NotFoundError:
        return None
    try:
        return DevState(**json.loads(data))
    except (ValueError, TypeError) as error:
        path = directory / STATE_NAME
        raise DamagedError(f"{path} does not parse", hint=f"remove {path}") from error


def start_apart(directory: Path, words: Sequence[str]) -> DevState:
    """Start `qed dev` in a session of its own and return once it answers.

    Errors: UnavailableError with the child's own sentence when it ends before it answers.
    """
    durable.make_directory(directory)
    log_path = directory / LOG_NAME
    read_end, write_end = os.pipe()
    with open(read_end, "rb", buffering=0) as ready, log_path.open("ab") as log:  # noqa: PTH123 - a descriptor
        began_bytes = log.tell()
        command = [sys.executable, "-m", "qed", "dev", "--path", str(directory)]
        child = subprocess.Popen(  # noqa: S603 - this program, with words that click has read
            [*command, "--ready-fd", str(write_end), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write_end],
            start_new_session=True,
        )
        os.close(write_end)
        answered = ready.read(len(_READY)) == _READY
    state = read_state(directory) if answered else None
    if state is None:
        child.wait()
        raise UnavailableError(
            f"qed dev did not start: {_last_words(log_path, began_bytes)}",
            hint=f"everything it said is in {log_path}",
        )
    child.returncode = 0  # it outlives this process on purpose; nobody waits for it
    return state


def tell_ready(descriptor: int) -> None:
    """Tell the process that started this one that it answers."""
    os.write(descriptor, _READY)
    os.close(descriptor)


def stop(directory: Path) -> bool:
    """End a running `qed dev` and wait until it has; False when there is none.

    Errors: UnavailableError while it is still starting, StoppingError when it takes too long.
    """
    if not is_running(directory):
        return False
    state = read_state(directory)
    if state is None:
        raise UnavailableError("qed dev is still starting", hint="try again in a moment")
    try:
        descriptor = os.pidfd_open(state.pid)
    except ProcessLookupError:
        return True  # it ended between the two looks
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)  # readable once the process has ended
        if not poll.poll(STOP_LIMIT_S * 1000):
            raise StoppingError(
                f"process {state.pid} has not ended within {STOP_LIMIT_S:.0f} s",
                hint="it is answering what is in flight; wait, or kill it",
            )
    finally:
        os.close(descriptor)
    return True


def _last_words(path: Path, from_bytes: int) -> str:
    """Return the sentence with which the child ended."""
    with durable.storage_errors("read", path), path.open("rb") as log:
        log.seek(from_bytes)
        lines = log.read()[-_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
    said = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return said[-1] if said else "it ended without a word"
