import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.backup import rocksdb_layout as layout
from qed.backup.rocksdb_layout import Meta, MetaFile
from qed.errors import MalformedError

TABLE = "shared_checksum/000009_sDV3HP62LI94556Y1TSE1_168860.sst"
META = Meta(
    1563369206,
    42,
    b"1",
    (
        MetaFile(TABLE, 3073479413),
        MetaFile("private/7/CURRENT", 0),
        MetaFile("private/7/MANIFEST-000005", 2**32 - 1),
    ),
)
TEXT = b"""1563369206
42
metadata 31
3
shared_checksum/000009_sDV3HP62LI94556Y1TSE1_168860.sst crc32 3073479413
private/7/CURRENT crc32 0
private/7/MANIFEST-000005 crc32 4294967295
"""
VECTORS = Path(__file__).parents[2] / "vectors" / "qed-rc2" / "backups.tar.gz"


def test_a_meta_is_written_as_rocksdb_writes_it() -> None:
    assert layout.format_meta(META) == TEXT
    assert layout.parse_meta(TEXT, 7) == META


def test_a_meta_without_metadata_is_read() -> None:
    text = TEXT.replace(b"metadata 31\n", b"")

    assert layout.parse_meta(text, 7).metadata is None
    assert layout.format_meta(layout.parse_meta(text, 7)) == text


def test_the_metas_of_qed_itself_are_read() -> None:
    with tarfile.open(VECTORS) as archive:
        for backup_id, version in ((1, b"3"), (2, b"5"), (3, b"2018"), (4, b"2019")):
            member = archive.extractfile(f"backups/meta/{backup_id}")
            assert member is not None
            data = member.read()
            meta = layout.parse_meta(data, backup_id)

            assert meta.metadata == version
            assert layout.format_meta(meta) == data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1563369206", b"-1"),
        (b"1563369206", b"+1563369206"),
        (b"1563369206", b"01563369206"),
        (b"1563369206", b"18446744073709551616"),
        (b"1563369206", "\u0661".encode()),
        (b"1563369206\n42", b"1563369206"),
        (b"\n3\n", b"\n2\n"),
        (b"\n3\n", b"\n4\n"),
        (b"metadata 31", b"metadata 3"),
        (b"metadata 31", b"metadata 6a"),  # RocksDB writes capitals
        (b"metadata 31", b"metadata  31"),
        (b"crc32 0", b"crc32 4294967296"),
        (b"crc32 0", b"crc32 00"),
        (b"crc32 0", b"crc32"),
        (b" crc32 0", b""),
        (b"crc32 0", b"crc32 0 "),
        (b"\n3\n", b"\n3\n\n"),
        (b"1563369206", b"schema_version 2.0\n1563369206"),
        (b"private/7/CURRENT", b"private/8/CURRENT"),
        (b"private/7/CURRENT", b"private/7/../../CURRENT"),
        (b"private/7/CURRENT", b"/private/7/CURRENT"),
        (b"private/7/CURRENT", b"../CURRENT"),
        (b"private/7/CURRENT", b"private/7/./CURRENT"),
        (b"private/7/CURRENT", b"private/7/CURRENT/"),
        (b"private/7/CURRENT", b"private/7/authorized_keys"),
        (b"private/7/CURRENT", b"CURRENT"),
        (b"private/7/CURRENT", b"shared/000009.sst"),  # the table's name in the database
        (b"private/7/CURRENT", b"private/7/MANIFEST-000005"),
        (TABLE.encode(), b"shared_checksum/../000009.sst"),
        (TABLE.encode(), b"shared_checksum/000009.sst"),
    ],
)
def test_what_rocksdb_would_not_write_is_refused(old: bytes, new: bytes) -> None:
    assert old in TEXT

    with pytest.raises(MalformedError):
        layout.parse_meta(TEXT.replace(old, new, 1), 7)


