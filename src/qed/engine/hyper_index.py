"""The derived index in `<db>/qed-index/`: what replay has verified, so that it need not again.

```
offset  size  content of the file `verified`
0       8     "qed-idx" and the format number, 1
8       16    log id
24      8     size: the events up to a group end
32      32    history digest there
64      32    hyper digest there
96      32    SHA-256 over the hyper digests of all groups up to there
128     32    SHA-256 over everything before
```

It is never backed up, and losing it costs time, never data: `replay` uses it only if a group of
this log ends there with exactly these digests, recomputed from the groups; then it makes the hyper
tree of that group in one step instead of one a group. A file that is missing, cut, changed, of
another log or of another format is as good as none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from qed import durable
from qed.engine.replay import Verified
from qed.errors import QedError

DIRECTORY = "qed-index"
_FILE = "verified"
_MAGIC = b"qed-idx\x01"
_SIZE_BYTES = 160


def write_index(database_path: Path, verified: Verified) -> None:
    """Replace the index; at every instant either the old one or the new one is there."""
    directory = database_path / DIRECTORY
    durable.make_directory(directory)
    durable.write_file(directory / _FILE, encode_index(verified))


def read_index(database_path: Path) -> Verified | None:
    """Return what the index says, None when there is none that can be read."""
    try:
        data = durable.read_file(database_path / DIRECTORY / _FILE, _SIZE_BYTES)
    except QedError:
        return None
    return decode_index(data)


def encode_index(verified: Verified) -> bytes:
    """Return the file's bytes (160)."""
    body = b"".join(
        (
            _MAGIC,
            verified.log_id,
            verified.size.to_bytes(8, "big"),
            verified.history_digest,
            verified.hyper_digest,
            verified.ends_digest,
        )
    )
    return body + hashlib.sha256(body).digest()


def decode_index(data: bytes) -> Verified | None:
    """Return what the bytes say, None when they are not whole or of another format."""
    body, checksum = data[:-32], data[-32:]
    if len(data) != _SIZE_BYTES or hashlib.sha256(body).digest() != checksum:
        return None
    if not body.startswith(_MAGIC):
        return None
    return Verified(
        log_id=body[8:24],
        size=int.from_bytes(body[24:32], "big"),
        history_digest=body[32:64],
        hyper_digest=body[64:96],
        ends_digest=body[96:128],
    )
