"""Reads the numbers in `tests/vectors`: what QED v1.0.0-rc2 said, and `absence.json` beyond it."""

from __future__ import annotations

import base64
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from qed.trees.values import HyperLeaf, IncrementalProof, MembershipProof, Position, Snapshot

VECTORS = Path(__file__).parent / "vectors"


def unpack_backups(target: Path) -> None:
    """Unpack the backup directory that QED's own server wrote."""
    # Not by tarfile: Python 3.11.2 does not know the filters that later ones ask for.
    archive = VECTORS / "qed-rc2" / "backups.tar.gz"
    subprocess.run(["tar", "-xzf", archive, "--no-same-owner", "-C", target], check=True)


@cache
def load(name: str) -> dict[str, Any]:
    """Return a file of vectors, parsed; its readers change nothing in it."""
    parsed: dict[str, Any] = json.loads((VECTORS / name).read_bytes())
    return parsed


def snapshot(fields: dict[str, Any]) -> Snapshot:
    """Read a snapshot in the vectors' form: digests in hex."""
    return Snapshot(
        fields["Version"],
        bytes.fromhex(fields["EventDigest"]),
        bytes.fromhex(fields["HistoryDigest"]),
        bytes.fromhex(fields["HyperDigest"]),
    )


def path(fields: dict[str, str]) -> dict[Position, bytes]:
    """Read an audit path; int(text, 0) takes both forms, decimal and 0x."""
    entries = {}
    for key, value in fields.items():
        index, height = key.split("|")
        entries[int(index, 0), int(height)] = base64.b64decode(value)
    return entries


def membership(fields: dict[str, Any]) -> MembershipProof:
    """Read an answer of membership or absence, with its HyperLeaf when the file has one."""
    leaf = fields.get("HyperLeaf")
    return MembershipProof(
        exists=fields["Exists"],
        hyper=path(fields["Hyper"]),
        history=None if fields["History"] is None else path(fields["History"]),
        current_version=fields["CurrentVersion"],
        query_version=fields["QueryVersion"],
        actual_version=fields["ActualVersion"],
        key_digest=base64.b64decode(fields["KeyDigest"]),
        hyper_leaf=leaf
        and HyperLeaf(base64.b64decode(leaf["KeyDigest"]), leaf["Version"], path(leaf["History"])),
    )


def incremental(fields: dict[str, Any]) -> IncrementalProof:
    """Read an answer to an incremental query."""
    return IncrementalProof(fields["Start"], fields["End"], path(fields["AuditPath"]))
