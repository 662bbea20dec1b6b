"""Positions and audit paths as text: the keys and values of the maps in a proof.

A history position is `<i>|<h>`, both decimal; a hyper position `0x<64 lower-case hex digits>|<h>`.
Each has exactly one spelling, and anything else is refused: two spellings of one position would let
a proof hold two hashes for it. Source: SPEC 4.
"""

from __future__ import annotations

import re

from qed.errors import MalformedError
from qed.trees.values import HYPER_HEIGHT, AuditPath, Position
from qed.wire.bounds import MAX_U64
from qed.wire.fields import format_base64, read_digest, read_object

# Siblings only: the root of 2^64 leaves has height 64, that of the hyper tree 256.
_HISTORY_HEIGHTS = 64
_DECIMAL = "(0|[1-9][0-9]{0,19})"
# \Z and not $, which would let a newline follow; [0-9] and not \d, which knows other scripts.
_HISTORY = re.compile(rf"{_DECIMAL}\|(0|[1-9][0-9]?)\Z")
_HYPER = re.compile(r"0x([0-9a-f]{64})\|(0|[1-9][0-9]{0,2})\Z")


def format_history_position(position: Position) -> str:
    """Return `<i>|<h>`."""
    return f"{position[0]}|{position[1]}"


def parse_history_position(text: str) -> Position:
    """Return the position that `format_history_position` wrote as this text.

    Raises:
        MalformedError: another spelling, an index of more than 64 bits or that no node of that
            height has, or a height of 64 and more.
    """
    match = _HISTORY.match(text)
    if match is None:
        raise MalformedError(f"{text[:96]!r} is not a position of the history tree")
    index, height = int(match[1]), int(match[2])
    if index > MAX_U64 or height >= _HISTORY_HEIGHTS or index & ((1 << height) - 1):
        raise MalformedError(f"{text!r} is not a position of the history tree")
    return index, height


def format_hyper_position(position: Position) -> str:
    """Return `0x<64 hex digits of i>|<h>`."""
    return f"0x{position[0]:064x}|{position[1]}"


def parse_hyper_position(text: str) -> Position:
    """Return the position that `format_hyper_position` wrote as this text.

    Raises:
        MalformedError: another spelling, an index that no node of that height has, or a height of
            256 and more.
    """
    match = _HYPER.match(text)
    if match is None:
        raise MalformedError(f"{text[:96]!r} is not a position of the hyper tree")
    index, height = int(match[1], 16), int(match[2])
    if height >= HYPER_HEIGHT or index & ((1 << height) - 1):
        raise MalformedError(f"{text!r} is not a position of the hyper tree")
    return index, height


def format_history_path(path: AuditPath) -> str:
    """Return the JSON object of a history path, its keys sorted as byte strings."""
    return _format_path({format_history_position(where): path[where] for where in path})


def format_hyper_path(path: AuditPath) -> str:
    """Return the JSON object of a hyper path, its keys sorted as byte strings."""
    return _format_path({format_hyper_position(where): path[where] for where in path})


def read_history_path(value: object, name: str) -> AuditPath:
    """Return a history path from the parsed object; `{}` is one."""
    return {
        parse_history_position(text): read_digest(digest, f"{name} at {text}")
        for text, digest in read_object(value, name).items()
    }


def read_hyper_path(value: object, name: str) -> AuditPath:
    """Return a hyper path from the parsed object; `{}` is one."""
    return {
        parse_hyper_position(text): read_digest(digest, f"{name} at {text}")
        for text, digest in read_object(value, name).items()
    }


def _format_path(values: dict[str, bytes]) -> str:
    # All keys are ASCII, so sorting texts is sorting bytes; neither digits nor base64 need escapes.
    return (
        "{" + ",".join(f'"{text}":"{format_base64(values[text])}"' for text in sorted(values)) + "}"
    )
