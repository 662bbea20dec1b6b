"""Add two events, and believe the server only what it proves.

    python examples/add_and_verify.py http://127.0.0.1:8800

The snapshots that the additions return are what is trusted here: keep yours where nobody who can
change the log can change them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qed import Client, ClientConfig, SavedMembership, write_saved


def add_and_verify(endpoint: str, folder: Path) -> None:
    """Add, verify presence, absence and growth, and keep one proof for later in `folder`."""
    with Client(ClientConfig(endpoints=[endpoint])) as client:
        first = client.add(b"a contract, version 1")
        second = client.add(b"a contract, version 2")
        trusted = [first, second]
        print(f"added as versions {first.version} and {second.version}")

        # Nothing that was in the log at the first addition changed until the second.
        client.verify_incremental(first, second)
        print(f"version {second.version} extends version {first.version}: proven")

        proof = client.verify_membership(event=b"a contract, version 1", snapshots=trusted)
        print(f"the first event is in the log: {proof.exists}, proven")

        # A proof against: as of the current version nobody ever added this.
        absent = client.verify_membership(event=b"a contract, version 3", snapshots=trusted)
        print(f"a third event is in the log: {absent.exists}, proven")

        # Whoever has the digests of the second snapshot can verify this file without a server.
        path = folder / "contract.proof.json"
        write_saved(path, SavedMembership(first.event_digest, None, proof))
        print(f"qed verify {path}")


if __name__ == "__main__":
    add_and_verify(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8800", Path.cwd())
