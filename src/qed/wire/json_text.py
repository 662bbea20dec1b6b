"""JSON, read twice as strictly as Python does and written as QED writes it.

Two readers. `parse_request` is what a server needs: objects keep the order and the repetitions of
their names, because Go, whose clients call us, lets the last one win in any letter case.
`parse_answer` is what a client needs: a repeated name is refused, since two programs that read one
document differently are how a proof is made to say two things. Both refuse, for every input, with
MalformedError and nothing else: bytes that are not UTF-8, `NaN`, trailing data, deep nesting,
millions of tiny values (for a request that one is a TooLargeError).
A number that is no integer from 0 to 2^64 - 1 is kept as its text (`OtherNumber`), for a request
may hold one in a field that nobody reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from qed.errors import MalformedError, TooLargeError
from qed.wire.bounds import BOUNDS

Pair = tuple[str, object]

# Possessive (`*+`): a string is never tried again from its middle, so this is linear in the body.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


class Pairs(tuple[Pair, ...]):
    """An object of a request: its names and values in order, repetitions included."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OtherNumber:
    """A number that is not an integer from 0 to 2^64 - 1; never converted, whatever its size."""

    text: str


def parse_request(body: bytes) -> object:
    """Return the value that a request's body holds; its objects are `Pairs`.

    Raises:
        MalformedError: the body is not one JSON value in UTF-8, or it is nested too deeply.
        TooLargeError: it holds more values than any request has.
    """
    text = _decode(body)
    if not _has_at_most(text, BOUNDS.request_values):
        raise TooLargeError(
            f"the body holds more than {BOUNDS.request_values} values",
            hint="nothing was added: split it over several requests",
        )
    return _parse(text, _REQUEST)


def parse_answer(body: bytes, *, max_bytes: int) -> object:
    """Return the value that an answer's body holds; no object in it repeats a name.

    Raises:
        MalformedError: the body is longer than `max_bytes`, is not one JSON value in UTF-8, is
            nested too deeply, holds too many values, or repeats a name.
    """
    if len(body) > max_bytes:
        raise MalformedError(f"the body has {len(body)} bytes, more than {max_bytes}")
    text = _decode(body)
    if not _has_at_most(text, BOUNDS.answer_values):
        raise MalformedError(f"the body holds more than {BOUNDS.answer_values} values")
    return _parse(text, _ANSWER)


def format_text(value: str) -> str:
    """Return a text as JSON, quotes included, in ASCII."""
    return json.dumps(value)


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"the body is not UTF-8 at byte {error.start}") from None


def _parse(text: str, decoder: json.JSONDecoder) -> object:
    _check_nesting(text)
    try:
        value: object = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"the body is not JSON: {error.msg} at character {error.pos}"
        ) from None
    return value


def _has_at_most(text: str, values: int) -> bool:
    """Return whether a body is within its number of values.

    The parser makes an object for each and lets nobody else run meanwhile: of `[],[],...` it would
    make thirty times the body's size, and the server would stand still for seconds. Each value but
    the first stands after one of three characters; those in texts do not count.
    """
    if _count_values(text) <= values:
        return True  # nearly every body: counted with its texts
    return _count_values(_STRING.sub("", text)) <= values


def _count_values(text: str) -> int:
    return sum(map(text.count, ",[{"))


def _check_nesting(text: str) -> None:
    """Refuse what would be nested deeper than the bound; the parser itself would recurse."""
    if text.count("[") + text.count("{") <= BOUNDS.nesting:
        return  # nearly every body: it has fewer brackets than the bound has levels
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > BOUNDS.nesting:
            raise MalformedError(f"the body is nested more than {BOUNDS.nesting} deep")


def _parse_int(text: str) -> int | OtherNumber:
    if len(text) > BOUNDS.number_chars or text[0] == "-":
        return OtherNumber(text)
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"the body is not JSON: {name} is not a value")


def _refuse_repetition(pairs: list[Pair]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedError(f"the name {twice!r} stands twice in one object")
    return fields


def _decoder(hook: Callable[[list[Pair]], object]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=hook,
        parse_int=_parse_int,
        parse_float=OtherNumber,
        parse_constant=_refuse_constant,
    )


_REQUEST = _decoder(Pairs)
_ANSWER = _decoder(_refuse_repetition)
