"""Words that must not stand in the project's files."""

import re
from pathlib import Path

from house.tree import ROOT, TESTS, files, python_files, relative

TEXT = (
    ".py",
    ".pyi",
    ".pyx",
    ".pxi",
    ".c",
    ".h",
    ".md",
    ".toml",
    ".txt",
    ".yml",
    ".sh",
    ".json",
    "",
)
# Written so that this file does not contain what it looks for.
UNFINISHED = re.compile(r"\bTO[D]O\b|\bFIX[M]E\b|\bXX[X]\b|NotImplemented[E]rror")
REGISTRIES = re.compile(r"p[y]pi\.org|pytho[n]hosted|npm[j]s|deb\.[d]ebian|--(extra-)?[i]ndex-url")


def _lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in paths
        if path != ROOT / "LICENSE"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_unfinished() -> None:
    assert _lines_with(UNFINISHED, files(*TEXT)) == []


def test_no_file_says_where_packages_come_from() -> None:
    assert _lines_with(REGISTRIES, files(*TEXT)) == []


def test_locks_pin_each_package_with_hashes_and_name_no_place() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text()
        entries = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
        assert entries, lock
        assert all(re.match(r"[a-z0-9.-]+==[\w.]+ (; .* )?\\$", entry) for entry in entries), lock
        assert text.count("==") >= len(entries)
        assert "://" not in text, lock


def test_no_test_sleeps() -> None:
    sleeping = re.compile(r"\bsleep\((?!0\))")
    assert _lines_with(sleeping, python_files(TESTS)) == []
