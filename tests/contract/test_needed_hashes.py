"""The benchmarks' count of needed hashes, against what the model hashes only after a group."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from hashlib import sha256
from types import ModuleType

import pytest

import model
from house.tree import ROOT
from qed.trees.twin import newest_entries
from qed.trees.values import split_digests

ONE_BLOCK_BYTES = 55  # with its padding, SHA-256 takes no more into one block


@pytest.fixture(name="needed")
def the_count(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("needed_hashes")


@pytest.fixture(name="hashed")
def what_the_model_hashes(monkeypatch: pytest.MonkeyPatch) -> set[bytes]:
    """Each message once, however often the model hashes it."""
    messages: set[bytes] = set()

    def h(*parts: bytes) -> bytes:
        messages.add(b"".join(parts))
        return sha256(b"".join(parts)).digest()

    monkeypatch.setattr(model, "h", h)
    return messages


def blocks(messages: set[bytes]) -> tuple[int, int]:
    """How many of them take one block, and how many two."""
    one_block = sum(len(message) <= ONE_BLOCK_BYTES for message in messages)
    return one_block, len(messages) - one_block


def digests(count: int, label: str, make: Callable[[bytes], bytes] = bytes) -> bytes:
    """Some digests, as one."""
    return b"".join(make(sha256(f"{label} {i}".encode()).digest()) for i in range(count))


@pytest.mark.parametrize(("size", "count"), [(0, 1), (0, 70), (5, 1), (63, 3), (200, 30)])
def test_history_of_a_group(needed: ModuleType, hashed: set[bytes], size: int, count: int) -> None:
    events = split_digests(digests(size + count, "event"))
    for version in range(size):
        model.history_root(events, version)
    before = set(hashed)
    for version in range(size, size + count):
        model.history_root(events, version)
    needs = needed.history_hashes(size, count)
    assert (needs.one_block, needs.two_blocks) == blocks(hashed - before)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (0, 70), (63, 3), (200, 56)])
def test_frozen_nodes_of_a_group(needed: ModuleType, size: int, count: int) -> None:
    nodes = [
        height
        for height in range(9)
        for index in range(0, size + count, 2**height)
        if size < index + 2**height <= size + count
    ]
    needs = needed.frozen_hashes(size, count)
    assert (needs.one_block, needs.two_blocks) == (nodes.count(0), len(nodes) - nodes.count(0))


def near(digest: bytes) -> bytes:
    """Digests that share their first four bytes, and often some bits more."""
    return b"near" + digest[:1] + digest[8:] + bytes(3)


@pytest.mark.parametrize("make", [bytes, near])
@pytest.mark.parametrize("sizes", [[1], [1, 1, 1], [90, 40, 1, 60]])
def test_hyper_of_groups(
    needed: ModuleType, hashed: set[bytes], sizes: list[int], make: Callable[[bytes], bytes]
) -> None:
    groups = [digests(size, f"group {i}", make) for i, size in enumerate(sizes)]
    groups.append(groups[0])  # each event of it a second time
    counted = needed.Members(groups)
    members: dict[int, int] = {}
    version = 0
    for group in groups:
        model.hyper_root(members)
        before = set(hashed)
        entries = newest_entries(version, split_digests(group))
        members |= {model.number(digest): newest for digest, newest in entries.items()}
        version += len(group) // 32
        model.hyper_root(members)
        needs = counted.add_group(group)
        assert (needs.one_block, needs.two_blocks) == blocks(hashed - before)


def test_members_that_were_there_before_count_like_those_of_a_group(needed: ModuleType) -> None:
    before, group = digests(500, "before", near), digests(50, "group", near)
    one = needed.Members([before, group])
    one.add_group(before)
    other = needed.Members([group])
    other.add(before)
    assert one.add_group(group) == other.add_group(group)
