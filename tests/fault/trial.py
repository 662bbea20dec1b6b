"""One trial: a fresh copy, one operation, one fault at one system call, one verdict.

The operation runs in a process of its own, forked from one that has imported everything (so that a
trial takes hundredths of a second), up to a gate: it waits for a signal. strace is attached there,
which makes every count start at 1, whatever Python did before. Then the gate is opened. What the
operation acknowledges goes over a socket (`sendto`, which is never made to fail).

A thread that was there at the gate is traced alone, so exactly one call fails. Threads born later
can only be traced together with all others: there the nth call of *every* thread fails, and the
outcome says how many were hit.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fault.syscalls import CHANGES, KINDS, LOOKS, Call, kinds_of, plan_calls
from qed.errors import QedError

GATE = signal.SIGUSR1
LIMIT_S = 30.0
MESSAGE_BYTES = 65536

Acknowledge = Callable[[str], None]


class Operation(Protocol):
    """What is made to fail, and who judges what is left of it."""

    @property
    def name(self) -> str:
        """What it is called in the names of trials."""

    def prepare(self, directory: Path, /) -> None:
        """Make the state that each trial gets a copy of."""

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        """Do what comes before the gate; return what comes after it."""

    def judge(self, directory: Path, aftermath: Aftermath, /) -> None:
        """Raise when something that was promised is not there."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the operation said before it ended.

    `ending` is "done", "refused" (an error of our tree), "broke" (any other), "killed" or "hung".
    """

    acknowledged: tuple[str, ...]
    ending: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`verdict` is "ok", "failed" or "not reached"; `hits` counts the calls that really failed."""

    name: str
    verdict: str
    hits: int
    detail: str = ""


