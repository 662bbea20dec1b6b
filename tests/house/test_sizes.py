"""Short functions, files with one subject."""

import ast

from house.tree import ROOT, SOURCE, TESTS, Function, functions, python_files, relative

FUNCTION_LINES = 60
SOURCE_FILE_LINES = 400
TEST_FILE_LINES = 600
ARCHITECTURE_LINES = 150


def _lines_without_docstring(function: Function) -> int:
    first = function.body[0]
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{place}: {_lines_without_docstring(function)} lines"
        for folder in (SOURCE, TESTS, ROOT / "benchmarks")
        for path in python_files(folder)
        for place, function in functions(path)
        if _lines_without_docstring(function) > FUNCTION_LINES
    ]
    assert long == []


def test_no_file_is_longer_than_its_subject() -> None:
    sizes = [
        (relative(path), len(path.read_text().splitlines()), limit)
        for folder, limit in ((SOURCE, SOURCE_FILE_LINES), (TESTS, TEST_FILE_LINES))
        for path in python_files(folder)
    ]
    assert [entry for entry in sizes if entry[1] > entry[2]] == []


def test_the_map_of_the_code_can_be_read_at_one_sitting() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= ARCHITECTURE_LINES
