"""The native verifier's readable twin: the readable verifier, asked about flat proofs."""

from __future__ import annotations

from collections.abc import Sequence

from qed.errors import VerificationError
from qed.trees import verify
from qed.trees.paths import unflatten_incremental, unflatten_membership
from qed.trees.values import FlatIncremental, FlatMembership
from qed.trees.verify import Root

NAME = "twin (pure Python)"


def verify_membership(
    flat: FlatMembership, digest: bytes, version: int | None, hyper: Root, history: Root | None
) -> bool:
    """Return whether the readable verifier passes an answer for or against a digest."""
    try:
        proof = unflatten_membership(flat)
        if not flat.exists:
            verify.verify_absence(
                proof, digest=digest, version=version, hyper=hyper, history=history
            )
            return True
        if history is None:
            return False
        verify.verify_membership(
            proof, digest=digest, version=version, hyper=hyper, history=history
        )
    except (VerificationError, AssertionError):
        return False  # an AssertionError: a flat proof that contradicts itself
    return True


def verify_memberships(
    claims: Sequence[tuple[FlatMembership, bytes, int | None, Root, Root | None]],
) -> list[bool]:
    """Return what `verify_membership` does for each claim."""
    return [verify_membership(*claim) for claim in claims]


def verify_incremental(flat: FlatIncremental, start: Root, end: Root) -> bool:
    """Return whether the readable verifier passes an increment."""
    try:
        verify.verify_incremental(unflatten_incremental(flat), start=start, end=end)
    except (VerificationError, AssertionError):
        return False
    return True
