"""A room's door sign says what is in it and where to start; it holds nothing itself."""

import ast
import re
import sys

import pytest

from house.tree import SOURCE, imports, parsed, python_files, relative

ROOMS = sorted(path for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE)

# A module of DESIGN that outgrew one file: its name is still the address that others import from.
DOORS = {"wire"}


@pytest.mark.parametrize("sign", ROOMS, ids=relative)
def test_a_door_sign_is_a_docstring_and_nothing_else(sign) -> None:
    rest = parsed(sign).body[1:]
    if sign.parent.name not in DOORS:
        assert rest == [], "only a docstring belongs here"
    text = ast.get_docstring(parsed(sign)) or ""
    files = [path.stem for path in python_files(sign.parent) if path.parent == sign.parent]
    # Files of one kind are named by their pattern.
    kinds = {f"_{kind}" for kind in re.findall(r"`\*_(\w+)\.py`", text)}
    named = {"__init__", *re.findall(r"\w+", text)}
    unnamed = [stem for stem in files if stem not in named and not stem.endswith(tuple(kinds))]
    assert unnamed == [], "the reading order names each file of the room"


def test_the_package_itself_imports_nothing_at_once() -> None:
    body = parsed(SOURCE / "__init__.py").body
    eager = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in eager
    }
    assert {name for name in names if name and name.startswith("qed")} <= {"qed.version"}


def test_the_verifier_stands_on_the_standard_library_alone() -> None:
    allowed = {"qed.errors", "qed.trees.values"} | set(sys.stdlib_module_names)
    found = imports(SOURCE / "trees" / "verify.py")
    assert {
        name for name in found if name not in allowed and name.split(".")[0] not in allowed
    } == set()


def test_names_say_what_is_in_a_file() -> None:
    empty_words = {"util", "utils", "helper", "helpers", "common", "base", "misc", "lib"}
    named = [
        relative(path)
        for path in python_files(SOURCE.parents[1])
        if empty_words & set(path.stem.strip("_").split("_")) or empty_words & set(path.parts)
    ]
    assert named == []
