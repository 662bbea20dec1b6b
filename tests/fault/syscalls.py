"""Which system calls are made to fail, and how strace's record of them is read.

Two sorts. Calls that *change* the disk get all three faults. Calls that only *look* get EIO: the
disk has no room to run out of, and a kill before a look leaves what a kill before the next change
leaves. `close` is in neither: strace makes a call fail by not making it, and a descriptor that
stays open (with its `flock`) after a failed close is a thing that no kernel does.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

CHANGES = frozenset(
    {"openat", "write", "pwrite64", "writev", "pwritev", "copy_file_range", "sendfile"}
    | {"fsync", "fdatasync", "sync_file_range", "msync", "truncate", "ftruncate", "fallocate"}
    | {"rename", "renameat", "renameat2", "link", "linkat", "symlink", "unlink", "unlinkat"}
    | {"mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "utimensat", "flock"}
    | {"chown", "lchown", "fchown", "fchownat"}
)
LOOKS = frozenset(
    {"read", "pread64", "readv", "preadv", "getdents64", "readlink", "fcntl", "statfs", "fstatfs"}
    | {"newfstatat", "fstat", "statx", "access", "faccessat2"}
)
KINDS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=KILL"}

_LINE = re.compile(r"^(?P<tid>\d+) +(?:\S+ )?(?P<call>[a-z_0-9]+)\((?P<rest>.*)$")
_NOT_A_FILE = re.compile(r"^\d+<(?:pipe:|socket:|UNIX|TCP|UDP|anon_inode:|/dev/(?!shm/)|/proc/)")
_INTERPRETER = (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], sys.prefix)


@dataclass(frozen=True, slots=True)
class Call:
    """The nth call (from 1) of one system call in one thread, counted from the gate."""

    thread: str
    syscall: str
    nth: int
    arguments: str = ""

    @property
    def name(self) -> str:
        return f"{self.thread}/{self.syscall}/{self.nth}"


def kinds_of(syscall: str) -> tuple[str, ...]:
    return tuple(KINDS) if syscall in CHANGES else ("EIO",)


def read_trace(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (thread id, system call, the rest of the line) of each call that was begun."""
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is not None:
            yield int(found["tid"]), found["call"], found["rest"]


def plan_calls(text: str, threads: dict[int, str]) -> list[Call]:
    """Number every call of a recorded run that touches a file, thread by thread."""
    counts: Counter[tuple[int, str]] = Counter()
    calls = []
    for tid, syscall, rest in read_trace(text):
        counts[tid, syscall] += 1
        if touches_a_file(rest):
            thread = threads.get(tid, "new")
            calls.append(Call(thread, syscall, counts[tid, syscall], rest[:160]))
    # Threads born after the gate share their names, and so do their calls: one of each.
    return list({call.name: call for call in calls}.values())


def touches_a_file(rest: str) -> bool:
    """Tell files from sockets, pipes and devices, and from what Python loads while it runs."""
    if _NOT_A_FILE.match(rest):
        return False
    return not any(f'"{place}' in rest or f"<{place}" in rest for place in _INTERPRETER)
