"""Evidence on a machine that has only the file and the key: no network, no home, no database."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from process import COMMAND_LIMIT_S, Qed, environment

_ALONE = ("unshare", "--user", "--map-root-user", "--net")
_BLOCKER = 'raise ImportError("there is no database on this machine")\n'


@dataclass(frozen=True, slots=True)
class Shown:
    """What `qed verify` says of a file of evidence."""

    code: int
    kind: str
    finding: str
    signed: bool


def verify_alone(qed: Qed, evidence: Path, key: str, scratch: Path) -> Shown:
    """Copy a file of evidence into an empty directory and verify it there, alone."""
    probe = subprocess.run([*_ALONE, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"this machine lets nobody make a namespace: {probe.stderr.strip()}")
    place = Path(tempfile.mkdtemp(prefix="alone-", dir=scratch))  # two agents may file the same
    home, file, libraries = place / "home", place / "file", place / "libraries"
    for directory in (home, file, libraries):
        directory.mkdir()
    for library in ("rocksdict", "uvicorn"):
        (libraries / f"{library}.py").write_text(_BLOCKER)
    shutil.copy(evidence, file)
    done = subprocess.run(
        [*_ALONE, *qed.command, "verify", evidence.name, "--key", key, "--json"],
        cwd=file,
        env=environment(home, {"PYTHONPATH": str(libraries)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_S,
        check=False,
    )
    assert list(home.iterdir()) == []
    assert [path.name for path in file.iterdir()] == [evidence.name]
    found = json.loads(done.stdout)
    found = found[0] if isinstance(found, list) else found
    assert "Finding" in found, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return Shown(done.returncode, found["Kind"], found["Finding"], found["Signed"])
