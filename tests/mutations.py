"""Every small change of a proof: what a liar, a broken disk or a careless parser could make of it.

Each function yields (what was done, the changed thing); nothing yielded equals the original. What
is written another way on the wire (keys not in canonical form, or twice) is the decoder's to refuse
and is tested there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from qed.trees.values import (
    NO_VERSION,
    AuditPath,
    IncrementalProof,
    MembershipProof,
    Position,
)

Path = dict[Position, bytes]
NEAREST = 3


def paths(path: AuditPath) -> Iterator[tuple[str, Path]]:
    """Change one entry or two of a path: values, positions, missing and spare ones."""
    for place, (position, value) in enumerate(path.items()):
        bit = 1 << (37 * place + position[1]) % 256
        flipped = (int.from_bytes(value, "big") ^ bit).to_bytes(32, "big")
        for what, changed in (
            ("flip", flipped),
            ("shorten", value[:31]),
            ("shorten in front", value[1:]),
            ("empty", b""),
            ("lengthen", value + b"\x00"),
        ):
            yield f"{what} {position}", {**path, position: changed}
        rest = {p: v for p, v in path.items() if p != position}
        yield f"drop {position}", rest
        for n, other in enumerate(neighbours(position)):
            if other not in path:
                yield f"add {other}", {**path, other: value}
            if other not in path and n < NEAREST:
                yield f"move {position} to {other}", {**rest, other: value}
    for one, other in combinations(path, 2):
        if path[one] != path[other]:
            yield f"exchange {one} and {other}", {**path, one: path[other], other: path[one]}
    yield "empty path" if path else "add to an empty path", {} if path else {(0, 0): b"\x00" * 32}


def neighbours(position: Position) -> list[Position]:
    """Return the positions beside, above, below and across a position, also impossible ones."""
    index, height = position
    return [
        (index ^ 1 << height, height),
        (index, height + 1),
        (index, height - 1),
        (index + 1, height),
        (-index - 1, height),
        (index + (1 << 64), height),
    ]


def numbers(number: int) -> list[int]:
    """Return other numbers: neighbours, both ends of the range, and what lies beyond them."""
    others = [number - 1, number + 1, 0, 2 * number + 1, NO_VERSION, NO_VERSION + 1, -1, 1 << 255]
    return [other for other in others if other != number]


def incremental_proofs(proof: IncrementalProof) -> Iterator[tuple[str, IncrementalProof]]:
    """Change a path or a number of a proof of an increment."""
    for what, path in paths(proof.audit_path):
        yield what, replace(proof, audit_path=path)
    for other in numbers(proof.start):
        yield f"start {other}", replace(proof, start=other)
    for other in numbers(proof.end):
        yield f"end {other}", replace(proof, end=other)


def hyper_paths(proof: MembershipProof) -> Iterator[tuple[str, MembershipProof]]:
    """Change the hyper path of a proof of membership or absence."""
    for what, path in paths(proof.hyper):
        yield f"hyper: {what}", replace(proof, hyper=path)


def history_paths(proof: MembershipProof) -> Iterator[tuple[str, MembershipProof]]:
    """Change the history path of a proof of membership."""
    assert proof.history is not None
    for what, path in paths(proof.history):
        yield f"history: {what}", replace(proof, history=path)


def membership_numbers(proof: MembershipProof) -> Iterator[tuple[str, MembershipProof]]:
    """Change what is not a path in a proof of membership or absence."""
    for field in ("current_version", "query_version", "actual_version"):
        for other in numbers(getattr(proof, field)):
            yield f"{field} {other}", replace(proof, **{field: other})
    yield "exists", replace(proof, exists=not proof.exists)
    yield "other key digest", replace(proof, key_digest=bytes(32))
    yield "short key digest", replace(proof, key_digest=proof.key_digest[:31])
    yield "no key digest", replace(proof, key_digest=b"")
    yield "key of another event", replace(proof, key=b"another event")
    yield "empty key", replace(proof, key=b"")
    yield "history", replace(proof, history={} if proof.history is None else None)


def hyper_leaves(proof: MembershipProof) -> Iterator[tuple[str, MembershipProof]]:
    """Change the leaf in a proof of absence that has one."""
    leaf = proof.hyper_leaf
    assert leaf is not None
    yield "no leaf", replace(proof, hyper_leaf=None)
    for what, path in paths(leaf.history):
        yield f"leaf: {what}", replace(proof, hyper_leaf=replace(leaf, history=path))
    for other in numbers(leaf.version):
        yield f"leaf version {other}", replace(proof, hyper_leaf=replace(leaf, version=other))
    for bit in range(256):
        key = (int.from_bytes(leaf.key_digest, "big") ^ 1 << bit).to_bytes(32, "big")
        yield f"leaf key bit {bit}", replace(proof, hyper_leaf=replace(leaf, key_digest=key))
    for key in (proof.key_digest, leaf.key_digest[:31], leaf.key_digest + b"\x00", b""):
        yield f"leaf key {key.hex()}", replace(proof, hyper_leaf=replace(leaf, key_digest=key))
