"""The printed forms of SPEC 8, written a second time: what the tests compare the command with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

NONE = 18446744073709551615


def added(snapshot: Mapping[str, Any]) -> str:
    """What `client add` prints; a snapshot is as in walkthrough.json, digests in hex."""
    return (
        "\nReceived snapshot with values:\n\n"
        f"    EventDigest: {snapshot['EventDigest']}\n"
        f"    HyperDigest: {snapshot['HyperDigest']}\n"
        f"    HistoryDigest: {snapshot['HistoryDigest']}\n"
        f"    Version: {snapshot['Version']}\n\n"
    )


def membership(  # noqa: PLR0913 - one argument a value printed
    event: str,
    *,
    exists: bool,
    current: int,
    actual: int,
    query: int | None = None,
    asked: int | None = None,
) -> str:
    """What `client membership --event` prints without a verification."""
    version = "latest version" if asked is None else f"version [ {asked} ]"
    return (
        f"\nQuerying key [ {event} ] with {version}\n"
        "\nReceived membership proof:\n\n"
        f"    Exists: {'true' if exists else 'false'}\n"
        "    Hyper audit path: <TRUNCATED>\n"
        "    History audit path: <TRUNCATED>\n"
        f"    CurrentVersion: {current}\n"
        f"    QueryVersion: {current if query is None else query}\n"
        f"    ActualVersion: {actual}\n"
        f"    KeyDigest: {digest(event)}\n\n"
    )


def verifying(event: str, *, hyper: str, history: str, version: int, verdict: str = "OK") -> str:
    """What `--verify` adds."""
    return (
        "\nVerifying event with:\n\n"
        f"    EventDigest: {digest(event)}\n"
        f"    HyperDigest: {hyper}\n"
        f"    HistoryDigest: {history}\n"
        f"    Version: {version}\n"
        f"\nVerify: {verdict}\n\n"
    )


def ask_hyper(version: int) -> str:
    return f"Please, provide the hyperDigest for current version [ {version} ]: "


def ask_history(version: int) -> str:
    return f"Please, provide the historyDigest for version [ {version} ] : "


def incremental(start: int, end: int) -> str:
    """What `client incremental` prints without a verification."""
    return (
        f"\nQuerying incremental between versions [ {start} ] and [ {end} ]\n"
        "\nReceived incremental proof:\n\n"
        f"    Start version: {start}\n"
        f"    End version: {end}\n"
        "    Incremental audit path: <TRUNCATED>\n\n"
    )


def verifying_incremental(start: int, start_digest: str, end: int, end_digest: str) -> str:
    """What `--verify` of an incremental proof adds."""
    return (
        "\nVerifying with snapshots:\n"
        f"    HistoryDigest for start version [ {start} ]: {start_digest}\n"
        f"    HistoryDigest for end version [ {end} ]: {end_digest}\n"
        "\nVerify: OK\n\n"
    )


def listed(text: str) -> dict[int, str]:
    """Read what `backup list` prints, refusing any other form; return {id: version}."""
    head, *lines = text.split("\n")
    assert head == "Backup list:"
    assert lines.pop() == "", "the list does not end with a newline"
    found = {}
    for line in lines:
        match = re.fullmatch(
            r"Id: (\d+)\tTimestamp: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\tVersion: (\d+)\t"
            r"Size\(GB\): 0\tNum\.Files: [1-9]\d*\t ",
            line,
        )
        assert match is not None, f"not a line of the list: {line!r}"
        found[int(match[1])] = match[2]
    return found


def snapshot_of(text: str) -> dict[str, Any]:
    """Read what `client add` printed."""
    found: dict[str, Any] = dict(re.findall(r"^    (\w+): (\S+)$", text, re.MULTILINE))
    return found | {"Version": int(found["Version"])}


def digest(event: str) -> str:
    return sha256(event.encode()).hexdigest()
