"""What a flag may hold: each type refuses what it does not understand, in one sentence.

Written as Go's flags are written: durations `200ms`, `5s`, `1m0s`; booleans `true`, `false`, `1`,
`0`, `t`, `f`; lists with commas; and sizes `512KiB`, `32MiB`. Strict: nothing is guessed, cut or
rounded to something else.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import click

from qed.errors import MalformedError
from qed.trees.values import DIGEST_BYTES

MAX_VERSION = 2**64 - 1

MIB, TIB = 2**20, 2**40

_UNIT_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_UNIT_BYTES = {"B": 1, "KiB": 2**10, "MiB": MIB, "GiB": 2**30, "TiB": TIB}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB|TiB)")
_HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_DECIMAL = re.compile(r"[0-9]{1,20}")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def parse_duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it (`1m0s`, `200ms`, `1.5h`, `0`).

    Raises ValueError for anything else, a negative one included.
    """
    if text == "0":
        return 0.0
    at, total = 0, 0.0
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        if part is None:
            break
        total += float(part[1]) * _UNIT_S[part[2]]
        at = part.end()
    if at == 0 or at < len(text):
        raise ValueError(f"not a duration: {text!r}")
    return total


def format_duration(seconds: float) -> str:
    """Return a duration as Go prints it: `200ms`, `10s`, `1m0s`, `1h0m0s`."""
    if seconds == 0:
        return "0s"
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def parse_size(text: str) -> int:
    """Return the bytes of a size with its unit (`4096B`, `512KiB`, `32MiB`, `1GiB`).

    Raises ValueError for anything else, a number without a unit included.
    """
    parts = _SIZE.fullmatch(text)
    if parts is None:
        raise ValueError(f"not a size: {text!r}")
    return int(parts[1]) * _UNIT_BYTES[parts[2]]


def format_size(size_bytes: int) -> str:
    """Return a size in the largest unit of which it is a whole number: `32MiB`, `1500B`."""
    unit = max(
        (unit for unit, one in _UNIT_BYTES.items() if size_bytes % one == 0 and size_bytes >= one),
        key=_UNIT_BYTES.__getitem__,
        default="B",
    )
    return f"{size_bytes // _UNIT_BYTES[unit]}{unit}"


def parse_digest(text: str) -> bytes:
    """Return the 32 bytes of 64 hex digits; ValueError for anything else."""
    if _HEX_DIGEST.fullmatch(text) is None:
        raise ValueError(f"not a digest: {text!r}")
    return bytes.fromhex(text)


class Duration(click.ParamType[float]):
    """A length of time, in seconds once parsed."""

    name = "duration"

    def __init__(self, at_least_s: float = 0.0, at_most_s: float = math.inf) -> None:
        """Take what lies between two lengths, both included."""
        self.at_least_s = at_least_s
        self.at_most_s = at_most_s

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds; a number is taken to be seconds already (a default)."""
        if isinstance(value, float | int):
            return float(value)
        try:
            seconds = parse_duration(value)
        except ValueError:
            self.fail(f"{value!r} is not a duration such as 200ms, 5s or 1m0s", param, ctx)
        if not self.at_least_s <= seconds <= self.at_most_s:
            low, high = format_duration(self.at_least_s), format_duration(self.at_most_s)
            self.fail(f"{value!r} is not between {low} and {high}", param, ctx)
        return seconds


class Size(click.ParamType[int]):
    """A number of bytes, written with its unit."""

    name = "size"

    def __init__(self, at_least_bytes: int, at_most_bytes: int) -> None:
        """Take what lies between two sizes, both included."""
        self.at_least_bytes = at_least_bytes
        self.at_most_bytes = at_most_bytes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes; a number is taken to be bytes already (a default)."""
        if isinstance(value, int):
            return value
        try:
            size_bytes = parse_size(value)
        except ValueError:
            self.fail(f"{value!r} is not a size such as 512KiB, 32MiB or 1GiB", param, ctx)
        if not self.at_least_bytes <= size_bytes <= self.at_most_bytes:
            low, high = format_size(self.at_least_bytes), format_size(self.at_most_bytes)
            self.fail(f"{value!r} is not between {low} and {high}", param, ctx)
        return size_bytes


