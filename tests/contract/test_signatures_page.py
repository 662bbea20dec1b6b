"""The examples of docs/signatures.md are true: the key, the checkpoint, and the policy."""

from __future__ import annotations

import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qed.signing.checkpoint import open_checkpoint, sign_checkpoint
from qed.signing.keys import PrivateKey
from qed.signing.note import NoteSigner, format_verifier_key, parse_verifier_key
from qed.signing.origins import FIRST_LINES
from qed.signing.policy import parse_policy
from qed.trees import snapshot_log
from vector_files import load, snapshot

PAGE = (Path(__file__).parents[2] / "docs" / "signatures.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(start: str) -> str:
    return next(text for text in BLOCKS if text.startswith(start))


def test_the_key_and_the_checkpoint_of_the_quick_start() -> None:
    seed = bytes(range(32))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    signer = NoteSigner(PrivateKey(seed, public), "log.example.org")
    assert block("log.example.org+") == f"{format_verifier_key(signer.verifier_key)}\n"

    peaks = b""
    for fields in load("walkthrough.json")["snapshots"][:4]:
        one = snapshot(fields)
        leaf = snapshot_log.encode_leaf(
            one.version, one.event_digest, one.history_digest, one.hyper_digest
        )
        peaks, _ = snapshot_log.extend(one.version, peaks, snapshot_log.hash_leaf(leaf))
    note = sign_checkpoint(signer, 4, snapshot_log.root(peaks))
    assert block("log.example.org\n") == note.decode()
    key = parse_verifier_key(block("log.example.org+").strip())
    assert open_checkpoint(block("log.example.org\n"), key).size == 4


def test_the_policy() -> None:
    policy = parse_policy(block("log log").encode())
    assert [witness.name for witness in policy.witnesses] == ["paris", "oslo"]
    assert (len(policy.logs), policy.quorum) == (1, "both")


def test_the_first_lines() -> None:
    for line in FIRST_LINES:
        assert f"| `{line}` |" in PAGE
