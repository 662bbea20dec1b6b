"""The console blocks of `docs/backup-and-restore.md`, typed as they stand, and what it draws."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import qed.backup
from console_blocks import comparable, read_blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "backup-and-restore.md"
FIXTURE = ROOT / "tests" / "fixtures" / "format-1-backups" / "backups"
BACKUP = Path(qed.backup.__file__).parent  # of the wheel where that is what runs
LIMIT_S = 240


@pytest.mark.slow
@pytest.mark.oracle
def test_what_the_page_shows_is_what_happens(qed_command: list[str], tmp_path: Path) -> None:
    if shutil.which("ldb") is None:
        pytest.skip("ldb is not installed (apt-get install rocksdb-tools)")
    commands = read_blocks(PAGE)
    assert len(commands) > 20
    lines = ["set -e", "ip link set lo up"]
    for number, (command, _) in enumerate(commands):
        lines += [f"printf '\\n@@ {number}\\n'", command]
    lines.append("echo")
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"),
            *("bash", "-c", "\n".join(lines)),
        ],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(qed_command[0]).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    outputs = re.split(r"^@@ \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    last = commands[len(outputs) - 1][0]
    assert (len(outputs), done.returncode) == (len(commands), 0), f"{last}\n{done.stderr}"
    for (command, shown), output in zip(commands, outputs, strict=True):
        if shown:
            assert comparable(output.removesuffix("\n")) == comparable(shown), command


def test_the_meta_drawn_is_that_of_the_fixture() -> None:
    drawn = re.search(r"^```text\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

    assert drawn is not None
    assert drawn[1] == (FIXTURE / "meta" / "1").read_text()


def test_the_fields_named_are_those_of_a_manifest() -> None:
    table = PAGE.read_text().split("| field | what |")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))

    assert sorted(named) == sorted(
        json.loads((FIXTURE / "qed" / "manifests" / "1.json").read_text())
    )


def test_the_sentences_of_the_table_are_those_of_the_code() -> None:
    table = PAGE.read_text().split("| the sentence says |")[1].split("\n\n")[0]
    source = " ".join(re.sub(r'"\s+f?"', "", path.read_text()) for path in BACKUP.glob("*.py"))
    rows = re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        for part in re.split(r" *(?:\.\.\.|\bN\b|<\w+>) *", row):
            assert part.strip(" :") in source, row
