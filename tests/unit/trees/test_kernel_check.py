"""The questions that a kernel has to answer rightly before it is used."""

from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from kernels import native, needs_native
from qed.trees import history, hyper, kernel_check, snapshot_log, twin
from qed.trees.values import DIGEST_BYTES


def split(group: bytes) -> list[bytes]:
    return [group[i : i + DIGEST_BYTES] for i in range(0, len(group), DIGEST_BYTES)]


def with_changes(**changes: Any) -> ModuleType:
    """A kernel like the twin, with something of its own."""
    fake = ModuleType("fake")
    fake.__dict__.update(twin.__dict__)
    fake.__dict__.update(changes)
    return fake


def test_the_known_answers_are_those_of_the_twin() -> None:
    assert kernel_check.find_fault(twin) is None
    assert kernel_check.ANSWERS.keys() == kernel_check.SECTIONS.keys()


@needs_native
def test_the_native_kernel_answers_rightly() -> None:
    assert kernel_check.find_fault(native) is None


@needs_native
def test_the_native_kernel_is_asked_with_most_of_its_tree_in_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: set[int] = set()

    class Counting(kernel_check._Pages):
        def write(self, number: int, page: bytes) -> None:
            written.add(number)
            super().write(number, page)

    monkeypatch.setattr(kernel_check, "_Pages", Counting)
    assert kernel_check.find_fault(native) is None
    assert len(written) > 20


def test_the_questions_hold_what_goes_wrong_first() -> None:
    groups = [split(group) for group in kernel_check.groups()]
    every = [digest for group in groups for digest in group]
    assert min(map(len, groups)) == 1
    assert max(map(len, groups)) > 200
    assert any(len(set(group)) < len(group) for group in groups), "equal events in one group"
    assert len(set(every)) < len({(n, d) for n, g in enumerate(groups) for d in g}), "in several"
    numbers = sorted({int.from_bytes(digest, "big") for digest in every})
    shared = [256 - (a ^ b).bit_length() for a, b in pairwise(numbers)]
    assert max(shared) >= 250, "digests that part in their last bits"
    assert len([bits for bits in shared if 40 <= bits < 64]) > 40, "a crowd far down"


class WrongRoots(twin.History):
    def root(self, version: int) -> bytes:
        return super().root(version - 1 if version == 7 * 40 else version)


class WrongProofs(twin.History):
    def prove_incremental(self, start: int, end: int) -> bytes:
        return super().prove_incremental(start, end)[:-1] + b"\0"


class LastWins(twin.Hyper):
    """The last of equal digests in a group keeps the entry, where the first has to."""

    def plan(self, digests: bytes, first_version: int, base: Any = None) -> twin.HyperPlan:
        size, tree = (self.size, self._now[1]) if base is None else (base.size, base.tree)
        each = split(digests)
        entries = dict(zip(each, range(first_version, first_version + len(each)), strict=True))
        grown = hyper.insert(tree, list(entries.items()))
        return twin.HyperPlan(first_version, size + len(each), hyper.root(grown), grown)


class WrongWalks(twin.Hyper):
    def walk(self, digest: bytes) -> tuple[int, bytes, int | None]:
        size, siblings, version = super().walk(digest)
        return size, siblings[:-1] if version is None else siblings, version


class LosingPages(twin.Hyper):
    """A tree that forgets its newest group when it has pages."""

    def __init__(self, log: twin.History, *, pages: Any = None, budget_bytes: int | None = None):
        super().__init__(log, pages=pages, budget_bytes=budget_bytes)
        self._before = self._now
        self._has_pages = pages is not None

    def accept(self, plan: twin.HyperPlan) -> None:
        self._before = self._now
        super().accept(plan)

    def walk(self, digest: bytes) -> tuple[int, bytes, int | None]:
        now = self._now
        if self._has_pages:
            self._now = self._before
        try:
            return super().walk(digest)
        finally:
            self._now = now


def ending_late(size: int, peaks: bytes, hashes: bytes) -> Any:
    """Nodes as they come level by level, not in the order in which they are complete."""
    after, nodes = snapshot_log.extend(size, peaks, hashes)
    return after, sorted(nodes)


class Raising(twin.Hyper):
    def build(self, *_given: Any) -> None:
        raise MemoryError("no room")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sha256_many": lambda messages: [b""] * len(messages)}, "its hashes differ"),
        ({"History": WrongRoots}, "its history roots differ"),
        ({"History": WrongProofs}, "its history proofs differ"),
        ({"Hyper": LastWins}, "its hyper roots differ"),
        ({"Hyper": WrongWalks}, "its hyper walks differ"),
        ({"Hyper": LosingPages}, "its hyper pages differ"),
        ({"extend_snapshots": ending_late}, "its snapshot hashes differ"),
        (
            {"hash_leaves": lambda _, digests, *__: bytes(len(digests))},
            "its snapshot hashes differ",
        ),
        ({"Hyper": Raising}, "its hyper walks failed: MemoryError: no room"),
        ({"Hyper": None}, "its hyper roots failed: TypeError"),
    ],
)
def test_a_kernel_with_one_fault_is_found_out(changes: dict[str, Any], fault: str) -> None:
    found = kernel_check.find_fault(with_changes(**changes))
    assert found is not None
    assert found.startswith(fault)


def test_history_is_asked_at_its_own_size() -> None:
    """The constants are about the tree of SPEC 2: two roots, computed here by hand."""
    first, second = split(b"".join(kernel_check.groups()))[:2]
    tree = twin.History()
    tree.freeze(first + second)
    left, right = history.leaf_hash(first, 0), history.leaf_hash(second, 1)
    assert tree.root(0) == left
    assert tree.root(1) == history.inner_hash(left, right, (0, 1))
