"""The snapshot log's trees, proofs and tiles against the numbers that others published."""

from __future__ import annotations

import pytest

from qed.trees import snapshot_log, tiles
from qed.trees.tiles import ENTRIES, Tile
from qed.trees.verify_log import EMPTY_ROOT, hash_leaf, verify_consistency, verify_inclusion
from vector_files import load

TREES = load("c2sp/rfc6962.json")
TILES = load("c2sp/tlog-tiles.json")
LEAVES = [bytes.fromhex(leaf) for leaf in TREES["leaves"]]
ROOTS = [bytes.fromhex(root) for root in TREES["roots"]]


def read(nodes) -> list[bytes]:
    """Answer from the leaves by the log's own `extend`."""
    return [peaks_of(index << height, (index + 1) << height) for height, index in nodes]


def peaks_of(start: int, stop: int) -> bytes:
    hashes = b"".join(map(snapshot_log.hash_leaf, LEAVES[start:stop]))
    return snapshot_log.root(snapshot_log.extend(0, b"", hashes)[0])


def test_the_empty_tree() -> None:
    assert bytes.fromhex(TREES["empty_root"]) == EMPTY_ROOT == snapshot_log.EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, len(ROOTS) + 1))
def test_roots(size) -> None:
    assert peaks_of(0, size) == tiles.compute_root(read, size) == ROOTS[size - 1]


@pytest.mark.parametrize("case", TREES["inclusion"])
def test_inclusion(case) -> None:
    index, size, path = case["index"], case["size"], list(map(bytes.fromhex, case["path"]))
    assert tiles.prove_inclusion(read, index, size) == path
    verify_inclusion(hash_leaf(LEAVES[index]), index, size, path, ROOTS[size - 1])


@pytest.mark.parametrize("case", TREES["consistency"])
def test_consistency(case) -> None:
    old, new, path = case["old"], case["new"], list(map(bytes.fromhex, case["path"]))
    assert tiles.prove_consistency(read, old, new) == path
    verify_consistency(old, ROOTS[old - 1], new, ROOTS[new - 1], path)


@pytest.mark.parametrize("case", TILES["paths"])
def test_paths_of_tiles(case) -> None:
    level = ENTRIES if case["level"] == "entries" else case["level"]
    tile = Tile(level, case["index"], case["width"])
    assert tiles.format_tile_path(tile) == case["path"]
    assert tiles.parse_tile_path(case["path"]) == tile


@pytest.mark.parametrize("case", TILES["trees"])
def test_tiles_of_trees(case) -> None:
    full: dict[str, int] = {}
    partial: dict[str, int] = {}
    for tile in tiles.tiles_of(case["size"]):
        if tile.width == 256:
            full[str(tile.level)] = full.get(str(tile.level), 0) + 1
        else:
            assert str(tile.level) not in partial
            partial[str(tile.level)] = tile.width
    assert (full, partial) == (case["full"], case["partial"])
