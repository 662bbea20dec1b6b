import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.backup.table_properties import TableOrigin, read_table_origin
from qed.database import Database
from qed.errors import MalformedError

VECTORS = Path(__file__).parents[2] / "vectors" / "qed-rc2" / "backups.tar.gz"


def origin_of(data: bytes) -> TableOrigin:
    return read_table_origin(lambda offset, length: data[offset : offset + length], len(data))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("db")
    database = Database.create(path, ("default", "log"))
    database.commit([("log", b"%04d" % number, bytes(100)) for number in range(500)])
    database.flush()
    database.close()
    return next(path.glob("*.sst"))


def test_a_table_says_which_session_made_it_under_which_number(table: Path) -> None:
    origin = origin_of(table.read_bytes())

    assert origin.number == int(table.stem)
    assert origin.session is not None
    assert len(origin.session) == 20


def test_tables_of_qed_itself_say_nothing() -> None:
    with tarfile.open(VECTORS) as archive:
        member = archive.extractfile("backups/shared/000016.sst")
        assert member is not None

        assert origin_of(member.read()) == TableOrigin(None, None)


def test_a_flipped_or_cut_byte_of_the_end_is_refused_or_changes_nothing_else(table: Path) -> None:
    data = table.read_bytes()
    for back in range(1, 54):
        flipped = bytearray(data)
        flipped[-back] ^= 0x01
        for bad in (bytes(flipped), data[:-back]):
            try:
                origin = origin_of(bad)
            except MalformedError:
                continue
            assert origin == origin_of(data)  # the checksum's type, the index, the padding


@given(st.binary(max_size=200))
def test_no_input_makes_anything_but_our_error(data: bytes) -> None:
    footer = (
        b"\x04" + data[:40].ljust(40, b"\0") + b"\x05\0\0\0" + bytes.fromhex("f7cff485b741e288")
    )
    for bad in (data, data + footer):
        with pytest.raises(MalformedError):
            origin_of(bad)


def test_another_format_is_named(table: Path) -> None:
    data = bytearray(table.read_bytes())
    data[-12] = 6

    with pytest.raises(MalformedError, match="format 6"):
        origin_of(bytes(data))
