from dataclasses import replace

import pytest

from qed.backup import pending as p
from qed.backup.pending import Pending, Replaced, StagedFile, Swapping
from qed.errors import MalformedError

PENDING = Pending(
    stage="2-0011",
    staged_s=1563369206,
    backup_id=2,
    uuid=bytes(16),
    log_id=b"\x01" * 16,
    size=4,
    history_digest=b"\x02" * 32,
    hyper_digest=b"\x03" * 32,
    files=(StagedFile("CURRENT", 16, bytes(32)), StagedFile("000009.sst", 5, bytes(32))),
    replaces=Replaced(b"\x04" * 32, "MANIFEST-000005", 601, b"\x05" * 32),
)
SWAPPING = Swapping("2-0011", "20261124T080000Z-1", ("CURRENT", "LOG"), 9)


def test_a_decided_restore_reads_back_what_was_written() -> None:
    for pending in (PENDING, replace(PENDING, uuid=None, replaces=None)):
        assert p.decode_pending(p.encode_pending(pending)) == pending


def test_a_swap_reads_back_what_was_written() -> None:
    for swapping in (SWAPPING, Swapping("s", None, (), None)):
        assert p.decode_swapping(p.encode_swapping(swapping)) == swapping


def test_each_flipped_byte_is_seen() -> None:
    for data, decode in (
        (p.encode_pending(PENDING), p.decode_pending),
        (p.encode_swapping(SWAPPING), p.decode_swapping),
    ):
        for at in range(len(data)):
            flipped = bytearray(data)
            flipped[at] ^= 0x04
            with pytest.raises(MalformedError):
                decode(bytes(flipped))


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "x\0"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    for pending in (
        replace(PENDING, stage=name),
        replace(PENDING, files=(StagedFile(name, 1, bytes(32)),)),
        replace(PENDING, replaces=Replaced(bytes(32), name, 0, bytes(32))),
    ):
        with pytest.raises(MalformedError):
            p.decode_pending(p.encode_pending(pending))
    for swapping in (
        replace(SWAPPING, stage=name),
        replace(SWAPPING, kept_aside=name),
        replace(SWAPPING, old_files=(name,)),
    ):
        with pytest.raises(MalformedError):
            p.decode_swapping(p.encode_swapping(swapping))


def test_only_files_of_a_database_are_moved() -> None:
    for name in ("LOCK", "backups", "qed_ed25519"):
        with pytest.raises(MalformedError):
            p.decode_pending(
                p.encode_pending(replace(PENDING, files=(StagedFile(name, 1, bytes(32)),)))
            )
        with pytest.raises(MalformedError):
            p.decode_swapping(p.encode_swapping(replace(SWAPPING, old_files=(name,))))
