"""What a figure was measured on, and what this machine can do at that moment with nothing else."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from qed.trees import kernel

HERE = Path(__file__).resolve().parent
TWO_BLOCKS = bytes(98)  # a message as long as an inner node of the hyper tree
_BATCH = 500  # 64 KiB of messages: what the kernel hashes lies in the cache as well
_PADDED = bytes(128 * _BATCH)


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
        "trees": kernel.NAME,
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def void_in_memory(machine: dict[str, str], directory: Path) -> None:
    """End the run when a directory is no disk: what is measured there promises nothing."""
    if machine["file system"].startswith("tmpfs"):
        raise SystemExit(f"void: {directory} is memory; name a --directory on a disk")


def hashes_per_second(seconds: float = 0.2) -> float:
    """Return how many two-block hashes one core makes a second as the trees in use make them.

    With the native kernel those are its own, two or sixteen at once, whichever it has found faster;
    with the twin hashlib's. What other programs take of the core meanwhile is not counted.
    """
    done = 0
    start = time.thread_time()
    while (elapsed := time.thread_time() - start) < seconds:
        _hash_batch()
        done += _BATCH
    return done / elapsed


def pairs_per_second() -> float:
    """Return the same with the native kernel kept to two streams at once."""
    code = "import machine; print(machine.hashes_per_second())"
    environment = {**os.environ, "QED_SHA256": "pairs", "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
    )
    return float(done.stdout)


def _hash_batch() -> None:
    if kernel.WHY_TWIN:
        for _ in range(_BATCH):
            hashlib.sha256(TWO_BLOCKS).digest()
    else:
        import_module("qed.trees._kernel").sha256_padded(_PADDED, 2)


def syncs_per_second(directory: Path, seconds: float = 0.5, size_bytes: int = 32_768) -> float:
    """Return how often a second the disk takes some more bytes of one file and syncs them.

    Not the same bytes again: each sync also has the file's new length to note, as a log that
    grows has.
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


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Others:
    """What other programs take of the processors from here on: noise in everything measured."""

    def __init__(self) -> None:
        """Begin."""
        self._busy, self._own, self._wall = _busy_seconds(), _own_seconds(), time.monotonic()

    def share(self) -> float:
        """Return the share of all cores that was taken until now, 0 to 1."""
        busy = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        cores = os.cpu_count() or 1
        return max(0.0, busy / (time.monotonic() - self._wall) / cores)


def _busy_seconds() -> float:
    """Return the time that all cores have spent on anything, the hypervisor's part as well."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Return the processor time of this process and of those that it has started and seen end."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, who))


def written_bytes(pid: int) -> int:
    """Return the bytes that a process has caused to be written to a disk, all its threads."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    """Return the memory that a process has now, or at most had."""
    status = Path(f"/proc/{pid}/status").read_text()
    field = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB$", status, re.MULTILINE)
    if field is None:
        raise SystemExit(f"process {pid} has ended")
    return int(field[1]) * 1024


def size_bytes(directory: Path) -> int:
    """Return the bytes that the files below a directory take on the disk."""
    return sum(file.lstat().st_blocks * 512 for file in directory.rglob("*") if file.is_file())
