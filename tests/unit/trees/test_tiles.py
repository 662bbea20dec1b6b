"""Proofs made from perfect subtrees, tiles that hold them, and the names and bundles of tiles."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naive_log import NaiveLog, leaf
from qed.errors import MalformedError
from qed.trees import snapshot_log, tiles
from qed.trees.tiles import ENTRIES, Tile
from qed.trees.verify_log import EMPTY_ROOT, verify_consistency, verify_inclusion

SIZES = range(1, 71)
LARGE = 70_000


class Source:
    """A `read` that may be asked once, for perfect subtrees of a tree of `size` only."""

    def __init__(self, log: NaiveLog, size: int) -> None:
        self.log, self.size, self.times = log, size, 0

    def __call__(self, nodes) -> list[bytes]:
        self.times += 1
        assert self.times == 1, "asked again"
        assert nodes, "asked for nothing"
        assert len(set(nodes)) == len(nodes), "asked twice for one node"
        for height, index in nodes:
            assert height >= 0 <= index
            assert (index + 1) << height <= self.size, "not a perfect subtree of this tree"
        return self.log.read(nodes)


@pytest.fixture(scope="module")
def log() -> NaiveLog:
    return NaiveLog(SIZES.stop)


@pytest.fixture(scope="module")
def large() -> NaiveLog:
    return NaiveLog(LARGE)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_the_rfcs(log, size) -> None:
    for index in range(size):
        read = Source(log, size)
        proof = tiles.prove_inclusion(read, index, size)
        assert proof == log.path(index, 0, size)
        assert read.times == (size > 1)
        verify_inclusion(log.hashes[index], index, size, proof, log.root(0, size))


@pytest.mark.parametrize("new", SIZES)
def test_consistency_proofs_are_the_rfcs(log, new) -> None:
    for old in range(new + 1):
        read = Source(log, new)
        proof = tiles.prove_consistency(read, old, new)
        assert proof == log.proof(old, new)
        assert read.times == (0 < old < new)
        old_root = log.root(0, old) if old else EMPTY_ROOT
        verify_consistency(old, old_root, new, log.root(0, new), proof)


@pytest.mark.parametrize("size", range(71))
def test_roots_come_from_peaks(log, size) -> None:
    assert tiles.compute_root(Source(log, size), size) == log.root(0, size)


def test_proofs_of_a_large_tree_come_from_its_tiles(large) -> None:
    """70,000 leaves have tiles of three levels; each node is computed from the tile that has it."""
    chance = random.Random(6962)  # noqa: S311 - drawn again the same
    asked: set[Tile] = set()

    def tile_hashes(tile: Tile) -> bytes:
        first, height = tile.index * 256, 8 * tile.level
        roots = [large.root(i << height, i + 1 << height) for i in range(first, first + tile.width)]
        return b"".join(roots)

    for _ in range(300):
        size = chance.choice([chance.randint(2, LARGE), 256, 257, 65_536, 65_537, LARGE])
        old = chance.randint(1, size - 1)

        def read(nodes, size=size) -> list[bytes]:
            places = [tiles.tile_of(node, size) for node in nodes]
            asked.update(places)
            return [
                tiles.node_from_tile(node, tile_hashes(tile))
                for node, tile in zip(nodes, places, strict=True)
            ]

        assert tiles.prove_inclusion(read, old, size) == large.path(old, 0, size)
        assert tiles.prove_consistency(read, old, size) == large.proof(old, size)
    assert {tile.level for tile in asked} == {0, 1, 2}


def test_the_tiles_of_a_tree_of_70000() -> None:
    """The specification's own example."""
    there = list(tiles.tiles_of(70_000))
    full = [tile for tile in there if tile.width == 256]
    partial = [tile for tile in there if tile.width < 256]
    assert [tile.level for tile in full].count(0) == 273
    assert [tile.level for tile in full].count(1) == 1
    assert partial == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert len(there) == 273 + 1 + 3
    assert list(tiles.tiles_of(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]
    assert list(tiles.tiles_of(0)) == []


def test_widths_end_where_the_tree_does() -> None:
    assert tiles.tile_width(0, 0, 0) == 0
    assert tiles.tile_width(0, 1, 256) == 0
    assert tiles.tile_width(0, 1, 257) == 1
    assert tiles.tile_width(ENTRIES, 273, 70_000) == 112
    assert tiles.tile_width(1, 0, 511) == 1
    assert tiles.tile_width(63, 0, 2**64 - 1) == 0


@pytest.mark.parametrize(
    ("node", "tile"),
    [
        ((0, 5), Tile(0, 0, 256)),
        ((7, 3), Tile(0, 1, 256)),
        ((8, 3), Tile(1, 0, 256)),
        ((0, 69_999), Tile(0, 273, 112)),
        ((12, 16), Tile(1, 1, 17)),
        ((16, 0), Tile(2, 0, 1)),
    ],
)
def test_a_node_lies_in_one_tile(node, tile) -> None:
    assert tiles.tile_of(node, 70_000) == tile


@pytest.mark.parametrize("node", [(0, 70_000), (16, 1), (17, 0), (24, 0)])
def test_a_node_beyond_the_tree_is_the_callers_mistake(node) -> None:
    with pytest.raises(AssertionError, match="not in a tree"):
        tiles.tile_of(node, 70_000)


def test_questions_that_make_no_sense_are_the_callers_mistake(log) -> None:
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(AssertionError):
            tiles.inclusion_nodes(index, size)
    for old, new in ((-1, 5), (6, 5)):
        with pytest.raises(AssertionError):
            tiles.consistency_nodes(old, new)
    with pytest.raises(AssertionError, match="beyond the tile"):
        tiles.node_from_tile((1, 0), log.hashes[0])


def test_a_source_that_answers_with_more_is_noticed(log) -> None:
    with pytest.raises(AssertionError, match="more hashes"):
        tiles.prove_inclusion(lambda nodes: [*log.read(nodes), b""], 1, 5)


PATHS = {
    Tile(0, 0): "tile/0/000",
    Tile(0, 999): "tile/0/999",
    Tile(0, 1000): "tile/0/x001/000",
    Tile(0, 1234067): "tile/0/x001/x234/067",
    Tile(3, 1234, 112): "tile/3/x001/234.p/112",
    Tile(63, 0, 1): "tile/63/000.p/1",
    Tile(ENTRIES, 5, 255): "tile/entries/005.p/255",
    Tile(ENTRIES, 2**56 - 1): "tile/entries/x072/x057/x594/x037/x927/935",
}


@pytest.mark.parametrize(("tile", "path"), PATHS.items())
def test_paths_go_both_ways(tile, path) -> None:
    assert tiles.format_tile_path(tile) == path
    assert tiles.parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        " tile/0/000",
        "tile/0/000\n",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/100/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/x/000",
        "tile/Entries/000",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/x000",
        "tile/0/001/000",
        "tile/0/X001/000",
        "tile/0/x1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/+1",
        "tile/0/000.p",
        "tile/0/000.p/1/2",
        "tile/0/\u0661\u0661\u0661",
        "tile/8/0/000",
        "tile/0/x072/x057/x594/x037/x927/936",
        "tile/0/" + "x000/" * 40 + "000",
        "tile/0/../../etc/passwd",
        "tile/0/000%2f",
    ],
)
def test_paths_that_name_no_tile(path) -> None:
    with pytest.raises(MalformedError, match="not the path of a tile"):
        tiles.parse_tile_path(path)


