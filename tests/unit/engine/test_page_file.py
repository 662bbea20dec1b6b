"""The scratch file of pages: nothing before it is needed, nothing left behind, errors by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qed.engine.page_file import FILE, PAGE_BYTES, PageFile
from qed.errors import DamagedError, StorageError


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "qed-index"


@pytest.fixture
def pages(directory: Path) -> Iterator[PageFile]:
    pages = PageFile(directory)
    yield pages
    pages.close()


def page(number: int) -> bytes:
    return bytes([number]) * PAGE_BYTES


def test_nothing_is_made_before_the_first_page(pages, directory) -> None:
    assert not directory.exists()
    pages.close()
    assert not directory.exists()


def test_pages_come_back(pages, directory) -> None:
    for number in (0, 2, 1):
        pages.write(number, page(number))
    pages.write(1, page(9))
    assert [pages.read(number) for number in range(3)] == [page(0), page(9), page(2)]
    assert (directory / FILE).stat().st_size == 3 * PAGE_BYTES
    assert (directory / FILE).stat().st_mode & 0o777 == 0o600


def test_closing_removes_the_file_and_what_an_earlier_run_left(directory) -> None:
    directory.mkdir()
    (directory / FILE).write_bytes(b"old" * PAGE_BYTES)
    (directory / "verified").write_bytes(b"")
    pages = PageFile(directory)
    pages.write(0, page(1))
    assert (directory / FILE).stat().st_size == PAGE_BYTES, "what was there is of no use"
    pages.close()
    pages.close()
    assert [path.name for path in directory.iterdir()] == ["verified"]


def test_a_file_that_cannot_be_removed_does_no_harm(directory) -> None:
    directory.write_bytes(b"not a directory")
    PageFile(directory).close()
    assert directory.read_bytes() == b"not a directory"


def test_a_link_is_not_followed(directory, tmp_path) -> None:
    directory.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (directory / FILE).symlink_to(tmp_path / "precious")
    with pytest.raises(StorageError, match="cannot create"):
        PageFile(directory).write(0, page(0))
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_file_that_was_cut_is_named(pages, directory) -> None:
    pages.write(0, page(0))
    pages.write(1, page(1))
    os.truncate(directory / FILE, PAGE_BYTES + 10)
    with pytest.raises(DamagedError, match="ends inside page 1"):
        pages.read(1)
    assert pages.read(0) == page(0)


def test_a_page_of_another_size_is_a_bug(pages) -> None:
    with pytest.raises(AssertionError):
        pages.write(0, b"short")
    with pytest.raises(AssertionError):
        pages.read(0)
