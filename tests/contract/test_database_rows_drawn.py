"""`docs/format.md` draws the bytes of a log; here they are made and compared."""

from __future__ import annotations

import contextlib
import itertools
import re
from pathlib import Path

import pytest

from harness import event
from qed.database import Database
from qed.engine.log import Log
from qed.engine.rows import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "format.md"
MARKS = {
    b"format": [],
    b"log": [16],
    b"node": [],
    b"head": [16, 24, 32, 40, 72],
    b"snapshots": [2, 10],
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("qed.engine.log.secrets.token_bytes", lambda size: bytes(range(size)))
    with Log.create(tmp_path / "db", origin="log.example", node_id="node-1") as log:
        log.append([event(0)])
        log.append([event(1), event(2)])
    return tmp_path / "db"


def block(kind: str) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = found
    return str(text)


def cut(value: bytes, at: list[int]) -> str:
    edges = [0, *at, len(value)]
    return "|".join(value[a:b].hex() for a, b in itertools.pairwise(edges))


def draw_rows(path: Path) -> str:
    lines = []
    with contextlib.closing(Database.open(path, FAMILIES, read_only=True)) as database:
        for family in FAMILIES:
            for key, value in database.scan(family, b""):
                marks = MARKS.get(key, list(range(32, len(value), 32)))
                lines.append(f"{family:8}{key.hex():20}{cut(value, marks)}\n")
    return "".join(lines)


def test_the_rows_drawn_are_the_rows_written(path) -> None:
    assert block("rows") == draw_rows(path)


def test_the_kept_node_drawn_is_the_one_written(tmp_path) -> None:
    with Log.create(tmp_path / "tile") as log:
        log.append([event(number) for number in range(256)])
        found = [
            row for row in log._database.scan("default", b"node\x00") if row[0] != b"snapshots"
        ]
    ((key, value),) = found
    assert block("node") == f"default {cut(key, [4, 5])}  {value.hex()}\n"


def test_the_index_drawn_is_the_index_written(path) -> None:
    data = (path / "qed-index" / "verified").read_bytes()
    drawn = cut(data, [7, 8, 24, 32, 64, 96, 128]).replace("|", "\n") + "\n"
    assert block("index") == drawn


def test_each_key_is_in_the_table(path) -> None:
    text = PAGE.read_text()
    with contextlib.closing(Database.open(path, FAMILIES, read_only=True)) as database:
        names = [key.decode() for key, _ in database.scan("default", b"")]
    assert sorted(names) == ["format", "head", "log", "node", "snapshots"]
    for name in names:
        assert re.search(rf"\| `default` \| the \w+ bytes `{name}` \|", text)
    for family in FAMILIES:
        assert f"| `{family}` |" in text
