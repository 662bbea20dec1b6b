import re

import pytest

from qed.engine import rows
from qed.engine.rows import Head, Identity, Mark, StoredGroup
from qed.errors import DamagedError, NewerFormatError
from qed.trees.values import NO_VERSION

ID = bytes(range(16))
HEAD = Head(
    log_id=ID,
    epoch=1,
    sequence=2,
    size=5,
    history_digest=b"h" * 32,
    hyper_digest=b"y" * 32,
)


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def test_a_head_comes_back() -> None:
    data = rows.encode_head(HEAD)
    assert data == ID + u64(1) + u64(2) + u64(5) + b"h" * 32 + b"y" * 32
    assert rows.decode_head(data) == HEAD


def test_the_current_version_of_a_head() -> None:
    assert HEAD.current_version == 4
    empty = Head(ID, 0, 0, 0, bytes(32), bytes(32))
    assert empty.current_version == NO_VERSION


def test_the_rows_of_a_new_log() -> None:
    identity = Identity(ID, "log.example/ä", "nöde")
    assert rows.encode_creation(identity, HEAD) == [
        ("default", b"format", b"\x00\x01"),
        ("default", b"log", ID + "log.example/ä".encode()),
        ("default", b"node", "nöde".encode()),
        ("default", b"head", rows.encode_head(HEAD)),
    ]
    assert rows.decode_identity(ID + "log.example/ä".encode(), "nöde".encode()) == identity


def test_the_rows_of_a_group_come_back() -> None:
    digests = [b"a" * 32, b"b" * 32]
    log_put, end_put, head_put = rows.encode_group(3, b"".join(digests), HEAD)
    assert log_put == ("log", u64(3), b"a" * 32 + b"b" * 32)
    assert end_put == ("ends", u64(4), b"y" * 32)
    assert head_put == ("default", b"head", rows.encode_head(HEAD))
    group = rows.decode_group(log_put[1:], end_put[1:])
    assert group == StoredGroup(3, 5, b"a" * 32 + b"b" * 32, b"y" * 32)


def test_the_rows_of_the_snapshot_log_come_back() -> None:
    nodes = [(1, 258, b"n" * 32), (2, 1, b"m" * 32)]
    *node_puts, mark_put = rows.encode_snapshots(Mark(5, b"r" * 32), nodes)
    assert node_puts == [
        ("default", b"node\x01" + u64(258), b"n" * 32),
        ("default", b"node\x02" + u64(1), b"m" * 32),
    ]
    assert mark_put == ("default", b"snapshots", b"\x00\x01" + u64(5) + b"r" * 32)
    assert rows.decode_snapshots(mark_put[2]) == Mark(5, b"r" * 32)
    assert rows.name_node(2, 1) == "default/node/2/1"


@pytest.mark.parametrize(
    "value", [None, b"\x00\x02", b"\x00\x00" + bytes(40), b"\xff\xff" + bytes(9)]
)
def test_a_snapshot_log_of_another_format_is_as_good_as_none(value) -> None:
    assert rows.decode_snapshots(value) is None


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x01", b"\x00\x01" + bytes(39)])
def test_a_row_that_says_no_size_is_damage(value) -> None:
    with pytest.raises(DamagedError, match="the row default/snapshots has"):
        rows.decode_snapshots(value)


def test_the_format_of_today_is_read() -> None:
    rows.check_format(b"\x00\x01")


@pytest.mark.parametrize("value", [b"", b"\x00\x00", b"\x01", b"\x00\x00\x01"])
def test_what_is_no_format_is_damage(value) -> None:
    with pytest.raises(DamagedError, match="default/format"):
        rows.check_format(value)


def test_a_later_format_is_refused_with_both_numbers() -> None:
    with pytest.raises(NewerFormatError, match="format 258, this program reads up to format 1"):
        rows.check_format(b"\x01\x02")


@pytest.mark.parametrize(
    ("log_value", "node_value", "sentence"),
    [
        (None, b"n", "the row default/log is missing"),
        (ID + b"o", None, "the row default/node is missing"),
        (ID[:15], b"n", "the row default/log has 15 bytes, too few for id and origin"),
        (ID, b"n", "the row default/log has 16 bytes, too few for id and origin"),
        (ID + b"\xff", b"n", "the row default/log or default/node is not UTF-8"),
        (ID + b"o", b"\xff", "the row default/log or default/node is not UTF-8"),
    ],
)
def test_a_broken_identity_is_damage(log_value, node_value, sentence) -> None:
    with pytest.raises(DamagedError) as damage:
        rows.decode_identity(log_value, node_value)
    assert str(damage.value) == sentence
    assert "qed restore" in damage.value.hint


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "the row default/head is missing"),
        (b"", "the row default/head has 0 bytes instead of 104"),
        (bytes(105), "the row default/head has 105 bytes instead of 104"),
    ],
)
def test_a_broken_head_is_damage(value, sentence) -> None:
    with pytest.raises(DamagedError) as damage:
        rows.decode_head(value)
    assert str(damage.value) == sentence


@pytest.mark.parametrize(
    ("log_row", "end_row", "sentence"),
    [
        ((u64(3), b""), (u64(3), bytes(32)), "the row log/3 has 0 bytes, not one or more"),
        ((u64(3), bytes(33)), (u64(3), bytes(32)), "the row log/3 has 33 bytes, not one or more"),
        (
            (u64(3), bytes(64)),
            (u64(3), bytes(32)),
            "the row log/3 ends at version 4, but the next end is ends/3",
        ),
        ((u64(3), bytes(32)), (u64(3), bytes(31)), "the row ends/3 has 31 bytes instead of 32"),
        ((b"k", bytes(32)), (u64(3), bytes(32)), "the row log/6b has a key of 1 bytes"),
        ((u64(3), bytes(32)), (bytes(9), bytes(32)), "the row ends/.* has a key of 9 bytes"),
    ],
)
def test_rows_of_a_group_that_contradict_each_other_are_damage(log_row, end_row, sentence) -> None:
    with pytest.raises(DamagedError) as damage:
        rows.decode_group(log_row, end_row)
    assert re.match(sentence, str(damage.value))
