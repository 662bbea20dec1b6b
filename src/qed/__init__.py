"""A tamper-evident log: add events, prove that they are in it and that nothing before them changed.

Reading order: `trees/` (the mathematics; `trees/verify.py` alone is what a verifier needs),
`signing/` (what is signed), `engine/` (the log), `backup/`, `client/` (what is believed, and why),
then the programs `server/`, `snapshot_store/`, `agents/` and `cli/`. ARCHITECTURE.md draws the
rooms.

What a program that uses a log needs is offered here and loaded when it is first asked for:
`Client` and `AsyncClient`, their `ClientConfig`, the `verify_` functions, keys and policies to
verify by, and the values and errors that they speak in. docs/sdk.md is the guide.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qed.client.async_client import AsyncClient
    from qed.client.blind import blind, create_salt_file, read_salt
    from qed.client.config import ClientConfig
    from qed.client.consistency import verify_consistency_file
    from qed.client.evidence import verify_evidence
    from qed.client.evidence_frame import Finding
    from qed.client.receipts import Verified, verify_receipt
    from qed.client.request_receipt import FreshReceipt
    from qed.client.saved import (
        SavedIncremental,
        SavedMembership,
        decode_saved_answer,
        read_saved,
        verify_saved,
        write_saved,
    )
    from qed.client.sync_client import Client
    from qed.client.verify_answers import (
        history_root,
        hyper_root,
        roots_needed,
        verify_incremental_answer,
        verify_membership_answer,
        verify_with_snapshots,
    )
    from qed.client.verify_many import Answer, Verdict, verify_many
    from qed.errors import (
        ContradictionError,
        FatalError,
        NotProvenError,
        NotPublishedError,
        QedError,
        RequestError,
        UnavailableError,
        UnreachableError,
        VerificationError,
    )
    from qed.signing.note import VerifierKey, parse_verifier_key
    from qed.signing.policy import Policy, parse_policy, policy_of_key
    from qed.trees.values import IncrementalProof, MembershipProof, Snapshot
    from qed.trees.verify import Root
    from qed.version import VERSION

    __version__ = VERSION

_HOMES = {
    "Answer": "qed.client.verify_many",
    "AsyncClient": "qed.client.async_client",
    "Client": "qed.client.sync_client",
    "ClientConfig": "qed.client.config",
    "ContradictionError": "qed.errors",
    "FatalError": "qed.errors",
    "Finding": "qed.client.evidence_frame",
    "FreshReceipt": "qed.client.request_receipt",
    "IncrementalProof": "qed.trees.values",
    "MembershipProof": "qed.trees.values",
    "NotProvenError": "qed.errors",
    "NotPublishedError": "qed.errors",
    "Policy": "qed.signing.policy",
    "QedError": "qed.errors",
    "RequestError": "qed.errors",
    "Root": "qed.trees.verify",
    "SavedIncremental": "qed.client.saved",
    "SavedMembership": "qed.client.saved",
    "Snapshot": "qed.trees.values",
    "UnavailableError": "qed.errors",
    "UnreachableError": "qed.errors",
    "Verdict": "qed.client.verify_many",
    "VerificationError": "qed.errors",
    "Verified": "qed.client.receipts",
    "VerifierKey": "qed.signing.note",
    "blind": "qed.client.blind",
    "create_salt_file": "qed.client.blind",
    "decode_saved_answer": "qed.client.saved",
    "history_root": "qed.client.verify_answers",
    "hyper_root": "qed.client.verify_answers",
    "parse_policy": "qed.signing.policy",
    "parse_verifier_key": "qed.signing.note",
    "policy_of_key": "qed.signing.policy",
    "read_salt": "qed.client.blind",
    "read_saved": "qed.client.saved",
    "roots_needed": "qed.client.verify_answers",
    "verify_consistency_file": "qed.client.consistency",
    "verify_evidence": "qed.client.evidence",
    "verify_incremental_answer": "qed.client.verify_answers",
    "verify_many": "qed.client.verify_many",
    "verify_membership_answer": "qed.client.verify_answers",
    "verify_receipt": "qed.client.receipts",
    "verify_saved": "qed.client.saved",
    "verify_with_snapshots": "qed.client.verify_answers",
    "write_saved": "qed.client.saved",
}

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "ClientConfig",
    "ContradictionError",
    "FatalError",
    "Finding",
    "FreshReceipt",
    "IncrementalProof",
    "MembershipProof",
    "NotProvenError",
    "NotPublishedError",
    "Policy",
    "QedError",
    "RequestError",
    "Root",
    "SavedIncremental",
    "SavedMembership",
    "Snapshot",
    "UnavailableError",
    "UnreachableError",
    "Verdict",
    "VerificationError",
    "Verified",
    "VerifierKey",
    "__version__",
    "blind",
    "create_salt_file",
    "decode_saved_answer",
    "history_root",
    "hyper_root",
    "parse_policy",
    "parse_verifier_key",
    "policy_of_key",
    "read_salt",
    "read_saved",
    "roots_needed",
    "verify_consistency_file",
    "verify_evidence",
    "verify_incremental_answer",
    "verify_many",
    "verify_membership_answer",
    "verify_receipt",
    "verify_saved",
    "verify_with_snapshots",
    "write_saved",
]


def __getattr__(name: str) -> object:
    """Load an exported name from its room the first time it is asked for."""
    if name == "__version__":
        return import_module("qed.version").VERSION
    if name not in _HOMES:
        raise AttributeError(f"module 'qed' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
