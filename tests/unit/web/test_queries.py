from __future__ import annotations

import pytest

from qed.errors import MalformedError
from qed.web.queries import MAX_QUERY_BYTES, parse_duration, parse_number, read_query


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"c=1&c=2&a=", {"a": ""}),
        (b"A=1", {}),
        (b"a=%2B5", {"a": "+5"}),
        (b"a=\xff", {"a": "\xff"}),
        (b"&&=&a=1", {"a": "1"}),
    ],
)
def test_the_names_that_are_asked_for_are_found(query: bytes, values: dict[str, str]) -> None:
    assert read_query(query, "a", "b") == values


def test_what_is_said_twice_or_at_length_is_refused() -> None:
    with pytest.raises(MalformedError, match="says a twice"):
        read_query(b"a=1&a=1", "a")
    assert read_query(b"x" * MAX_QUERY_BYTES) == {}
    with pytest.raises(MalformedError, match="longer than 1024 bytes"):
        read_query(b"x" * (MAX_QUERY_BYTES + 1))


@pytest.mark.parametrize("text", ["0", "7", "10", str(2**64 - 1)])
def test_a_number_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_number(text, "v")) == text


@pytest.mark.parametrize(
    "text", ["", "-1", "+5", "05", " 5", "5 ", "1.0", "1e3", "\u0661", "one", str(2**64), "9" * 500]
)
def test_any_other_way_to_write_a_number_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match=r"v '.*' is not a number of 64 bits"):
        parse_number(text, "v")


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("500ms", 0.5), ("10s", 10), ("1m", 60), ("60s", 60)]
)
def test_a_duration_has_one_unit(text: str, seconds: float) -> None:
    assert parse_duration(text, "wait", at_most_s=60) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "61s", "2m", "1m0s", "-1s", "1.5s", "\u0661s", "9" * 99]
)
def test_a_duration_that_is_none_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="is not a time of at most 60s"):
        parse_duration(text, "wait", at_most_s=60)
