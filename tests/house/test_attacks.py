"""Each attack has a test, a row in the trust model, and a docstring that says the same."""

import ast
import re

import pytest

from house.tree import ROOT, TESTS
from qed.agents.alerts import KINDS

CONTROL = "test_nothing_is_wrong"
FILES = sorted(path for path in (TESTS / "attacks").glob("test_*.py") if path.stem != CONTROL)
TITLE = "## Each attack, who says it, within how long"
AGENTS = ("publisher", "auditor", "monitor")


def rows() -> list[list[str]]:
    """The cells of each row: attack, test, who says what, within, evidence."""
    text = (ROOT / "docs" / "trust-model.md").read_text().partition(TITLE)[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_has_each_attack_and_no_other() -> None:
    assert {row[1].strip("`") for row in rows()} == {path.stem for path in FILES}
    assert all(len(row) == 5 and all(row) for row in rows())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_row_says_what_its_test_says(path) -> None:
    said = (ast.get_docstring(ast.parse(path.read_text())) or "").lower()
    kinds = {
        kind
        for row in rows()
        if row[1].strip("`") == path.stem
        for kind in re.findall(r"`([a-z-]+)`", row[2])
    }
    assert kinds
    assert kinds <= set(KINDS)
    assert {kind for kind in KINDS if f"`{kind}`" in said} == kinds
    agents = " ".join(row[2] for row in rows() if row[1].strip("`") == path.stem)
    assert {name for name in AGENTS if f"**{name}**" in said} == {
        name for name in AGENTS if re.search(rf"\b{name}\b", agents)
    }