@pytest.mark.parametrize(
    "tile", [Tile(64, 0), Tile(-2, 0), Tile(0, -1), Tile(0, 2**56), Tile(0, 0, 0), Tile(0, 0, 257)]
)
def test_what_is_no_tile_has_no_path(tile) -> None:
    with pytest.raises(AssertionError, match="is no tile"):
        tiles.format_tile_path(tile)


def test_bundles_go_both_ways() -> None:
    for index, width in ((0, 1), (0, 256), (3, 17)):
        leaves = [leaf(256 * index + i) for i in range(width)]
        data = tiles.encode_bundle(leaves)
        assert len(data) == 118 * width
        assert data[:2] == b"\x00\x74"
        assert tiles.decode_bundle(data, width) == leaves
        assert tiles.decode_bundle(data, width, index=index) == leaves


def test_a_leaf_of_a_bundle_is_the_snapshot_logs() -> None:
    assert snapshot_log.decode_leaf(leaf(7)).version == 7


@pytest.mark.parametrize(
    ("data", "width", "index"),
    [
        (b"", 0, None),
        (b"", 1, None),
        (tiles.encode_bundle([leaf(0)]), 2, None),
        (tiles.encode_bundle([leaf(0), leaf(1)]), 1, None),
        (tiles.encode_bundle([leaf(0)]) + b"\x00", 1, None),
        (tiles.encode_bundle([leaf(1)]), 1, None),
        (tiles.encode_bundle([leaf(0), leaf(2)]), 2, None),
        (tiles.encode_bundle([leaf(0), leaf(0)]), 2, None),
        (tiles.encode_bundle([leaf(0)]), 1, 1),
        (tiles.encode_bundle([leaf(256)]), 1, 0),
        (b"\x00\x75" + leaf(0), 1, None),
        (b"\x74\x00" + leaf(0), 1, None),
        (b"\x00\x74" + b"Q" + leaf(0)[1:], 1, None),
        (tiles.encode_bundle([leaf(0) + b"\x00\x00", leaf(1)[2:]]), 2, None),
    ],
)
def test_bundles_that_are_none(data, width, index) -> None:
    with pytest.raises(MalformedError):
        tiles.decode_bundle(data, width, index=index)


@given(st.text("tile/enrsx0123456789.p", max_size=40) | st.text(max_size=20))
def test_whatever_is_asked_for_is_a_tile_or_none(path) -> None:
    try:
        tile = tiles.parse_tile_path(path)
    except MalformedError:
        return
    assert tiles.format_tile_path(tile) == path


@given(st.integers(ENTRIES, 63), st.integers(0, 2**56 - 1), st.integers(1, 256))
def test_each_tile_has_a_path_of_its_own(level, index, width) -> None:
    tile = Tile(level, index, width)
    assert tiles.parse_tile_path(tiles.format_tile_path(tile)) == tile
