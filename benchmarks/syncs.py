"""Syncs of another process, counted where it calls the C library: a run of adds without is void."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
VARIABLE = "QED_COUNT_SYNCS"  # names the file of the count to the library
_TALLY = struct.Struct("=QQ")


@dataclass(frozen=True, slots=True)
class Syncs:
    """Syncs that have succeeded, and the time that they took in all."""

    calls: int
    seconds: float

    def __sub__(self, earlier: Syncs) -> Syncs:
        """Return what came after the earlier count."""
        return Syncs(self.calls - earlier.calls, self.seconds - earlier.seconds)


class SyncCounter:
    """A count that a process and its children keep, once they are started with `environment`."""

    def __init__(self, directory: Path) -> None:
        """Compile the counter into a directory; a C compiler is needed, as for the kernel."""
        self._library = directory / "count_syncs.so"
        self._file = directory / "syncs"
        self._file.write_bytes(bytes(_TALLY.size))
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "cc"
        source = HERE / "count_syncs.c"
        command = [*compiler.split(), "-shared", "-fPIC", "-O2", "-o", str(self._library)]
        try:
            subprocess.run([*command, str(source), "-ldl"], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"a C compiler is needed to count syncs: {error}") from error

    def environment(self) -> dict[str, str]:
        """Return the environment for a process whose syncs are to be counted."""
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            VARIABLE: str(self._file),
        }

    def read(self) -> Syncs:
        """Return the count so far."""
        return _read(self._file)


def read_syncs() -> Syncs:
    """Return the count of the process that this one belongs to."""
    return _read(Path(os.environ[VARIABLE]))


def _read(file: Path) -> Syncs:
    calls, nanoseconds = _TALLY.unpack(file.read_bytes())
    return Syncs(calls, nanoseconds / 1e9)
