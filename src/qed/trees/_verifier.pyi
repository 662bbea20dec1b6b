# The native verifier: True is yes, False don't know; `quick` picks it or its twin.

from collections.abc import Sequence

from qed.trees.quick import Claim
from qed.trees.values import FlatIncremental, FlatMembership
from qed.trees.verify import Root

def sha256_name() -> str: ...
def verify_membership(
    flat: FlatMembership, digest: bytes, version: int | None, hyper: Root, history: Root | None
) -> bool: ...
def verify_memberships(claims: Sequence[Claim]) -> list[bool]: ...
def verify_incremental(flat: FlatIncremental, start: Root, end: Root) -> bool: ...
