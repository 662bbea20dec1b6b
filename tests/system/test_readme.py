"""The README's console blocks, typed as they stand.

They run in a network of their own, where the ports that `qed dev` uses by default are free. What is
printed is compared wherever the README shows it; times and counts of files are not.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from console_blocks import comparable, read_blocks

README = Path(__file__).resolve().parents[2] / "README.md"
# `make up` and the activation of its environment: here the command is in the path already.
TYPED_OTHERWISE = {
    "make up": "qed dev --detach",
    "make test": ":",
    ". .venv-up/bin/activate": ":",
}
LIMIT_S = 240

pytestmark = pytest.mark.slow


def script(commands: list[str]) -> str:
    """One shell that types them all and marks where each begins."""
    lines = ["set -e", "ip link set lo up"]
    for number, command in enumerate(commands):
        lines += [f"printf '\\n@@ {number}\\n'", TYPED_OTHERWISE.get(command, command)]
    return "\n".join(lines)


def test_what_the_readme_shows_is_what_happens(qed_command: list[str], tmp_path: Path) -> None:
    typed = read_blocks(README)
    assert len(typed) > 20
    environment = {
        "PATH": f"{Path(qed_command[0]).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }
    alone = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]
    done = subprocess.run(
        [*alone, "bash", "-c", script([command for command, _ in typed])],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    outputs = re.split(r"^@@ \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert len(outputs) == len(typed), f"{typed[len(outputs) - 1][0]}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, f"{typed[-1][0]}\n{done.stderr}"
    for (command, shown), output in zip(typed, outputs, strict=True):
        if shown:
            assert comparable(output.removesuffix("\n")) == comparable(shown), command
