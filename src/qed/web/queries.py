"""What stands behind the `?` of a request, read strictly: each name once, numbers as we write them.

Names that nobody asks for are passed over.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from qed.errors import MalformedError
from qed.wire.bounds import MAX_U64

MAX_QUERY_BYTES = 1024
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,5})(ms|s|m)", re.ASCII)
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
_SHOWN_CHARS = 40


def read_query(query: bytes, *names: str) -> dict[str, str]:
    """Return the values of those names that a query says; one that it says twice is refused."""
    if len(query) > MAX_QUERY_BYTES:
        raise MalformedError(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    values: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in names:
            if name in values:
                raise MalformedError(f"the query says {name} twice")
            values[name] = value
    return values


def parse_number(text: str, name: str) -> int:
    """Return a number of 64 bits; one that is written in any other way than ours is refused."""
    if not _NUMBER.fullmatch(text) or int(text) > MAX_U64:
        raise MalformedError(f"{name} {text[:_SHOWN_CHARS]!r} is not a number of 64 bits")
    return int(text)


def parse_duration(text: str, name: str, *, at_most_s: float) -> float:
    """Return the seconds of a duration of one unit, such as 500ms, 10s or 1m."""
    parts = _DURATION.fullmatch(text)
    seconds = int(parts[1]) * _UNIT_S[parts[2]] if parts else None
    if seconds is None or seconds > at_most_s:
        raise MalformedError(
            f"{name} {text[:_SHOWN_CHARS]!r} is not a time of at most {at_most_s:.0f}s",
            hint=f"write it as {name}=10s or {name}=500ms",
        )
    return seconds
