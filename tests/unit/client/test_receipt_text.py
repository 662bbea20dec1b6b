"""The file of a receipt: one spelling for each, everything else refused."""

import base64
import json
import time

import pytest

from publishing import PublishedLog
from qed.client import receipt_text
from qed.client.receipt_text import format_receipt, looks_like_receipt, parse_receipt
from qed.errors import VerificationError
from receipt_log import extra_of, make_receipt, one_of_each, small_log, with_extra

LOG = small_log()
FILES = {name: data for name, (_, data) in one_of_each(LOG).items()}
LOGGED = FILES["logged"]


def refuse(data: bytes, sentence: str) -> None:
    with pytest.raises(VerificationError, match=sentence) as raised:
        parse_receipt(data)
    assert raised.value.step == "receipt"


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_what_was_formatted_is_parsed(data):
    receipt = parse_receipt(data)

    assert format_receipt(receipt) == data
    assert receipt.note == LOG.note
    assert looks_like_receipt(data)


def test_the_file_is_a_tlog_proof():
    lines = LOGGED.split(b"\n")

    assert lines[0] == b"c2sp.org/tlog-proof@v1"
    assert lines[1].startswith(b"extra ")
    assert lines[2] == b"index 2"
    assert [len(base64.b64decode(line)) for line in lines[3:6]] == [32, 32, 32]
    assert lines[6] == b""
    assert b"\n".join(lines[7:]) == LOG.note


def test_extra_is_one_line_of_json_in_our_order():
    extra = extra_of(FILES["absent beside a leaf"])
    fields = json.loads(extra)

    assert list(fields) == ["Format", "Kind", "Snapshot", "Answer"]
    assert list(fields["Snapshot"]) == ["EventDigest", "HistoryDigest", "HyperDigest", "Version"]
    assert list(fields["Answer"])[-1] == "HyperLeaf"
    assert json.dumps(fields, separators=(",", ":")).encode() == extra
    assert json.loads(extra_of(LOGGED))["Answer"] is None


def test_a_log_of_one_event_has_no_path():
    log = PublishedLog()
    (only,) = log.add(b"event 0")
    data = format_receipt(make_receipt(log, "logged", only.event_digest))

    assert parse_receipt(data).path == ()
    assert data.split(b"\n")[3] == b""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"tlog-proof@v1", b"tlog-proof@v2", "first line"),
        (b"\nextra ", b"\nEXTRA ", "second and third line"),
        (b"\nextra ", b"\nextra  ", "not standard base64"),
        (b"index 2", b"index +2", "not an integer"),
        (b"index 2", b"index 02", "not an integer"),
        (b"index 2", b"index -2", "not an integer"),
        (b"index 2", b"index 2 ", "not an integer"),
        (b"index 2", b"index  2", "not an integer"),
        (b"index 2", b"index \xd9\xa2", "not an integer"),
        (b"index 2", b"index 2_0", "not an integer"),
        (b"index 2", b"index 18446744073709551616", "not an integer"),
        (b"index 2", b"index " + b"9" * 5000, "not an integer"),
        (b"index 2\n", b"", "second and third line"),
        (b"index 2\n", b"index 2\nindex 2\n", "not a hash"),
        (b"\n", b"\r\n", "no empty line"),
    ],
)
def test_another_spelling_is_refused(old, new, sentence):
    assert old in LOGGED
    refuse(LOGGED.replace(old, new, -1 if old == b"\n" else 1), sentence)


def test_extra_is_always_there():
    lines = LOGGED.split(b"\n")

    refuse(b"\n".join([lines[0], *lines[2:]]), "second and third line")
    refuse(b"\n".join(lines[:2]) + b"\n\n" + LOG.note, "no lines extra and index")
    refuse(LOGGED.replace(lines[1], lines[1] + b"\n" + lines[1]), "second and third line")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"A" * 43 + b"B=", "not a hash"),
        (base64.b64encode(bytes(31)), "not a hash"),
        (base64.b64encode(bytes(33)), "not a hash"),
        (b"A" * 42 + b"B=", "canonical"),  # bits set that belong to no byte
        (b"-" * 43 + b"=", "not standard base64"),
        (base64.b64encode(bytes(32)) + b" ", "not a hash"),
        (b" " + base64.b64encode(bytes(32)), "not a hash"),
    ],
)
def test_a_line_of_the_path_is_one_hash_in_canonical_base64(line, sentence):
    old = LOGGED.split(b"\n")[3]

    refuse(LOGGED.replace(old, line, 1), sentence)


