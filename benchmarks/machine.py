"""What a figure was measured on, and what this machine can hash at that moment."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import tempfile
import time
from pathlib import Path

HASHED_BYTES = 64
_BATCH = 10_000


def describe(directory: Path) -> dict[str, str]:
    """Return the processor, kernel, Python, and the file system under a directory."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    disk = subprocess.run(
        ["findmnt", "--noheadings", "--output", "FSTYPE,SOURCE,OPTIONS", "--target", directory],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return {
        "processor": model[1] if model else platform.machine(),
        "sha instructions": "yes" if flags and " sha_ni" in flags[1] else "no",
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": " ".join(disk.split()) or "unknown",
        "python": platform.python_version(),
    }


def hashes_per_second(seconds: float = 0.4) -> float:
    """Return how many 64-byte inputs one core hashes a second through hashlib, all else idle."""
    data = bytes(HASHED_BYTES)
    sha256 = hashlib.sha256
    done = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(_BATCH):
            sha256(data).digest()
        done += _BATCH
    return done / elapsed


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written_bytes(pid: int) -> int:
    """Return the bytes that a process has caused to be written to a disk, all its threads."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def syncs_per_second(directory: Path, seconds: float = 0.5, size_bytes: int = 32_768) -> float:
    """Return how often a second the disk takes some more bytes of one file and syncs them.

    Overwriting what was written once, as a write-ahead log that is used again does not: so each
    sync also has the file's new length to note, as a log that grows has.
    """
    data = os.urandom(size_bytes)
    done = 0
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            file.write(data)
            os.fdatasync(file.fileno())
            done += 1
    return done / elapsed


def void_in_memory(machine: dict[str, str], directory: Path) -> None:
    """End the run when a directory is no disk: what is measured there promises nothing."""
    if machine["file system"].startswith("tmpfs"):
        raise SystemExit(f"void: {directory} is memory; name a --directory on a disk")
