"""What to say, and to keep, when two signed claims about one log exclude each other.

Three ways in which a checkpoint that the log's key signed contradicts what is here:

1. It is not larger than the store's leaves, and their root at its size is another one.
2. Its leaves were proven to be under it, and one differs from the one that is here.
3. The leaves that a later checkpoint proves have another root at the size of an earlier one.

Each becomes a `Conflict`: the other note, a sentence, evidence for anybody else, and the other
leaves where they were proven. Nothing here trusts the batch; a note was verified by its caller.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qed.client.evidence import new_equivocation
from qed.client.evidence_frame import Evidence
from qed.snapshot_store.claims import Claim
from qed.snapshot_store.runs import Run
from qed.snapshot_store.view import View
from qed.trees.tiles import compute_root


@dataclass(frozen=True, slots=True)
class Conflict:
    """A signed claim that excludes another; `run` holds its leaves from the first other one on."""

    claim: Claim
    sentence: str
    evidence: Evidence | None
    run: Run | None = None

    @property
    def evidence_name(self) -> str:
        """The name of the evidence file: `<kind>-<utc>-<8 hex digits>.json`."""
        if self.evidence is None:
            return ""
        utc = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.evidence.frame.when_s))
        digits = hashlib.sha256(self.evidence.encode()).hexdigest()[:8]
        return f"{self.evidence.kind}-{utc}-{digits}.json"


def find_other_root(own: View, cover: Claim, claim: Claim) -> Conflict | None:
    """Return the conflict of a claim that is not larger than what is here, if it is one (1).

    `own` is the tree of the store's leaves, `cover` what was signed over all of them.
    """
    root = compute_root(own.read, claim.size)
    if root == claim.root:
        return None
    if claim.size == cover.size:
        return same_size(cover, claim)
    sentence = (
        f"{claim.checkpoint.origin} signed two histories: the root of its first {claim.size} "
        f"snapshots is {root.hex()} here and {claim.root.hex()} in a checkpoint"
    )
    evidence = new_equivocation(
        claim.note,
        cover.note,
        root=root,
        consistency=own.prove(claim.size, cover.size, cover.path),
        found=sentence,
    )
    return Conflict(claim, sentence, evidence)


def same_size(known: Claim, claim: Claim) -> Conflict | None:
    """Return the conflict of two claims of one size, None when they say the same root."""
    if known.root == claim.root:
        return None
    sentence = (
        f"{claim.checkpoint.origin} signed two roots for size {claim.size}: "
        f"{known.root.hex()} and {claim.root.hex()}"
    )
    return Conflict(claim, sentence, new_equivocation(known.note, claim.note, found=sentence))


def find_passed(view: View, claim: Claim, waiting: Sequence[Claim]) -> Conflict | None:
    """Return the conflict of a claim with an earlier one that its leaves have reached (3)."""
    for earlier in waiting:
        if earlier.size <= view.size:
            root = compute_root(view.read, earlier.size)
            if root != earlier.root:
                return _excludes(view, claim, earlier, root)
    return None


def find_other_leaves(fork: View, other: Run, claim: Claim, known: Sequence[Claim]) -> Conflict:
    """Return the conflict of leaves that are proven to be under a claim and are others here (2).

    Args:
        fork: the tree that ends with these leaves; the claim was proven to begin with it.
        other: the leaves from the first one that is another here.
        claim: what they are under.
        known: the checkpoints that are known of what is here; one that ends among these leaves
            makes it evidence.
    """
    for earlier in known:
        if earlier.size == claim.size:
            found = same_size(earlier, claim)
        elif other.first < earlier.size <= fork.size:
            root = compute_root(fork.read, earlier.size)
            # One that waits for its leaves may be of the other history itself.
            found = None if root == earlier.root else _excludes(fork, claim, earlier, root)
        else:
            continue
        if found is not None:
            return replace(found, run=other)
    sentence = (
        f"{claim.checkpoint.origin} signed two snapshots of version {other.first}: a checkpoint of "
        f"size {claim.size} has another one than is here"
    )
    return Conflict(claim, sentence, None, other)


def _excludes(view: View, claim: Claim, earlier: Claim, root: bytes) -> Conflict:
    sentence = (
        f"{claim.checkpoint.origin} signed two histories: {earlier.root.hex()} for its first "
        f"{earlier.size} snapshots, and a checkpoint of size {claim.size} in which their root is "
        f"{root.hex()}"
    )
    path = view.prove(earlier.size, claim.size, claim.path)
    evidence = new_equivocation(
        earlier.note, claim.note, root=root, consistency=path, found=sentence
    )
    return Conflict(claim, sentence, evidence)
