"""The examples run as they are, and say what their comments promise."""

import subprocess
import sys
from pathlib import Path

import pytest

from log_serving import log_server

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def endpoint(tmp_path):
    with log_server(tmp_path / "db") as server:
        yield server.data


def run(name, *arguments, cwd):
    """Run an example as its docstring says; warnings are errors there too."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_each_example_is_run_here():
    names = {"add_and_verify.py", "add_files.py", "second_verifier.py"}
    assert names == {path.name for path in EXAMPLES.glob("*.py")}


def test_add_and_verify(endpoint, tmp_path):
    assert run("add_and_verify.py", endpoint, cwd=tmp_path) == (
        "added as versions 0 and 1\n"
        "version 1 extends version 0: proven\n"
        "the first event is in the log: True, proven\n"
        "a third event is in the log: False, proven\n"
        f"qed verify {tmp_path}/contract.proof.json\n"
    )
    assert (tmp_path / "contract.proof.json").read_bytes().startswith(b'{"Format":"qed/proof/v1"')


def test_add_files(endpoint, tmp_path):
    for name, content in (("a", b"event 0"), ("b", b"event 1"), ("c", b"event 0")):
        (tmp_path / name).write_bytes(content)
    lines = run("add_files.py", endpoint, "a", "b", "c", cwd=tmp_path).splitlines()

    assert [line.split()[::2] for line in lines] == [["0", "a"], ["1", "b"], ["2", "c"]]
    assert lines[0].split()[1] == lines[2].split()[1]
