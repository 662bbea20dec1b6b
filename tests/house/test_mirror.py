"""One source file, one test file of the same name."""

from house.tree import SOURCE, TESTS, python_files, relative

UNIT = TESTS / "unit"


def test_each_source_file_has_its_test_file() -> None:
    missing = [
        relative(path)
        for path in python_files(SOURCE)
        if not path.name.startswith("__")
        and not (UNIT / path.relative_to(SOURCE)).with_name(f"test_{path.name}").is_file()
    ]
    assert missing == []


def test_each_unit_test_file_has_its_source_file() -> None:
    strays = [
        relative(path)
        for path in python_files(UNIT)
        if path.name.startswith("test_")
        and not (SOURCE / path.relative_to(UNIT))
        .with_name(path.name.removeprefix("test_"))
        .exists()
    ]
    assert strays == []
