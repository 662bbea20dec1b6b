from dataclasses import replace

import pytest

from qed.backup import manifest as m
from qed.backup.canonical_json import encode_document
from qed.backup.manifest import Ids, Manifest, ManifestFile, Tombstone
from qed.errors import MalformedError, NewerFormatError

MANIFEST = Manifest(
    uuid=bytes(range(16)),
    id=7,
    created_s=1563369206,
    previous_sha256=b"\x01" * 32,
    log_id=b"\x02" * 16,
    origin="example.org/log",
    epoch=0,
    sequence=3,
    version=2**64 - 1,
    history_digest=b"\x03" * 32,
    hyper_digest=b"\x04" * 32,
    meta_sha256=b"\x05" * 32,
    files=(
        ManifestFile("shared_checksum/9_sABC_5.sst", 5, b"\x06" * 32),
        ManifestFile("private/7/CURRENT", 16, b"\x07" * 32),
    ),
)
TOMBSTONE = Tombstone(7, bytes(16), 1563369207, b"\x05" * 32, b"\x06" * 32, None)


def test_a_manifest_reads_back_what_was_written() -> None:
    for manifest in (MANIFEST, replace(MANIFEST, previous_sha256=None, version=0)):
        assert m.decode_manifest(m.encode_manifest(manifest), 7) == manifest


def test_each_flipped_or_missing_byte_of_a_manifest_is_seen() -> None:
    data = m.encode_manifest(MANIFEST)
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x04
        for bad in (bytes(flipped), data[:at], data[:at] + data[at + 1 :]):
            with pytest.raises(MalformedError):
                m.decode_manifest(bad, 7)


def test_a_manifest_under_another_id_is_refused() -> None:
    with pytest.raises(MalformedError, match="manifest of backup 7"):
        m.decode_manifest(m.encode_manifest(MANIFEST), 8)


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "private/8/CURRENT", "private/7/x", "meta/7", ""]
)
def test_a_manifest_that_names_foreign_paths_is_refused(path: str) -> None:
    bad = replace(MANIFEST, files=(ManifestFile(path, 1, bytes(32)),))

    with pytest.raises(MalformedError):
        m.decode_manifest(m.encode_manifest(bad), 7)


def test_a_manifest_of_a_later_version_is_told_apart() -> None:
    with pytest.raises(NewerFormatError):
        m.decode_manifest(encode_document({"format": 2, "id": 7}), 7)


@pytest.mark.parametrize("meta_sha256", [None, b"\x05" * 32])
def test_a_tombstone_reads_back_what_was_written(meta_sha256: bytes | None) -> None:
    tombstone = replace(TOMBSTONE, meta_sha256=meta_sha256, uuid=None, previous_sha256=bytes(32))

    assert m.decode_tombstone(m.encode_tombstone(tombstone)) == tombstone
    with pytest.raises(MalformedError):
        m.decode_tombstone(m.encode_manifest(MANIFEST))


def test_tombstones_of_one_id_lie_apart() -> None:
    other = replace(TOMBSTONE, meta_sha256=b"\x09" * 32)
    lost = replace(TOMBSTONE, meta_sha256=None)

    paths = {m.tombstone_path(tombstone) for tombstone in (TOMBSTONE, other, lost)}

    assert len(paths) == 3
    assert m.tombstone_path(TOMBSTONE) == "qed/deleted/7-0505050505050505.json"
    assert m.manifest_path(7) == "qed/manifests/7.json"


def test_the_record_of_ids_reads_back_what_was_written() -> None:
    for ids in (Ids(0, None, ()), Ids(9, 9, (1, 2)), Ids(2**32 - 1, None, ())):
        assert m.decode_ids(m.encode_ids(ids)) == ids
    with pytest.raises(MalformedError, match="RocksDB's limit"):
        m.decode_ids(m.encode_ids(Ids(2**32, None, ())))
