"""golang.org/x/mod's `note` and `tlog` as Debian ships them, in two programs. We wrote no verifier.

Nothing is downloaded: the packages lie in the GOPATH of Debian's golang-golang-x-mod-dev.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "contract" / "go"
GOPATH = Path("/usr/share/gocode")
DEADLINE_S = 240


def build(name: str, target: Path) -> Path:
    """Compile a program of tests/contract/go, or skip the test where Go is not installed."""
    go = shutil.which("go")
    if go is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("Go and x/mod are missing (apt-get install golang-go golang-golang-x-mod-dev)")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(target),
        "GOCACHE": str(target / "cache"),
        "GOPATH": str(GOPATH),
        "GO111MODULE": "off",
        "GOFLAGS": "",
    }
    program = target / name
    command = [go, "build", "-o", program, SOURCES / f"{name}.go"]
    made = subprocess.run(
        command, env=environment, cwd=target, capture_output=True, timeout=DEADLINE_S, check=False
    )
    assert made.returncode == 0, made.stderr.decode()
    return program


def ask(program: Path, *arguments: str, questions: bytes) -> str:
    """Run a program on its questions; what it refused is an AssertionError in its own words."""
    done = subprocess.run(
        [program, *arguments], input=questions, capture_output=True, timeout=DEADLINE_S, check=False
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode().strip()