def test_a_path_of_more_than_63_lines_is_refused():
    line = base64.b64encode(bytes(32)) + b"\n"
    head, _, note = LOGGED.partition(b"\n\n")
    start = b"\n".join(head.split(b"\n")[:3]) + b"\n"

    assert len(parse_receipt(start + 63 * line + b"\n" + note).path) == 63
    refuse(start + 64 * line + b"\n" + note, "more than 63 lines")
    refuse(start + 5000 * line + b"\n" + note, "more than 63 lines")


def test_a_large_file_is_refused_unread():
    began = time.perf_counter()
    refuse(LOGGED + b"\n" * 10_000_000, "more than 524288")
    refuse(b"\n" * 10_000_000, "more than 524288")

    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n", b"c2sp.org/tlog-proof@v1", b"\x00\xff"])
def test_what_is_no_receipt_is_refused(data):
    refuse(data, "does not parse")
    assert not looks_like_receipt(data[:5])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'"Kind":"logged"', b'"Kind":"loggee"', "none of logged, newest, absent"),
        (b'"Kind":"logged"', b'"Kind":"newest"', "about its Answer"),
        (b'"Kind":"logged"', b'"Kind":1', "not a text"),
        (b'"Kind":"logged"', b'"Kind":"logged","Kind":"logged"', "twice"),
        (b'"Kind":"logged",', b"", "no field Kind"),
        (b'"Answer":null', b'"Answer":null,"More":1', "unknown field"),
        (b'"Answer":null', b'"Answer":{}', "about its Answer"),
        (b'"Answer":null', b'"Answer": null', "canonical"),
        (b'"Version":2', b'"Version":2.0', "not an integer"),
        (b'"Version":2', b'"Version":+2', "not JSON"),
        (b'"Version":2', b'"Version":1e400', "not an integer"),
        (b'"Version":2', b'"Version":' + b"9" * 4000, "not an integer"),
        (b'"Version":2', b'"Version":' + b"[" * 4000 + b"]" * 4000, "nested"),
        (b'"Version":2', b'"Version":NaN', "not a value"),
        (b'"Format":"qed/receipt/v1"', b'"Format":"qed/proof/v1"', "its format is"),
        (b"{", b'{"Format":"qed/receipt/v1",', "twice"),
        (b"{", b" {", "canonical"),
        (b"logged", b"\xff\xfe", "not UTF-8"),
    ],
)
def test_extra_is_read_strictly(old, new, sentence):
    extra = extra_of(LOGGED)
    assert old in extra

    refuse(with_extra(LOGGED, extra.replace(old, new, 1)), sentence)


def test_base64_of_extra_is_canonical():
    line = LOGGED.split(b"\n")[1]
    text = line.removeprefix(b"extra ")
    for other in (
        text.rstrip(b"=") if text.endswith(b"=") else text + b"====",
        text[:20] + b"\r" + text[20:],
        text[:20] + b" " + text[20:],
        text[:20] + b"-" + text[21:],
    ):
        refuse(LOGGED.replace(text, other, 1), "base64|canonical")


def test_the_event_itself_stands_in_no_receipt():
    extra = extra_of(FILES["newest"])

    refuse(
        with_extra(FILES["newest"], extra.replace(b'"Key":null', b'"Key":"AQ=="')),
        "Key of the Answer is not null",
    )


def test_a_digest_has_32_bytes():
    extra = extra_of(LOGGED)
    short = base64.b64encode(bytes(31))
    digest = json.loads(extra)["Snapshot"]["HyperDigest"].encode()

    refuse(with_extra(LOGGED, extra.replace(digest, short)), "has 31 bytes")


def test_a_later_format_is_told_apart():
    extra = extra_of(LOGGED).replace(b"receipt/v1", b"receipt/v2")

    with pytest.raises(VerificationError, match="qed/receipt/v2") as raised:
        parse_receipt(with_extra(LOGGED, extra))
    assert "later version" in raised.value.hint


def test_extra_is_bounded(monkeypatch):
    monkeypatch.setattr(receipt_text, "MAX_EXTRA_BYTES", 100)

    refuse(LOGGED, "more than 100")
