"""The native hyper tree beyond its budget: pages that are slow, that fail and that lie."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kernels import native, needs_native
from pure_log import event_digests, flip_bit
from qed.errors import DamagedError
from qed.trees import twin

pytestmark = needs_native

DIGESTS = event_digests(900)


class MemoryPages:
    """Pages in a dictionary; `meddle` changes what is read, `refuse` says which writes fail."""

    def __init__(self, size_bytes: int = 256) -> None:
        """Start without a page."""
        self.size_bytes = size_bytes
        self.pages: dict[int, bytes] = {}
        self.meddle: Callable[[int, bytes], bytes] = lambda _, page: page
        self.refuse: Callable[[], bool] = lambda: False

    def read(self, number: int) -> bytes:
        """Return a page, as meddled with."""
        return self.meddle(number, self.pages[number])

    def write(self, number: int, page: bytes) -> None:
        """Keep a page."""
        assert len(page) == self.size_bytes
        assert 0 <= number <= len(self.pages) + 1  # the halves take turns: nearly dense
        if self.refuse():
            raise OSError("no space left")
        self.pages[number] = page


def told(digests: Sequence[bytes], size_bytes: int = 256) -> tuple[Any, MemoryPages]:
    """Return a tree of these digests that has pages and no budget at all, and its pages."""
    pages = MemoryPages(size_bytes)
    log = twin.History()
    log.freeze(b"".join(digests))
    tree = native.Hyper(log, pages=pages, budget_bytes=0)
    for start in range(0, len(digests), 100):
        tree.accept(tree.plan(b"".join(digests[start : start + 100]), start))
    return tree, pages


def plain(digests: Sequence[bytes]) -> Any:
    """Return the readable tree of the same groups."""
    tree = twin.Hyper(twin.History())
    for start in range(0, len(digests), 100):
        tree.accept(tree.plan(b"".join(digests[start : start + 100]), start))
    return tree


@pytest.mark.parametrize("size_bytes", [256, 2048, 4096])
def test_with_pages_the_answers_are_the_same(size_bytes):
    tree, pages = told(DIGESTS, size_bytes)
    expected = plain(DIGESTS)

    assert tree.root == expected.root
    assert len(pages.pages) > 30
    probes = [*DIGESTS[::9], *(flip_bit(digest, 200) for digest in DIGESTS[:50])]
    assert [tree.walk(digest) for digest in probes] == [expected.walk(digest) for digest in probes]


def test_near_and_repeated_digests_in_pages():
    near = [flip_bit(DIGESTS[n % 3], bit) for n, bit in enumerate(range(0, 256, 3))]
    digests = [*DIGESTS[:60], *near, *DIGESTS[:20], *near[::2]]
    tree, _ = told(digests)
    expected = plain(digests)

    assert tree.root == expected.root
    for digest in [*DIGESTS[:30], *near]:
        assert tree.walk(digest) == expected.walk(digest)


@pytest.mark.parametrize("way", ["extend", "build"])
def test_replay_goes_to_pages_as_well(way):
    log = twin.History()
    log.freeze(b"".join(DIGESTS))
    pages = MemoryPages()
    tree = native.Hyper(log, pages=pages, budget_bytes=0)
    if way == "extend":
        tree.extend(b"".join(DIGESTS), [100] * 9)
    else:
        tree.build(sum(1 << end for end in range(99, 900, 100)).to_bytes(113, "little"))

    assert tree.root == plain(DIGESTS).root
    assert len(pages.pages) > 30
    inner, _, slots, _, _ = tree._counts()
    assert inner < 900 / 4
    assert slots < 900 / 4


def test_memory_stops_at_the_budget_and_a_budget_can_come_later():
    draw = random.Random(7)  # noqa: S311 - repeatable examples
    digests = draw.randbytes(32 * 40_000)
    pages = MemoryPages(4096)
    tree = native.Hyper(twin.History(), pages=pages)
    tree.extend(digests[: 32 * 20_000], [500] * 40)
    assert pages.pages == {}
    budget = tree.memory_bytes
    tree.budget_bytes = budget
    tree.extend(digests[32 * 20_000 :], [500] * 40)
    free = native.Hyper(twin.History())
    free.extend(digests, [500] * 80)

    assert tree.root == free.root
    assert tree.memory_bytes < 1.2 * budget < free.memory_bytes
    assert pages.pages


def refuses(ask: Callable[[], Any], expected: Any) -> bool:
    """Return whether a tree refuses a page; else its answer must be the expected one."""
    try:
        answer = ask()
    except DamagedError as error:
        return "is not what was written" in str(error)
    assert answer == expected
    return False


def test_a_page_that_is_not_as_written_is_never_believed():
    tree, pages = told(DIGESTS[:300])
    expected = plain(DIGESTS[:300])
    draw = random.Random(8)  # noqa: S311
    good = dict(pages.pages)
    before = tree._counts()[:-1]
    refused = 0
    for _ in range(300):
        bit, digest = draw.randrange(256 * 8), draw.choice(DIGESTS[:300])

        def meddle(_: int, page: bytes, bit: int = bit) -> bytes:
            return (int.from_bytes(page, "big") ^ 1 << bit).to_bytes(256, "big")

        pages.meddle = meddle
        refused += refuses(lambda digest=digest: tree.walk(digest), expected.walk(digest))
        root = expected.plan(flip_bit(digest, 3), 300).root
        refuses(lambda digest=digest: tree.plan(flip_bit(digest, 3), 300).root, root)
        pages.pages = dict(good)
    assert refused > 200  # the rest lies behind the last member
    assert tree._counts()[:-1] == before


def test_another_page_or_an_older_one_is_never_believed():
    tree, pages = told(DIGESTS[:300])
    older = dict(pages.pages)
    tree.accept(tree.plan(b"".join(DIGESTS[300:]), 300))
    expected = plain(DIGESTS[:300])
    expected.accept(expected.plan(b"".join(DIGESTS[300:]), 300))
    pages.meddle = older.get
    differ = 0
    for digest in DIGESTS[::5]:
        try:
            assert tree.walk(digest) == expected.walk(digest)
        except DamagedError:
            differ += 1
    assert differ > 10
    pages.meddle = lambda number, _: pages.pages[(number + 2) % len(pages.pages)]
    with pytest.raises(DamagedError, match="is not what was written") as refused:
        tree.walk(DIGESTS[0])
    assert "start again" in refused.value.hint


def test_a_group_that_is_accepted_while_a_page_is_read():
    """The reader has the old tree whole, or begins again with the new one."""
    tree, pages = told(DIGESTS[:300])
    expected = plain(DIGESTS[:300])
    old = {digest: expected.walk(digest) for digest in DIGESTS[:300]}
    groups = [b"".join(DIGESTS[n : n + 50]) for n in range(300, 900, 50)]
    meanwhile = list(groups)

    def meddle(number: int, page: bytes) -> bytes:
        if meanwhile and not busy:
            busy.append(True)
            group = meanwhile.pop(0)
            tree.accept(tree.plan(group, tree.size))
            expected.accept(expected.plan(group, expected.size))
            # What a slot that was used again holds by now.
            page = pages.pages[number]
            busy.clear()
        return page

    busy: list[bool] = []
    pages.meddle = meddle
    seen = set()
    for digest in DIGESTS[:12]:
        walk = tree.walk(digest)
        seen.add(walk[0])
        assert walk in (old[digest], expected.walk(digest))
        old = {digest: expected.walk(digest) for digest in DIGESTS[:300]}
    assert len(seen) > 5


@pytest.mark.parametrize("failing", [1, 2, 5, 20])
def test_what_writing_raises_comes_through_and_nothing_is_lost(failing):
    tree, pages = told(DIGESTS[:300])
    before, root = tree._counts()[:-1], tree.root
    left = [failing]

    def refuse() -> bool:
        left[0] -= 1
        return left[0] == 0

    pages.refuse = refuse
    with pytest.raises(OSError, match="no space left"):
        tree.plan(b"".join(DIGESTS[300:]), 300)
    assert (tree._counts()[:-1], tree.root) == (before, root)
    pages.refuse = lambda: False
    tree.accept(tree.plan(b"".join(DIGESTS[300:400]), 300))
    assert tree.root == plain(DIGESTS[:400]).root


def test_what_reading_raises_comes_through():
    tree, pages = told(DIGESTS[:300])
    before = tree._counts()[:-1]

    def meddle(number: int, _: bytes) -> bytes:
        raise OSError(f"page {number}")

    pages.meddle = meddle
    with pytest.raises(OSError, match="page"):
        tree.walk(DIGESTS[0])
    with pytest.raises(OSError, match="page"):
        tree.plan(DIGESTS[301], 300)
    pages.meddle = lambda _, page: page[:-1]
    with pytest.raises(ValueError, match="has 255 bytes"):
        tree.walk(DIGESTS[0])
    assert tree._counts()[:-1] == before


def test_dropped_plans_give_their_pages_back():
    tree, pages = told(DIGESTS[:300])
    before = tree._counts()[:-1]
    tree.plan(b"".join(DIGESTS[300:]), 300)
    assert tree._counts()[:-1] == before
    most = len(pages.pages)
    for _ in range(3):
        tree.plan(b"".join(DIGESTS[300:]), 300)
    assert len(pages.pages) == most


def test_a_plan_over_pages_without_memory_changes_nothing():
    tree, _ = told(DIGESTS[:200])
    before, root = tree._counts()[:-1], tree.root
    for takings in range(1, 10_000):
        tree._fail_after(takings)
        try:
            plan = tree.plan(b"".join(DIGESTS[200:300]), 200)
        except MemoryError:
            tree._fail_after(0)
            assert (tree._counts()[:-1], tree.root) == (before, root)
        else:
            break
    tree._fail_after(0)
    tree.accept(plan)
    assert tree.root == plain(DIGESTS[:300]).root


def test_a_page_too_small_for_anything_is_refused():
    with pytest.raises(ValueError, match="too small"):
        native.Hyper(twin.History(), pages=MemoryPages(255))


def draw_group(draw: random.Random, pool: list[bytes]) -> bytes:
    """Draw a group of new, repeated and nearly equal digests; the near ones join the pool."""
    group = []
    for _ in range(draw.choice([1, 2, 5, 30, 120])):
        kind = draw.random()
        if kind < 0.4:
            group.append(draw.randbytes(32))
        elif kind < 0.5:
            group.append(draw.choice(pool))
        else:
            parts = draw.choice([0, 1, 19, 20, 21, 23, 24, 25, 63, 64, 65, 128, 254, 255])
            pool.append(flip_bit(draw.choice(pool), 255 - parts))
            group.append(pool[-1])
    return b"".join(group)


@pytest.mark.parametrize("seed", range(6))
def test_a_long_random_life_agrees_with_the_readable_tree(seed):
    """Plans on plans, drops, repeats and near digests, with a budget that is cut on the way."""
    draw = random.Random(seed)  # noqa: S311
    log = twin.History()
    tree = native.Hyper(log, pages=MemoryPages([256, 4096][seed % 2]))
    tree.budget_bytes = [0, 600_000, None][seed % 3]
    readable = twin.Hyper(log)
    pool = DIGESTS[:8]
    waiting: list[tuple[Any, Any, bytes]] = []
    for step in range(40):
        if step == 20:
            tree.budget_bytes = 0
        base, readable_base, _ = waiting[-1] if waiting else (None, None, b"")
        first = tree.size if base is None else base.size
        group = draw_group(draw, pool)
        plan = tree.plan(group, first, base)
        expected = readable.plan(group, first, readable_base)
        assert plan.root == expected.root
        if draw.random() < 0.8:
            waiting.append((plan, expected, group))
        while waiting and draw.random() < 0.6:
            plan, expected, group = waiting.pop(0)
            log.freeze(group)
            readable.accept(expected)
            tree.accept(plan)
    assert (tree.root, tree.size) == (readable.root, readable.size)
    for digest in [*pool[:150], *(flip_bit(digest, 9) for digest in pool[:50])]:
        assert tree.walk(digest) == readable.walk(digest)
