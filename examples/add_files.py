"""Add the digests of files, many at once; their contents stay where they are.

    python examples/add_files.py http://127.0.0.1:8800 FILE...

Prints `<version> <digest> <file>` for each, and exits with 1 if the log does not prove one of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from qed import AsyncClient, ClientConfig, Snapshot, VerificationError


def digest_of_file(path: Path) -> bytes:
    """Return the SHA-256 of a file of any size."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").digest()


async def add_files(endpoint: str, paths: Sequence[Path]) -> list[Snapshot]:
    """Add the files as one group, and return their snapshots once each of them is proven."""
    digests = [digest_of_file(path) for path in paths]
    async with AsyncClient(ClientConfig(endpoints=[endpoint])) as client:
        snapshots = await client.add_digests(digests)
        await asyncio.gather(
            *(
                client.verify_membership(digest=digest, snapshots=snapshots)
                for digest in set(digests)
            )
        )
    return snapshots


def main(endpoint: str, *names: str) -> int:
    """Add the files named and print where they stand."""
    paths = [Path(name) for name in names]
    try:
        snapshots = asyncio.run(add_files(endpoint, paths))
    except VerificationError as error:
        print(f"the log does not prove what it says: {error}", file=sys.stderr)
        return 1
    for snapshot, path in zip(snapshots, paths, strict=True):
        print(snapshot.version, snapshot.event_digest.hex(), path)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
