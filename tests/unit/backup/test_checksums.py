import hashlib
from pathlib import Path

import pytest

from qed.backup.checksums import Meter, copy_and_sum, sum_file
from qed.errors import StorageError

CHECK = b"123456789"  # the check value of CRC-32C over it is published with the polynomial


def test_both_sums_are_those_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CHECK)

    sums = sum_file(tmp_path / "file")

    assert sums.size_bytes == 9
    assert sums.crc32c == 0xE3069283
    assert sums.sha256 == hashlib.sha256(CHECK).digest()


def test_a_copy_sums_what_it_copied(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # more than two chunks
    (tmp_path / "file").write_bytes(data)
    told: list[tuple[int, int]] = []

    sums = copy_and_sum(
        tmp_path / "file", tmp_path / "copy", Meter(len(data), lambda *at: told.append(at))
    )

    assert (tmp_path / "copy").read_bytes() == data
    assert sums == sum_file(tmp_path / "file")
    assert told[-1] == (len(data), len(data))
    assert told == sorted(told)
    assert len(told) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"):
        sum_file(tmp_path / "gone")
