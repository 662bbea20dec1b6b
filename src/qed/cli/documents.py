"""What `--json` prints: the fields of the printed forms, digests in hex as the flags take them.

`Verify` is "OK" or, when nothing was verified, null; a false proof is the document of an error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qed import wire
from qed.trees.values import IncrementalProof, MembershipProof, Snapshot

Document = dict[str, Any]


def snapshot_document(snapshot: Snapshot) -> Document:
    """Return the document of `client add`."""
    return {
        "EventDigest": snapshot.event_digest.hex(),
        "HyperDigest": snapshot.hyper_digest.hex(),
        "HistoryDigest": snapshot.history_digest.hex(),
        "Version": snapshot.version,
    }


def membership_document(proof: MembershipProof, *, verified: bool) -> Document:
    """Return the document of `client membership`; `Proof` is the server's answer as it came."""
    return {
        "Exists": proof.exists,
        "CurrentVersion": proof.current_version,
        "QueryVersion": proof.query_version,
        "ActualVersion": proof.actual_version,
        "KeyDigest": proof.key_digest.hex(),
        "Verify": "OK" if verified else None,
        "Proof": json.loads(wire.encode_membership(proof)),
    }


def incremental_document(proof: IncrementalProof, *, verified: bool) -> Document:
    """Return the document of `client incremental`; `Proof` is the server's answer as it came."""
    return {
        "Start": proof.start,
        "End": proof.end,
        "Verify": "OK" if verified else None,
        "Proof": json.loads(wire.encode_incremental(proof)),
    }


def backups_document(entries: Sequence[wire.BackupEntry]) -> Document:
    """Return the document of `backup list`: times in unix seconds, sizes in bytes.

    `Problem` is there only for a backup that cannot be restored, and says why.
    """
    return {
        "Backups": [
            {
                "Id": entry.id,
                "Timestamp": entry.timestamp_s,
                "Version": entry.metadata,
                "Size": entry.size_bytes,
                "NumFiles": entry.num_files,
            }
            | ({"Problem": entry.problem} if entry.problem else {})
            for entry in entries
        ]
    }
