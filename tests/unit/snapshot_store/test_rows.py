"""Every row is read back as it was written, and nothing else is."""

import pytest

from qed.errors import DamagedError, NewerFormatError
from qed.snapshot_store import rows
from qed.snapshot_store.rows import Alert, Cover
from qed.snapshot_store.runs import Run, join
from signed_log import SignedLog

LOG = SignedLog(600)
RUN = Run.of_snapshots(LOG.snapshots[100:600])


def test_the_bytes_of_the_small_rows_are_those_that_are_drawn():
    assert rows.encode_creation("k", b"\x07" * 32) == [
        ("default", b"format", b"\x00\x01"),
        ("default", b"\x00\x00key", b"k"),
        ("default", b"\x00\x00head", bytes(8) + b"\x07" * 32),
    ]
    assert rows.encode_published(b"n") == ("default", b"\x00\x00published", b"n")
    cover = rows.encode_cover(Cover(b"note", (b"\x01" * 32, b"\x02" * 32)))
    value = b"\x00\x02" + b"\x01" * 32 + b"\x02" * 32 + b"note"
    assert cover == ("default", b"\x00\x00cover", value)
    assert rows.encode_node(1, 2, b"h" * 32) == (
        "nodes",
        b"\x00\x00\x01" + (2).to_bytes(8, "big"),
        b"h" * 32,
    )
    assert rows.encode_signature(5, b"s" * 64)[1] == b"\x00\x00" + (5).to_bytes(8, "big")
    assert rows.encode_note(5, b"note") == ("notes", b"\x00\x00" + bytes(7) + b"\x05", b"note")
    assert rows.encode_alert(Alert(3, True, 7, "é")) == (  # noqa: FBT003
        "alerts",
        bytes(7) + b"\x03",
        b"\x01" + bytes(7) + b"\x07" + "é".encode(),
    )
    assert rows.encode_evidence("a.json", b"{}") == ("evidence", b"a.json", b"{}")


def test_the_bytes_of_leaves_are_those_that_are_drawn():
    run = Run.of_snapshots(LOG.snapshots[1:4])  # groups of three: two of one, one of the next
    ((family, key, value),) = rows.encode_run(run)
    one, two, three = LOG.snapshots[1:4]
    assert (family, key) == ("leaves", b"\x00\x00" + bytes(7) + b"\x01")
    assert value == b"".join(
        (
            b"\x00\x00\x00\x03",
            *(each.event_digest for each in (one, two, three)),
            *(each.history_digest for each in (one, two, three)),
            b"\x00\x00\x00\x02" + one.hyper_digest,
            b"\x00\x00\x00\x01" + three.hyper_digest,
        )
    )


def test_leaves_are_read_back():
    puts = rows.encode_run(RUN)
    assert [rows.decode_version(rows.LEAVES, key) for _, key, _ in puts] == [100, 256, 512]
    assert join([rows.decode_run((key, value)) for _, key, value in puts]) == RUN


def test_other_bytes_are_no_leaves():
    (_, key, value), *_ = rows.encode_run(RUN)
    zero = value[:-36] + b"\x00\x00\x00\x00" + value[-32:]
    for other in (b"", value[:-1], value + b"x", b"\xff" * 4 + value[4:], bytes(4), zero):
        with pytest.raises(DamagedError, match="leaves/100"):
            rows.decode_run((key, other))
    whole = rows.encode_run(Run.of_snapshots(LOG.snapshots[:256]))[0][2]
    with pytest.raises(DamagedError):
        rows.decode_run((rows.version_key(1), whole))
    for other_key in (b"", b"\x00\x01" + key[2:], key + b"x"):
        with pytest.raises(DamagedError):
            rows.decode_run((other_key, value))


def test_conflicts_are_read_back():
    for run in (None, RUN):
        _, key, value = rows.encode_conflict(b"h" * 32, b"note", run)
        assert key == b"\x00\x00" + b"h" * 32
        assert rows.decode_conflict((key, value)) == (b"note", run)
        for other in (b"", value[:5], bytes(4)):
            with pytest.raises(DamagedError, match="conflicts"):
                rows.decode_conflict((key, other))
    with pytest.raises(DamagedError):
        rows.decode_conflict((key, value[:-1]))


def test_alerts_are_read_back():
    for alert in (Alert(0, False, 0, "x"), Alert(2**40, True, 2**33, "zwei\nZeilen")):  # noqa: FBT003
        _, key, value = rows.encode_alert(alert)
        assert rows.decode_alert((key, value)) == alert
    for other in (b"\x02" + value[1:], value[:9], value[:-1] + b"\xff"):
        with pytest.raises(DamagedError, match="alerts"):
            rows.decode_alert((key, other))


def test_meta_rows_are_read_back_or_refused():
    assert rows.decode_head(rows.encode_head(7, b"r" * 32)[2]) == (7, b"r" * 32)
    assert rows.decode_key(b"k") == "k"
    assert rows.decode_cover(None) is None
    cover = Cover(b"note", (b"\x01" * 32,))
    assert rows.decode_cover(rows.encode_cover(cover)[2]) == cover
    assert rows.decode_signature(1, None) == b""
    assert rows.decode_signature(1, b"s" * 64) == b"s" * 64
    rows.check_format(b"\x00\x01")
    with pytest.raises(NewerFormatError):
        rows.check_format(b"\x00\x02")
    wrong = [
        lambda: rows.check_format(None),
        lambda: rows.check_format(b"\x00\x00"),
        lambda: rows.check_format(b"\x01"),
        lambda: rows.decode_head(None),
        lambda: rows.decode_head(b"x"),
        lambda: rows.decode_key(None),
        lambda: rows.decode_key(b"\xff"),
        lambda: rows.decode_cover(b"\x00\x01" + bytes(32)),
        lambda: rows.decode_signature(1, b"s"),
    ]
    for decode in wrong:
        with pytest.raises(DamagedError, match="snapshot store"):
            decode()