def block_gate() -> None:
    """Block the gate's signal here, so that every process and thread born of this one does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [GATE])


class Rehearsal:
    """One operation with the master copy of its prepared state."""

    def __init__(self, operation: Operation, scratch: Path) -> None:
        self.operation = operation
        self._scratch = scratch
        self._master = scratch / f"{operation.name}-master"
        shutil.rmtree(self._master, ignore_errors=True)
        self._master.mkdir(parents=True)
        problem = run_apart(lambda: operation.prepare(self._master))
        if problem:
            raise RuntimeError(f"cannot prepare {operation.name}:\n{problem}")

    def plan(self) -> list[Call]:
        """Run the operation once without a fault and number its calls."""
        with self._fresh_copy("plan") as copy:
            run = _Run(self.operation, copy, copy.with_suffix(".trace"))
            threads = run.threads()
            aftermath = run.finish(run.trace(None, ["-f", "-y", "-p", str(run.pid)]))
            problem = self._judge(copy, aftermath)
            if aftermath.ending != "done" or problem:
                raise RuntimeError(
                    f"{self.operation.name} fails without a fault: {aftermath} {problem}"
                )
            return plan_calls(run.trace_file.read_text(errors="replace"), threads)

    def record(self) -> tuple[str, list[str], str]:
        """Run the operation once; return its directory, what lay there before, and the trace."""
        with self._fresh_copy("record") as copy:
            before = [str(path) for path in copy.rglob("*")]
            run = _Run(self.operation, copy, copy.with_suffix(".trace"))
            run.finish(run.trace(None, ["-f", "-y", "-p", str(run.pid)]))
            return str(copy), before, run.trace_file.read_text(errors="replace")

    def try_fault(self, call: Call, kind: str) -> Outcome:
        """Make one call fail in one way and judge what is left."""
        name = f"{self.operation.name}/{call.name}/{kind}"
        with self._fresh_copy("trial") as copy:
            run = _Run(self.operation, copy, copy.with_suffix(".trace"))
            tids = {role: tid for tid, role in run.threads().items()}
            if call.thread in tids:
                attach = ["-p", str(tids[call.thread])]
            else:
                attach = ["-f", "-p", str(run.pid)]
            fault = f"inject={call.syscall}:{KINDS[kind]}:when={call.nth}"
            aftermath = run.finish(run.trace(fault, attach))
            hits = run.hits(aftermath)
            if hits == 0:
                return Outcome(name, "not reached", 0)
            problem = self._judge(copy, aftermath)
            if aftermath.ending in ("broke", "hung"):
                problem = f"{aftermath.ending}: {aftermath.text}\n{problem}"
            detail = f"{call.syscall}({call.arguments}\nended: {aftermath}\n{problem}"
            return Outcome(name, "failed" if problem else "ok", hits, detail if problem else "")

    def _judge(self, copy: Path, aftermath: Aftermath) -> str:
        return run_apart(lambda: self.operation.judge(copy, aftermath))

    @contextlib.contextmanager
    def _fresh_copy(self, name: str) -> Iterator[Path]:
        copy = self._scratch / f"{self.operation.name}-{name}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._master, copy, symlinks=True)
        try:
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def all_faults(calls: list[Call]) -> list[tuple[Call, str]]:
    return [(call, kind) for call in calls for kind in kinds_of(call.syscall)]


class _Run:
    """The forked process of one operation, stopped at its gate when the constructor returns."""

    def __init__(self, operation: Operation, directory: Path, trace_file: Path) -> None:
        self.trace_file = trace_file
        self._messages: list[str] = []
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(LIMIT_S)
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _operate(operation, directory, theirs)
        theirs.close()
        first = self._receive()
        if first != "gate":
            os.waitpid(self.pid, 0)
            raise RuntimeError(f"{operation.name} did not reach its gate: {first}")

    def _receive(self) -> str:
        return self._socket.recv(MESSAGE_BYTES).decode()

    def threads(self) -> dict[int, str]:
        """Name the threads at the gate: by what the kernel calls them, in the order of birth."""
        names: dict[int, str] = {}
        tasks = Path(f"/proc/{self.pid}/task")
        for tid in sorted(int(entry.name) for entry in tasks.iterdir()):
            comm = (tasks / str(tid) / "comm").read_text().strip()
            base = "main" if tid == self.pid else comm.replace(":", "-")
            same = sum(name.split("#")[0] == base for name in names.values())
            names[tid] = f"{base}#{same}" if same else base
        return names

    def trace(self, fault: str | None, attach: list[str]) -> subprocess.Popen[str]:
        calls = ",".join(f"?{name}" for name in sorted({"sendto", *CHANGES, *LOOKS}))
        command = ["strace", *attach, "-o", str(self.trace_file), "-e", f"trace={calls}"]
        if fault is not None:
            command += ["-e", fault]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            os.kill(self.pid, signal.SIGKILL)
            raise RuntimeError(f"strace cannot attach: {said}{tracer.stderr.read()}")
        return tracer

    def finish(self, tracer: subprocess.Popen[str]) -> Aftermath:
        """Open the gate and take down what the operation says until it ends."""
        os.kill(self.pid, GATE)
        ending, text = "killed", ""
        try:
            while message := self._receive():
                word, _, rest = message.partition(" ")
                if word == "acknowledged":
                    self._messages.append(rest)
                else:
                    ending, text = word, rest
        except TimeoutError:
            ending, text = "hung", f"no end after {LIMIT_S} s"
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        tracer.communicate(timeout=LIMIT_S)
        self._socket.close()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
            ending, text = "broke", f"it died of {signal.Signals(os.WTERMSIG(status)).name}"
        return Aftermath(tuple(self._messages), ending, text)

    def hits(self, aftermath: Aftermath) -> int:
        """Count the calls that failed; a process that was killed made none after that."""
        if aftermath.ending == "killed":
            return 1
        return self.trace_file.read_text(errors="replace").count("(INJECTED)")


def _operate(operation: Operation, directory: Path, report: socket.socket) -> None:
    """Run an operation in the forked process; never returns."""
    try:
        act = operation.arrange(directory)
        report.send(b"gate")
        signal.sigwait([GATE])
        act(lambda what: _say(report, f"acknowledged {what}"))
        _say(report, "done ")
    except QedError as error:
        _say(report, f"refused {type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        _say(report, f"broke {traceback.format_exc()[-4000:]}")
    finally:
        os._exit(0)


def _say(report: socket.socket, message: str) -> None:
    report.send(message.encode())


def run_apart(work: Callable[[], None]) -> str:
    """Run something in a forked process; return "" or what went wrong.

    A database opened here would leave its threads behind, and what was forked from a process with
    threads may hang.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(LIMIT_S)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _work(work, theirs)
    theirs.close()
    with ours:
        try:
            said = ours.recv(MESSAGE_BYTES).decode() or "it died"
        except TimeoutError:
            said = f"no end after {LIMIT_S} s"
            os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return "" if said == "fine" else f"{said} (status {status})"


def _work(work: Callable[[], None], report: socket.socket) -> None:
    """Do the work in the forked process; never returns."""
    try:
        work()
        report.send(b"fine")
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        report.send(traceback.format_exc()[-6000:].encode())
    finally:
        os._exit(0)
