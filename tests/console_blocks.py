"""The console blocks of a document: what is typed there, and what it shows below."""

from __future__ import annotations

import re
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks(document: Path) -> list[tuple[str, str]]:
    """Each command of the document with the output that is shown below it, in order."""
    found: list[tuple[str, str]] = []
    for block in _BLOCK.findall(document.read_text()):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def comparable(text: str) -> str:
    """A text without what differs from day to day."""
    text = re.sub(r"Timestamp: \S+", "Timestamp: T", text)
    return re.sub(r"Num\.Files: \d+", "Num.Files: N", text)
