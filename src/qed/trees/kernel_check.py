"""Questions to a kernel whose answers are known: what stands between a wrong kernel and a log.

A kernel that was built for another processor, by a compiler with a fault or from half a source may
load and hash wrongly. So one log of 480 events is told to it, with the cases that go wrong first:
digests that share long beginnings, events that come again, groups of one and of many, plans on
plans. What it answers is hashed and compared with the constants below, which the readable twin
gives (a test computes them again, with the twin and with the vectors of QED). Takes a few
milliseconds on a native kernel.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from hashlib import sha256
from types import ModuleType
from typing import Any

from qed.trees.values import DIGEST_BYTES

# What a right kernel answers, section by section; from the readable twin.
ANSWERS = {
    "hashes": "008f98694a0ac3f4d3f0201ce5a8698903a7c90431df4524c63513752a7afff2",
    "history roots": "c7cdfe105ad1186a081110521ca4fdf2a1e6347d749aaa59696aabefbeeebffd",
    "history proofs": "285b758bbb8950e534c562a6407b84e34b3d649b5882cd68b99bd64a771e8e26",
    "hyper roots": "bd1d5ba29c3c62483e4cd7a5fdc7120176fcaece97620fa51cfb82c5c77739f6",
    "hyper walks": "d8da3461d4ab97d737c60978a7c5b66c5b439bccfbc35dd5ee6421ec7433b828",
    "hyper pages": "0dbd5be8e800e3e80586b4582253b04d89ba57ba16320ac92f7772a672e3f60a",
    "snapshot hashes": "6bde3efce8f8e93aa6d21bf14463cc7b80c89bfd1164a316ec1fa77add68ff6a",
}


def find_fault(kernel: ModuleType) -> str | None:
    """Return what a kernel does wrongly, as a sentence; None when all its answers are right.

    Nothing that the kernel raises gets out: that is an answer too.
    """
    told = _Told(kernel)
    for name, ask in SECTIONS.items():
        try:
            answer = ask(told)
        except Exception as error:  # noqa: BLE001  # whatever it is, this kernel is not used
            return f"its {name} failed: {type(error).__name__}: {error}"
        if answer != ANSWERS[name]:
            return f"its {name} differ from the known ones"
    return None


@cache
def groups() -> tuple[bytes, ...]:
    """Return the log that a kernel is asked about: the digests of each group, end to end."""
    digests = list(_digests())
    made: list[bytes] = []
    sizes = (1, 1, 2, 3, 1, 64, 65, 7, 130, 1, 205)
    start = 0
    for size in sizes:
        made.append(b"".join(digests[start : start + size]))
        start += size
    if start != len(digests):
        raise AssertionError("the groups are not these digests")
    return tuple(made)


_LONG_AGO = 200  # events


def _digests() -> Iterator[bytes]:
    """Yield 480 digests: spread ones, near ones, and ones that were there before."""
    for i in range(480):
        spread = sha256(b"%d" % i).digest()
        match i % 8:
            case 3:  # shares its first 8 to 255 bits with one before it
                yield _near(sha256(b"%d" % (i - 3)).digest(), 8 + i * 37 % 248)
            case 5:  # shares five bytes with every one of its kind: a crowd far down
                yield b"crowd" + spread[5:]
            case 6 if i > _LONG_AGO:  # came before, in another group
                yield sha256(b"%d" % ((i - _LONG_AGO) // 8 * 8)).digest()
            case 7:  # came just before, mostly in the same group
                yield sha256(b"%d" % (i - 7)).digest()
            case _:
                yield spread


def _near(digest: bytes, shared_bits: int) -> bytes:
    """Return a digest that shares exactly so many bits with the given one, and has its end."""
    flipped = int.from_bytes(digest, "big") ^ 1 << 255 - shared_bits
    return flipped.to_bytes(DIGEST_BYTES, "big")


def _hash(answers: Sequence[bytes | int | None]) -> str:
    """Return one hash over answers, each with its length."""
    total = sha256()
    for answer in answers:
        text = answer if isinstance(answer, bytes) else repr(answer).encode()
        total.update(len(text).to_bytes(8, "big") + text)
    return total.hexdigest()


class _Told:
    """A kernel that is told the log as a server tells it.

    Each group is planned on the one before it, which is accepted only then.
    """

    def __init__(self, kernel: ModuleType) -> None:
        self.kernel = kernel

    @cached_property
    def history(self) -> tuple[Any, list[bytes]]:
        """The history tree, and its roots as the plans had them."""
        tree = self.kernel.History()
        roots: list[bytes] = []
        ahead = None
        for group in groups():
            plan = tree.plan(group, ahead)
            roots.append(plan.roots)
            if ahead is not None:
                tree.accept(ahead)
            ahead = plan
        tree.accept(ahead)
        return tree, roots

    @cached_property
    def hyper(self) -> tuple[Any, list[bytes]]:
        """The hyper tree, and its roots as the plans had them."""
        tree = self.kernel.Hyper(self.history[0])
        roots = [tree.root]
        first, ahead = 0, None
        for group in groups():
            plan = tree.plan(group, first, ahead)
            roots.append(plan.root)
            first += len(group) // DIGEST_BYTES
            if ahead is not None:
                tree.accept(ahead)
            ahead = plan
        tree.accept(ahead)
        return tree, [*roots, tree.root]


def _ask_hashes(told: _Told) -> str:
    lengths = [0, 1, 42, 55, 56, 63, 64, 66, 74, 98, 119, 120, 300]
    messages = [bytes(i * n % 256 for i in range(n)) for n in lengths]
    return _hash(told.kernel.sha256_many(messages))


def _ask_history_roots(told: _Told) -> str:
    tree, roots = told.history
    replayed = told.kernel.History()
    replayed.freeze(b"".join(groups()))
    answers: list[bytes | int | None] = [*roots, tree.size, replayed.size]
    answers += [tree.root(version) for version in range(0, tree.size, 7)]
    answers += [replayed.root(version) for version in range(0, tree.size, 13)]
    answers += [tree.digest(version) for version in range(0, tree.size, 5)]
    return _hash(answers)


def _ask_history_proofs(told: _Told) -> str:
    tree, _ = told.history
    pairs = [(a, b) for a in range(0, tree.size, 37) for b in range(a, tree.size, 29)]
    answers = [tree.prove_membership(a, b) for a, b in pairs]
    answers += [tree.prove_incremental(a, b) for a, b in pairs]
    return _hash(answers)


def _ask_snapshots(told: _Told) -> str:
    """Ask for the snapshot log, group by group, and far beyond what memory holds."""
    tree, _ = told.history
    _, hyper_roots = told.hyper
    size, history_peaks, peaks = 0, b"", b""
    answers: list[bytes | int | None] = [tree.peaks(size) for size in range(0, tree.size + 1, 11)]
    for group, hyper_digest in zip(groups(), hyper_roots[1:-1], strict=True):
        history_peaks, roots = told.kernel.extend_history(size, history_peaks, group)
        leaves = told.kernel.hash_leaves(size, group, roots, hyper_digest)
        peaks, nodes = told.kernel.extend_snapshots(size, peaks, leaves)
        size += len(group) // DIGEST_BYTES
        answers += [roots, leaves, history_peaks, peaks, *(part for node in nodes for part in node)]
    start = (1 << 40) - 1
    high = b"".join(groups())[: 40 * DIGEST_BYTES]
    peaks, nodes = told.kernel.extend_snapshots(start, high, b"".join(groups()))
    answers += [peaks, *(part for node in nodes for part in node)]
    return _hash(answers)


def _ask_hyper_roots(told: _Told) -> str:
    tree, roots = told.hyper
    replayed = told.kernel.Hyper(told.history[0])
    counts = array("Q", [len(group) // DIGEST_BYTES for group in groups()])
    extended = replayed.extend(b"".join(groups()), counts)
    return _hash([*roots, tree.size, extended, replayed.root, replayed.size])


def _ask_hyper_walks(told: _Told) -> str:
    tree, _ = told.hyper
    built = told.kernel.Hyper(told.history[0])
    built.build(_ends())
    return _hash([*_walks(tree), *_walks(built)])


def _ask_hyper_pages(told: _Told) -> str:
    tree = told.kernel.Hyper(told.history[0], pages=_Pages(), budget_bytes=0)
    roots: list[bytes] = []
    for group in groups():
        plan = tree.plan(group, tree.size)
        roots.append(plan.root)
        tree.accept(plan)
    return _hash([*roots, *_walks(tree)])


class _Pages:
    """Where a tree keeps what memory has no room for: here, memory all the same."""

    size_bytes = 512

    def __init__(self) -> None:
        self._pages: dict[int, bytes] = {}

    def read(self, number: int) -> bytes:
        return self._pages[number]

    def write(self, number: int, page: bytes) -> None:
        self._pages[number] = page


def _walks(tree: Any) -> list[bytes | int | None]:
    """Return the ways to digests that are in the log, and to ones that are near them."""
    asked = [group[i : i + DIGEST_BYTES] for group in groups() for i in range(0, len(group), 320)]
    asked += [_near(digest, bits) for bits, digest in enumerate(asked)]
    return [part for digest in asked for part in tree.walk(digest)]


def _ends() -> bytes:
    """Return the bitmap of the versions that end a group."""
    bits, size = 0, 0
    for group in groups():
        size += len(group) // DIGEST_BYTES
        bits |= 1 << size - 1
    return bits.to_bytes(-(-size // 8), "little")


SECTIONS: dict[str, Callable[[_Told], str]] = {
    "hashes": _ask_hashes,
    "history roots": _ask_history_roots,
    "history proofs": _ask_history_proofs,
    "hyper roots": _ask_hyper_roots,
    "hyper walks": _ask_hyper_walks,
    "hyper pages": _ask_hyper_pages,
    "snapshot hashes": _ask_snapshots,
}
