"""JSON, read twice as strictly as Python does and written as QED writes it.

Two readers. `parse_request` is what a server needs: objects keep the order and the repetitions of
their names, because Go, whose clients call us, lets the last one win in any letter case.
`parse_answer` is what a client needs: a repeated name is refused, since two programs that read one
document differently are how a proof is made to say two things. Both refuse, for every input, with
MalformedError and nothing else: bytes that are not UTF-8, `NaN`, trailing data, deep nesting.
A number that is no integer from 0 to 2^64 - 1 is kept as its text (`OtherNumber`), for a request
may hold one in a field that nobody reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from qed.errors import MalformedError
from qed.wire.bounds import BOUNDS

Pair = tuple[str, object]

# Possessive (`*+`): a string is never tried again from its middle, so this is linear in the body.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?+', re.DOTALL)
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
    """
    return _parse(body, _REQUEST)


def parse_answer(body: bytes, *, max_bytes: int) -> object:
    """Return the value that an answer's body holds; no object in it repeats a name.

    Raises:
        MalformedError: the body is longer than `max_bytes`, is not one JSON value in UTF-8, is
            nested too deeply, or repeats a name.
    """
    if len(body) > max_bytes:
        raise MalformedError(f"the body has {len(body)} bytes, more than {max_bytes}")
    return _parse(body, _ANSWER)


def format_text(value: str) -> str:
    """Return a text as JSON, quotes included, in ASCII."""
    return json.dumps(value)


def _parse(body: bytes, decoder: json.JSONDecoder) -> object:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"the body is not UTF-8 at byte {error.start}") from None
    _check_nesting(text)
    try:
        value: object = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"the body is not JSON: {error.msg} at character {error.pos}"
        ) from None
    return value


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
