"""The verifier's first opinion: *yes*, fast, or *don't know*. Never no.

True means that `verify` passes the same proof for the same question. False says nothing: ask
`verify`, which judges and says what is wrong. So a fault here can make a verification slow, and
only one kind of it could do harm, a yes too much; the tests turn everything that `verify` refuses
over to this module too.

In C where it was built (`_verifier`), else the readable verifier itself (`quick_twin`). `NAME` says
which, `WHY_TWIN` why it is the twin ("" for the native one). Source: SPEC 4, ADR 0017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from qed.trees import quick_twin
from qed.trees.choice import choose
from qed.trees.paths import flatten_incremental, flatten_membership
from qed.trees.quick_check import find_fault
from qed.trees.values import FlatIncremental, FlatMembership, IncrementalProof, MembershipProof
from qed.trees.verify import Root

Claim = tuple[FlatMembership, bytes, int | None, Root, Root | None]
"""An answer, the digest and the version asked for, and the roots of hyper and history tree."""

_native, WHY_TWIN = choose("qed.trees._verifier", "verifier", find_fault)
NAME: Final = quick_twin.NAME if _native is None else f"native ({_native.sha256_name()})"
_chosen = quick_twin if _native is None else _native
_membership: Callable[[FlatMembership, bytes, int | None, Root, Root | None], bool] = (
    _chosen.verify_membership
)
_memberships: Callable[[Sequence[Claim]], list[bool]] = _chosen.verify_memberships
_incremental: Callable[[FlatIncremental, Root, Root], bool] = _chosen.verify_incremental


def verify_membership(
    flat: FlatMembership, *, digest: bytes, version: int | None, hyper: Root, history: Root | None
) -> bool:
    """Return True if an answer for or against a digest is right; False says nothing.

    The arguments are those of `verify.verify_membership` and `verify.verify_absence`; which of the
    two is proven, `flat.exists` says.
    """
    return _membership(flat, digest, version, hyper, history)


def verify_memberships(claims: Sequence[Claim]) -> list[bool]:
    """Return for each claim what `verify_membership` would.

    Many at once keep two hashes in work at every step, and the GIL is released meanwhile.
    """
    return _memberships(claims)


def verify_incremental(flat: FlatIncremental, *, start: Root, end: Root) -> bool:
    """Return True if `verify.verify_incremental` passes; False says nothing."""
    return _incremental(flat, start, end)


def knows_membership(
    proof: MembershipProof, *, digest: bytes, version: int | None, hyper: Root, history: Root | None
) -> bool:
    """Return True if a proof with its positions is right; False says nothing.

    Says False at once where nothing is gained: without the native verifier.
    """
    if _native is None:
        return False
    flat = flatten_membership(proof)
    if flat is None or (proof.key is not None and sha256(proof.key).digest() != digest):
        return False
    return _membership(flat, digest, version, hyper, history)


def knows_incremental(proof: IncrementalProof, *, start: Root, end: Root) -> bool:
    """Return True if an increment with its positions is right; False says nothing."""
    flat = None if _native is None else flatten_incremental(proof)
    return flat is not None and _incremental(flat, start, end)
