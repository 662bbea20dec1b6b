"""What a log's key signs, told apart by the first line of each text alone.

A note's signature covers its text and not the name of the key, so a text that could be read as two
things would be signed as both. Every first line that a log's key signs:

| first line | what | signed by |
| --- | --- | --- |
| `<origin>` | a checkpoint | `checkpoint.sign_checkpoint` |
| `qed/snapshot-signature/v1` | one snapshot | `snapshot_signature.sign_snapshot` |
| `qed/epoch/v1` | a declared rollback | reserved |
| `qed/backup-manifest/v1` | the manifest of a backup | reserved |
| `qed/archive-head/v1` | how far an archive reaches | reserved |

There is one function a row and none that signs what it is given. An origin is therefore anything
but a line that begins with `qed/`. Source: SPEC 10.
"""

from __future__ import annotations

import re

from qed.errors import MalformedError

RESERVED = "qed/"  # begins every first line but a checkpoint's
SNAPSHOT_SIGNATURE = "qed/snapshot-signature/v1"
EPOCH = "qed/epoch/v1"
BACKUP_MANIFEST = "qed/backup-manifest/v1"
ARCHIVE_HEAD = "qed/archive-head/v1"
FIRST_LINES = (SNAPSHOT_SIGNATURE, EPOCH, BACKUP_MANIFEST, ARCHIVE_HEAD)

ORIGIN_BYTES = 240  # leaves room for the `/e<n>` of an epoch in the 255 that a cosignature has

_EPOCH_SUFFIX = re.compile(r"/e[0-9]+\Z")


def check_origin(origin: str) -> str:
    """Return an origin that a new log may be given; MalformedError for any other text.

    Refused are: more than 240 bytes, spaces, `+`, control characters, `qed` and what begins with
    `qed/`, and what ends in `/e<digits>`, which is how a later epoch of a log is named.
    """
    if (
        not 0 < len(origin.encode("utf-8", "surrogatepass")) <= ORIGIN_BYTES
        or any(c.isspace() or c == "+" or not c.isprintable() for c in origin)
        or f"{origin}/".startswith(RESERVED)  # `qed` too: its first epoch would be `qed/e1`
        or _EPOCH_SUFFIX.search(origin)
    ):
        raise MalformedError(
            f"{origin!r} cannot be an origin: at most {ORIGIN_BYTES} bytes without spaces, '+' or "
            "control characters, not 'qed', not beginning with 'qed/' nor ending in '/e<digits>'"
        )
    return origin