def test_each_flipped_byte_is_refused_or_read_as_what_it_says() -> None:
    for at in range(len(TEXT)):
        flipped = bytearray(TEXT)
        flipped[at] ^= 0x01
        try:
            meta = layout.parse_meta(bytes(flipped), 7)
        except MalformedError:
            continue
        assert layout.format_meta(meta) == bytes(flipped)
        assert meta != META


@given(st.binary(max_size=300))
def test_no_input_makes_anything_but_our_error(data: bytes) -> None:
    with pytest.raises(MalformedError):
        layout.parse_meta(data, 7)


def test_a_meta_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "META_LIMIT_BYTES", len(TEXT) - 1)

    with pytest.raises(MalformedError, match="more than"):
        layout.parse_meta(TEXT, 7)


@pytest.mark.parametrize("name", ["0", "01", "+1", "-1", "", "1.tmp", ".1.tmp", "4294967296", "²"])
def test_what_is_no_id_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        layout.parse_id(name)


def test_ids_are_canonical_decimals() -> None:
    assert layout.parse_id("1") == 1
    assert layout.parse_id("4294967295") == layout.MAX_ID


def test_a_table_is_named_by_its_session_or_else_by_its_checksum() -> None:
    by_session = layout.shared_path("000009.sst", "DV3HP62LI94556Y1TSE1", 168860, None)
    by_checksum = layout.shared_path("000009.sst", None, 168860, 77)

    assert by_session == TABLE
    assert by_checksum == "shared_checksum/000009_77_168860.sst"
    for path in (by_session, by_checksum):
        layout.check_path(path, 7)
        assert layout.database_name(path) == "000009.sst"
        assert layout.declared_size_bytes(path) == 168860
        assert layout.is_shared_name("shared_checksum", path.rpartition("/")[2])


def test_names_without_a_size_declare_none() -> None:
    for path in ("shared/000009.sst", "private/7/CURRENT", "shared_checksum/9_sA.sst"):
        assert layout.declared_size_bytes(path) is None
        layout.check_path(path, 7)
    assert layout.database_name("shared/000009.sst") == "000009.sst"
    assert layout.database_name("private/7/CURRENT") == "CURRENT"
    assert layout.database_name("shared_checksum/9_sA.sst") == "9.sst"


@pytest.mark.parametrize(
    ("name", "table", "private", "engine"),
    [
        ("000009.sst", True, False, True),
        ("CURRENT", False, True, True),
        ("MANIFEST-000005", False, True, True),
        ("OPTIONS-000007", False, True, True),
        ("000008.log", False, True, True),
        ("IDENTITY", False, False, True),
        ("LOG", False, False, True),
        ("LOG.old.1795507024", False, False, True),
        ("OPTIONS-000007.dbtmp", False, False, True),
        ("rocksdict-config.json", False, False, True),
        ("LOCK", False, False, False),
        ("backups", False, False, False),
        ("qed-restore", False, False, False),
        ("qed-server.json", False, False, False),
        ("000009.sst.bak", False, False, False),
        ("CURRENT\n", False, False, False),
    ],
)
def test_names_are_sorted(name: str, *, table: bool, private: bool, engine: bool) -> None:
    assert layout.is_table(name) == table
    assert layout.is_private(name) == private
    assert layout.is_engine_file(name) == engine


def test_current_names_a_manifest() -> None:
    assert layout.parse_current(b"MANIFEST-000005\n") == "MANIFEST-000005"
    for bad in (b"MANIFEST-000005", b"../MANIFEST-000005\n", b"", b"OPTIONS-000005\n"):
        with pytest.raises(MalformedError):
            layout.parse_current(bad)


def test_the_families_of_qed_are_found_across_chunks() -> None:
    manifest = b"x" * 40 + b"\xc9\x01\x03fsm" + b"y" * 40 + b"\xc9\x01\x0ahypercache" + b"z"
    for at in range(len(manifest)):
        assert layout.is_of_qed([manifest[:at], manifest[at:]])
    assert not layout.is_of_qed([b"x\xc9\x01\x03fsm"])
    assert not layout.is_of_qed([])
