"""`trees.verify` with the native verifier asked beside it, for every test that verifies anything.

The three functions are used like those of `trees.verify` and do the same. On the way they hold the
law of `trees.quick`: where the native verifier says yes the readable one passes, and it says yes
wherever the readable one passes. Without a native verifier they are just the readable ones.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from types import ModuleType

from qed.errors import VerificationError
from qed.trees import verify
from qed.trees.paths import flatten_incremental, flatten_membership
from qed.trees.values import IncrementalProof, MembershipProof
from qed.trees.verify import Root


def _load() -> ModuleType | None:
    try:
        return import_module("qed.trees._verifier")
    except ImportError:
        return None


NATIVE = _load()


def verify_membership(
    proof: MembershipProof, *, digest: bytes, version: int | None, hyper: Root, history: Root
) -> None:
    """Do what `verify.verify_membership` does; the native verifier must agree."""
    said_yes = _asked(proof, digest, version, hyper, history)
    _judge(
        lambda: verify.verify_membership(
            proof, digest=digest, version=version, hyper=hyper, history=history
        ),
        said_yes if proof.exists else None,
    )


def verify_absence(
    proof: MembershipProof,
    *,
    digest: bytes,
    version: int | None,
    hyper: Root,
    history: Root | None,
) -> None:
    """Do what `verify.verify_absence` does; the native verifier must agree."""
    said_yes = _asked(proof, digest, version, hyper, history)
    _judge(
        lambda: verify.verify_absence(
            proof, digest=digest, version=version, hyper=hyper, history=history
        ),
        None if proof.exists else said_yes,
    )


def verify_incremental(proof: IncrementalProof, *, start: Root, end: Root) -> None:
    """Do what `verify.verify_incremental` does; the native verifier must agree."""
    flat = flatten_incremental(proof)
    said_yes = None
    if NATIVE is not None:
        said_yes = flat is not None and NATIVE.verify_incremental(flat, start, end)
    _judge(lambda: verify.verify_incremental(proof, start=start, end=end), said_yes)


def _asked(
    proof: MembershipProof, digest: bytes, version: int | None, hyper: Root, history: Root | None
) -> bool | None:
    """Return what the native verifier says, None where it cannot be asked."""
    if NATIVE is None:
        return None
    flat = flatten_membership(proof)
    if flat is None or (proof.key is not None and sha256(proof.key).digest() != digest):
        return False
    claim = (flat, digest, version, hyper, history)
    said_yes: bool = NATIVE.verify_membership(*claim)
    assert NATIVE.verify_memberships([claim]) == [said_yes]
    return said_yes


def _judge(judge: Callable[[], None], said_yes: bool | None) -> None:  # noqa: FBT001 (what was said)
    refusal = _refusal(judge)
    if refusal is None:
        assert said_yes is not False, "the native verifier does not know a proof that is right"
        return
    assert not said_yes, f"the native verifier says yes to what fails at {refusal.step}"
    raise refusal


def _refusal(judge: Callable[[], None]) -> VerificationError | None:
    try:
        judge()
    except VerificationError as error:
        return error
    return None