class Count(click.ParamType[int]):
    """How many of something, in plain decimal."""

    name = "number"

    def __init__(self, at_most: int, at_least: int = 1) -> None:
        """Take `at_least` to `at_most`, both included."""
        self.at_least = at_least
        self.at_most = at_most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        if isinstance(value, int):
            return value
        if _DECIMAL.fullmatch(value) is None or not self.at_least <= int(value) <= self.at_most:
            low, high = self.at_least, self.at_most
            self.fail(f"{value!r} is not a number from {low} to {high}", param, ctx)
        return int(value)


class Digest(click.ParamType[bytes]):
    """A digest: 64 hex digits, 32 bytes once parsed."""

    name = "hex"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        """Return the bytes."""
        if isinstance(value, bytes):
            return value
        try:
            return parse_digest(value)
        except ValueError:
            self.fail(describe_bad_digest(value), param, ctx)


def describe_bad_digest(text: str) -> str:
    """Return why a text is no digest, with its length where that is the reason."""
    need = f"a digest is {2 * DIGEST_BYTES} hex digits ({DIGEST_BYTES} bytes)"
    if re.fullmatch(r"[0-9a-fA-F]*", text):
        return f"{need}, not {len(text)}"
    return f"{need}, and {text[:80]!r} holds something else"


class Version(click.ParamType[int]):
    """A version: 0 to 2^64 - 1 in plain decimal."""

    name = "version"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        if isinstance(value, int):
            return value
        if _DECIMAL.fullmatch(value) is None or int(value) > MAX_VERSION:
            self.fail(f"{value!r} is not a version (0 to {MAX_VERSION})", param, ctx)
        return int(value)


class Bool(click.ParamType[bool]):
    """A boolean as Go's flags take it."""

    name = "bool"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Return the truth."""
        if isinstance(value, bool):
            return value
        if value in _TRUE:
            return True
        if value not in _FALSE:
            self.fail(f"{value!r} is neither true nor false", param, ctx)
        return False


class Address(click.ParamType[str]):
    """An address to listen on or to tell others: host:port, the host may be empty for all."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it was written."""
        from qed.web.addresses import parse_address  # noqa: PLC0415 - servers only

        try:
            parse_address(value, "")
        except MalformedError as error:
            self.fail(f"{value!r} is not an address: {error.hint}", param, ctx)
        return str(value)


class Url(click.ParamType[str]):
    """The base address of a server: http://host:port or https://host:port."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address in its one form."""
        from qed.client.config import parse_endpoint  # noqa: PLC0415 - client commands only

        try:
            return parse_endpoint(value)
        except MalformedError as error:
            self.fail("; ".join(filter(None, (error.message, error.hint))), param, ctx)


class ListOf(click.ParamType[tuple[Any, ...]]):
    """Values of one type with commas between; the flag may be repeated."""

    def __init__(self, item: click.ParamType[Any]) -> None:
        """Keep the type of one value."""
        self.item = item
        self.name = f"{item.name},..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Return the values in the order written; `[]` and the empty text are no values."""
        if isinstance(value, tuple):
            return value
        text = value.strip()
        if text in {"", "[]"}:
            return ()
        return tuple(self.item.convert(part.strip(), param, ctx) for part in text.split(","))


class FilePath(click.ParamType[Path]):
    """A path; whether anything is there is the command's business."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path as it was written, `~` expanded."""
        if isinstance(value, Path):
            return value
        if not value or "\0" in value:
            self.fail("the path is empty", param, ctx)
        return Path(value).expanduser()


class Text(click.ParamType[str]):
    """Any text, also one whose bytes are no UTF-8 (kept by surrogates)."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it came."""
        del param, ctx
        return str(value)


class KeyText(Text):
    """A verifier key, or the path of a file that holds one; which of them is read later."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; an empty one is most likely a variable of the shell that is not set."""
        if not str(value).strip() or "\0" in str(value):
            self.fail("the key is empty", param, ctx)
        return super().convert(value, param, ctx)


DURATION = Duration()
DIGEST = Digest()
VERSION = Version()
BOOL = Bool()
ADDRESS = Address()
URL = Url()
PATH = FilePath()
TEXT = Text()
VERIFIER_KEY = KeyText()
