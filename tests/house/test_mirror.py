"""One source file, one test file of the same name."""

from pathlib import Path

from house.tree import SOURCE, TESTS, python_files, relative

UNIT = TESTS / "unit"


def _tests_of(source: Path) -> list[Path]:
    """`test_<file>.py`, or where that grew too long several `test_<file>_<subject>.py`."""
    folder = (UNIT / source.relative_to(SOURCE)).parent
    return [*folder.glob(f"test_{source.stem}.py"), *folder.glob(f"test_{source.stem}_*.py")]


def _has_source(test: Path) -> bool:
    folder = (SOURCE / test.relative_to(UNIT)).parent
    words = test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[: count + 1]) for count in range(len(words))]
    if any((folder / f"{name}.py").is_file() for name in names):
        return True
    # A subject of the room as a whole, such as the vectors of the specification.
    return test.stem.startswith("test_vectors")


def test_each_source_file_has_its_test_file() -> None:
    sources = [path for path in python_files(SOURCE) if not path.name.startswith("__")]
    assert [relative(path) for path in sources if not _tests_of(path)] == []


def test_each_unit_test_file_has_its_source_file() -> None:
    tests = [path for path in python_files(UNIT) if path.name.startswith("test_")]
    assert [relative(path) for path in tests if not _has_source(path)] == []
