"""The native sources: as short as the Python ones, all built, each module behind one door."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.tree import ROOT, SOURCE, files, parsed, python_files, relative

FILE_LINES = 400
FUNCTION_LINES = 60
CYTHON = (".pyx", ".pxi")
C = (".c", ".h")

# Native module -> the one module that imports it, which has its readable twin.
DOORS = {
    "qed.trees._kernel": "src/qed/trees/kernel.py",
    "qed.trees._verifier": "src/qed/trees/quick.py",
    "qed.wire._text": "src/qed/wire/flat.py",
}


def native_files(*suffixes: str) -> list[Path]:
    return [path for path in files(*suffixes) if path.is_relative_to(SOURCE)]


def extensions() -> dict[str, list[str]]:
    """The files that each native module is built from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entries = project["tool"]["setuptools"]["ext-modules"]
    return {entry["name"]: entry["sources"] + entry["depends"] for entry in entries}


def c_functions(path: Path) -> Iterator[tuple[int, int]]:
    """The line and the length of each function; its braces stand at the start of a line."""
    start = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1
            start = None


def cython_functions(path: Path) -> Iterator[tuple[int, int]]:
    """The line and the length of each function, up to the next line that is not deeper."""
    lines = path.read_text().splitlines()
    for start, line in enumerate(lines):
        match = re.match(r"( *)(?:def|cdef|cpdef) [^=]*\(.*\)?.*:?$", line)
        if match is None:
            continue
        depth, end = len(match[1]), start
        for number in range(start + 1, len(lines)):
            text = lines[number]
            if text.strip() and len(text) - len(text.lstrip()) <= depth and text.strip() != "):":
                break
            end = number if text.strip() else end
        yield start + 1, end - start + 1


def test_no_native_file_is_longer_than_its_subject() -> None:
    found = native_files(*C, *CYTHON)
    assert found
    sizes = [(relative(path), len(path.read_text().splitlines())) for path in found]
    assert [entry for entry in sizes if entry[1] > FILE_LINES] == []


def test_no_native_function_is_longer_than_a_screen() -> None:
    lengths = [
        (f"{relative(path)}:{line}", length)
        for path in native_files(*C, *CYTHON)
        for line, length in (cython_functions if path.suffix in CYTHON else c_functions)(path)
    ]
    assert len(lengths) > 100
    assert [entry for entry in lengths if entry[1] > FUNCTION_LINES] == []


def test_every_native_source_is_built_and_waited_for() -> None:
    listed = {name for names in extensions().values() for name in names}
    assert listed == {relative(path) for path in native_files(*C, *CYTHON)}


def included(path: Path) -> set[Path]:
    """The project's own files that a native source includes, and what these include."""
    found: set[Path] = set()
    for name in re.findall(
        r'(?:#include|^include|cdef extern from) "([^"]+)"', path.read_text(), re.MULTILINE
    ):
        for folder in (path.parent, path.parent / "native", SOURCE / "trees" / "native"):
            if (folder / name).is_file():
                found |= {(folder / name).resolve()} | included(folder / name)
                break
    return found


@pytest.mark.parametrize("name", DOORS)
def test_a_module_is_built_again_when_anything_it_includes_changes(name: str) -> None:
    listed = extensions()[name]
    sources = [ROOT / each for each in listed if each.endswith((".c", ".pyx"))]
    needed = {relative(each) for source in sources for each in included(source)}
    assert needed - set(listed) == set()


def test_each_native_module_has_one_importer() -> None:
    modules = {path.with_suffix("") for path in native_files(".pyx")}
    assert {str(path.relative_to(SOURCE.parent)).replace("/", ".") for path in modules} == set(
        DOORS
    )
    found = {
        (name, relative(path))
        for path in python_files(SOURCE)
        for name in DOORS
        if name in mentioned(path)
    }
    assert found == set(DOORS.items())


def mentioned(path: Path) -> set[str]:
    """The modules that a file imports, or names in a text of its own as one does for importlib."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names
