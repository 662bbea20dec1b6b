"""A log server with one lie in it: the whole real program, patched in a process of its own.

    python evil_server.py LIE server start ...

The lie is told about one event (`scene.TARGET`) and everything else is honest. The proofs of a
server whose *signed* roots are false follow from the trees that it really has, and its check before
signing is blinded where it would notice: whoever changes the one changes the other as well.

Lies: "nothing" (the control) and those in `LIES`.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from qed import wire
from qed.cli.main import main as qed_main
from qed.engine import log, state
from qed.engine.leaves import Leaves
from qed.engine.state import State
from qed.trees.kernel import hash_leaves
from qed.wire import flat

TARGET = sha256(b"the event that the server lies about").digest()
DIGEST_BYTES = 32


def leave_out() -> None:
    """Leave the event out of the map; the history tree and all proofs are honest.

    Its place in the group is taken by the group's first event, which is in the map already.
    """
    honest = state.plan_group

    def plan_group(ground: Any, digests: bytes, base: Any = None) -> Any:
        def plan(digests: bytes, *rest: Any) -> Any:
            return ground.hyper.plan(digests.replace(TARGET, digests[:DIGEST_BYTES]), *rest)

        without = SimpleNamespace(
            head=ground.head,
            history=ground.history,
            hyper=SimpleNamespace(plan=plan),
            frontier=ground.frontier,
        )
        return honest(without, digests, base)

    state.plan_group = plan_group


def false_once() -> None:
    """Sign a false hyper digest for the group that has the event; the next one is right again."""
    honest = state.plan_group

    def plan_group(ground: Any, digests: bytes, base: Any = None) -> Any:
        plan = honest(ground, digests, base)
        if TARGET not in digests:
            return plan
        false = sha256(plan.head.hyper_digest).digest()
        hashes = hash_leaves(plan.first_version, digests, plan.history.roots, false)
        frontier, nodes = (base or ground).frontier.extend(hashes)
        head = replace(plan.head, hyper_digest=false)
        return replace(plan, head=head, frontier=frontier, nodes=nodes)

    state.plan_group = plan_group


def change_node() -> None:
    """Change a node of the history tree in memory, when the event comes.

    It takes the readable kernel (QED_KERNEL=twin), which a program can reach into.
    """
    honest = state.plan_group

    def plan_group(ground: Any, digests: bytes, base: Any = None) -> Any:
        if TARGET in digests:
            # The first node of the highest level: every later root rests on it.
            ground.history._levels[-1][0] ^= 1
        return honest(ground, digests, base)

    state.plan_group = plan_group


def change_node_blind() -> None:
    """The same, and what is signed and served is what was planned, not what rows lead to."""
    change_node()
    columns = (bytearray(), bytearray())  # digests and history digests, as they were planned
    ends: list[tuple[int, bytes]] = []
    honest = State.accept

    def accept(self: State, plan: Any) -> None:
        columns[0].extend(plan.digests)
        columns[1].extend(plan.history.roots)
        ends.append((plan.head.size - 1, plan.head.hyper_digest))
        honest(self, plan)

    def read_leaves(_self: log.Log, first: int, stop: int) -> Leaves:
        here = slice(first * DIGEST_BYTES, stop * DIGEST_BYTES)
        digests, history_digests = (bytes(column[here]) for column in columns)
        left = [end for end in ends if end[0] >= first]
        after = next((n for n, end in enumerate(left, 1) if end[0] >= stop - 1), 0)
        return Leaves(first, digests, history_digests, tuple(left[:after]))

    def recheck(self: log.Log, stop: int) -> tuple[bytes, Leaves]:
        return self.snapshot_root[1], read_leaves(self, 0, stop)

    State.accept = accept  # type: ignore[method-assign]
    log.Log.read_leaves = read_leaves  # type: ignore[method-assign]
    log.Log.recheck = recheck  # type: ignore[method-assign]


def empty_sibling() -> None:
    """Add an empty sibling to the history path of the event, where nothing is on the right yet.

    H(left || empty || position) is H(left || position): a verifier that takes what comes would
    find the right root.
    """

    def lie(answer: dict[str, Any]) -> None:
        if answer["Exists"]:
            leaf, version = answer["ActualVersion"], answer["CurrentVersion"]
            answer["History"][_missing_position(leaf, version)] = ""

    _patch_answers(lie)


def bare_leaf() -> None:
    """Say that the event is absent: its own leaf, under a neighbouring key, without its history."""

    def lie(answer: dict[str, Any]) -> None:
        neighbour = TARGET[:-1] + bytes([TARGET[-1] ^ 1])
        answer["HyperLeaf"] = {
            "KeyDigest": base64.b64encode(neighbour).decode(),
            "Version": answer["ActualVersion"],
            "History": {},
        }
        answer |= {
            "Exists": False,
            "History": None,
            "ActualVersion": min(answer["QueryVersion"], answer["CurrentVersion"]),
        }

    _patch_answers(lie)


def _patch_answers(lie: Callable[[dict[str, Any]], None]) -> None:
    """Let a lie change each answer about the event, on its way out."""

    def changed(honest: Callable[..., bytes]) -> Callable[..., bytes]:
        def encode(proof: Any, *rest: Any) -> bytes:
            body = honest(proof, *rest)
            if proof.key_digest != TARGET or not proof.exists:
                return body
            answer = json.loads(body)
            lie(answer)
            for name in ("Hyper", "History"):
                path = answer[name]
                answer[name] = path and dict(sorted(path.items()))
            return json.dumps(answer, separators=(",", ":")).encode()

        return encode

    flat.encode_membership = changed(flat.encode_membership)
    wire.encode_membership = changed(wire.encode_membership)


def _missing_position(leaf: int, version: int) -> str:
    """Return the first position on the way to a leaf that has no right sibling as of a version."""
    index, height = 0, version.bit_length()
    while height:
        height -= 1
        middle = index + (1 << height)
        if leaf >= middle:
            index = middle
        elif middle > version:
            return f"{middle}|{height}"
    raise AssertionError(f"no sibling is missing on the way to {leaf} as of {version}")


LIES: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "leave-out": leave_out,
    "false-once": false_once,
    "change-node": change_node,
    "change-node-blind": change_node_blind,
    "empty-sibling": empty_sibling,
    "bare-leaf": bare_leaf,
}


def main() -> None:
    """Make the lie, then be `qed`."""
    name, *words = sys.argv[1:]
    LIES[name]()
    sys.argv = ["qed", *words]
    sys.exit(qed_main())


if __name__ == "__main__":
    main()
