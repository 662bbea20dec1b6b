"""What a flag may hold, and what is refused."""

import click
import pytest

from qed.cli import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("5s", 5),
        ("1m0s", 60),
        ("1h2m3.5s", 3723.5),
        ("0", 0),
        ("0s", 0),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("7us", 7e-6),
        ("7µs", 7e-6),
        ("9ns", 9e-9),
    ],
)
def test_a_duration_is_read_as_go_writes_it(text, seconds):
    assert values.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "-5s", "s", "5 s", "1m 0s", "5x", "1e3s", "+5s", ".s", "inf", "5s,", "٣s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        values.parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.2, "200ms"), (10, "10s"), (60, "1m0s"), (90.5, "1m30.5s"), (3600, "1h0m0s")],
)
def test_a_duration_is_shown_as_go_prints_it_and_reads_back(seconds, text):
    assert values.format_duration(seconds) == text
    assert values.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0B", 0),
        ("1500B", 1500),
        ("1KiB", 1024),
        ("32MiB", 32 * 2**20),
        ("1GiB", 2**30),
        ("1025KiB", 1025 * 1024),
    ],
)
def test_a_size_is_read_with_its_unit_and_shown_again(text, size_bytes):
    assert values.parse_size(text) == size_bytes
    assert values.format_size(size_bytes) == text


@pytest.mark.parametrize(
    "text",
    ["", "5", "1.5MiB", "-1MiB", "+1MiB", "MiB", "1 MiB", "1MB", "1mib", "1MiBx", "٣MiB", "1MiB\n"],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="not a size"):
        values.parse_size(text)


def convert(kind, text):
    return kind.convert(text, None, None)


@pytest.mark.parametrize("length", [0, 2, 62, 63, 65, 66, 128])
def test_a_digest_of_another_length_is_refused_and_the_length_said(length):
    with pytest.raises(click.BadParameter, match=rf"64 hex digits \(32 bytes\), not {length}$"):
        convert(values.DIGEST, "a" * length)


@pytest.mark.parametrize("text", ["g" * 64, " " + "a" * 63, "a" * 63 + "\n", "aa " * 21 + "a"])
def test_a_digest_with_anything_but_hex_is_refused(text):
    with pytest.raises(click.BadParameter, match="something else"):
        convert(values.DIGEST, text)


def test_a_digest_may_be_written_in_either_case():
    assert convert(values.DIGEST, "aB" * 32) == b"\xab" * 32


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("18446744073709551615", 2**64 - 1)])
def test_a_version_is_any_u64(text, number):
    assert convert(values.VERSION, text) == number


@pytest.mark.parametrize(
    "text", ["-1", "+5", "1.0", "", " 1", "18446744073709551616", "9" * 30, "0x10", "1_0", "٣"]
)
def test_what_is_no_version_is_refused(text):
    with pytest.raises(click.BadParameter, match="is not a version"):
        convert(values.VERSION, text)


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True"])
def test_go_says_true_in_six_ways(text):
    assert convert(values.BOOL, text) is True
    assert (
        convert(values.BOOL, {"1": "0"}.get(text, text.replace("t", "f").replace("T", "F")[:1]))
        is False
    )


@pytest.mark.parametrize("text", ["yes", "", "2", "tRUE"])
def test_what_is_no_boolean_is_refused(text):
    with pytest.raises(click.BadParameter, match="neither true nor false"):
        convert(values.BOOL, text)


@pytest.mark.parametrize("text", ["127.0.0.1:8800", "[::1]:0", ":8800", "qed_server_0:65535"])
def test_an_address_stays_as_it_was_written(text):
    assert convert(values.ADDRESS, text) == text


@pytest.mark.parametrize("text", ["", "localhost", "a:65536", "a:b", "http://a:1", "::1:1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(click.BadParameter, match="is not an address"):
        convert(values.ADDRESS, text)


@pytest.mark.parametrize("text", ["localhost:8800", "", "ftp://a", "http://", "http://a:99999"])
def test_an_endpoint_without_scheme_or_sense_is_refused(text):
    with pytest.raises(click.BadParameter):
        convert(values.URL, text)


def test_an_endpoint_is_put_into_its_one_form():
    assert convert(values.URL, "HTTP://LocalHost:8800/") == "http://localhost:8800"


@pytest.mark.parametrize(
    ("text", "items"),
    [("1,2", (1, 2)), ("1", (1,)), ("", ()), ("[]", ()), (" 1 , 2 ", (1, 2))],
)
def test_a_list_has_commas_between(text, items):
    assert convert(values.ListOf(values.VERSION), text) == items


def test_a_bad_item_is_refused_by_its_own_type():
    with pytest.raises(click.BadParameter, match="is not a version"):
        convert(values.ListOf(values.VERSION), "1,x")


def test_an_empty_path_is_refused():
    with pytest.raises(click.BadParameter, match="empty"):
        convert(values.PATH, "")


def test_a_home_directory_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert convert(values.PATH, "~/db") == tmp_path / "db"


def test_a_text_keeps_every_character():
    assert convert(values.TEXT, " a\n\udcff ") == " a\n\udcff "


BOUNDED = [
    (values.Size(1024, 2**20), ["1KiB", "1MiB"], ["1023B", "1048577B", "5GiB"], "1KiB and 1MiB"),
    (values.Duration(0.001, 60), ["1ms", "1m0s"], ["0", "0.9ms", "61s"], "1ms and 1m0s"),
    (values.Count(20), ["1", "20"], ["0", "21", "-1", "1.0", " 1", "1_0", "x"], "from 1 to 20"),
]


@pytest.mark.parametrize(("kind", "inside", "outside", "said"), BOUNDED)
def test_a_range_includes_both_its_ends_and_nothing_beyond(kind, inside, outside, said):
    low, high = (convert(kind, text) for text in inside)
    assert low < high
    for text in outside:
        with pytest.raises(click.BadParameter, match=said):
            convert(kind, text)


def test_a_size_without_a_unit_is_told_how_it_is_written():
    with pytest.raises(click.BadParameter, match="not a size such as 512KiB"):
        convert(values.Size(1, 10), "5")
