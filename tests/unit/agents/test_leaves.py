"""Leaves are given on only when the signed root covers them; a lying source gets nowhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publishing import PublishedLog
from qed.agents.leaves import Frontier, Part, join_parts, read_leaves, read_part
from qed.client.feed import open_source
from qed.errors import VerificationError
from qed.signing.checkpoint import Checkpoint
from qed.trees import snapshot_log
from qed.trees.tiles import ENTRIES, Tile, encode_bundle, format_tile_path

PART = 256  # so that a log of some hundreds has parts


@pytest.fixture(scope="module")
def log():
    made = PublishedLog()
    made.fill(900)
    return made


@pytest.fixture
def mirror(log, tmp_path):
    log.write_mirror(tmp_path)
    return tmp_path


def checkpoint_of(log, size=None):
    size = log.size if size is None else size
    peaks, _ = snapshot_log.extend(0, b"", b"".join(log.rows[0][:size]))
    return Checkpoint(log.signer.name, size, snapshot_log.root(peaks))


def frontier_of(log, size):
    return Frontier().extend(b"".join(log.rows[0][:size]))


def bundle_path(mirror, index, width=256):
    return mirror / format_tile_path(Tile(ENTRIES, index, width))


def test_every_leaf_comes_once_and_in_order(log, mirror):
    with open_source(str(mirror)) as source:
        parts = list(read_leaves(source, Frontier(), checkpoint_of(log), PART))
    assert [part.first_version for part in parts] == [0, 256, 512, 768]
    whole = join_parts(parts)
    assert [whole.snapshot(v) for v in range(900)] == log.snapshots
    assert whole.hashes == b"".join(log.rows[0])
    assert whole.stop == 900


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_reading_goes_on_from_anywhere(log, data, tmp_path_factory):
    mirror = log.write_mirror(tmp_path_factory.getbasetemp() / "anywhere")
    first = data.draw(st.integers(0, 900))
    with open_source(str(mirror)) as source:
        frontier = frontier_of(log, first)
        parts = list(read_leaves(source, frontier, checkpoint_of(log), PART))
    assert sum(len(part.hyper_digests) for part in parts) == 900 - first
    for part in parts:
        frontier = frontier.extend(part.hashes)
    assert frontier.root == checkpoint_of(log).root


def test_a_checkpoint_that_is_behind_gives_nothing(log, mirror):
    with open_source(str(mirror)) as source:
        assert list(read_leaves(source, frontier_of(log, 900), checkpoint_of(log, 512), PART)) == []


@pytest.mark.parametrize("version", [0, 3, 255, 899])
def test_a_changed_leaf_at_either_end_is_not_given_on(log, mirror, version):
    index, at = divmod(version, 256)
    width = min(256, 900 - index * 256)
    leaves = log.leaves[index * 256 : index * 256 + width]
    leaves[at] = leaves[at][:-1] + bytes([leaves[at][-1] ^ 1])
    bundle_path(mirror, index, width).write_bytes(encode_bundle(leaves))
    # From version 1 on the first bundle is the head, which is read before anything is given on.
    first = min(version, 1)
    with open_source(str(mirror)) as source, pytest.raises(VerificationError) as caught:
        next(read_leaves(source, frontier_of(log, first), checkpoint_of(log), 1024))
    assert caught.value.step == "leaves"


def test_a_changed_leaf_in_the_middle_stops_before_its_part(log, mirror):
    leaves = log.leaves[512:768]
    leaves[100] = leaves[100][:-1] + bytes([leaves[100][-1] ^ 1])
    bundle_path(mirror, 2).write_bytes(encode_bundle(leaves))
    with open_source(str(mirror)) as source:
        parts = read_leaves(source, Frontier(), checkpoint_of(log), PART)
        assert [next(parts).first_version, next(parts).first_version] == [0, 256]
        with pytest.raises(VerificationError) as caught:
            next(parts)
    assert caught.value.step == "nodes"


def test_a_false_node_gives_nothing_at_all(log, mirror):
    path = mirror / format_tile_path(Tile(1, 0, 3))
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with open_source(str(mirror)) as source, pytest.raises(VerificationError) as caught:
        next(read_leaves(source, Frontier(), checkpoint_of(log), PART))
    assert caught.value.step == "leaves"


def test_leaves_that_are_no_leaves_or_others(log):
    class Short:
        name = "short"

        def bundle(self, index, width):
            return log.leaves[index * 256 : index * 256 + width - 1]

    class Shifted:
        name = "shifted"

        def bundle(self, index, width):
            return log.leaves[index * 256 + 1 : index * 256 + width + 1]

    for source in (Short(), Shifted()):
        with pytest.raises(VerificationError):
            read_part(source, 0, 200)


def test_a_part_is_split_and_joined_again(log, mirror):
    with open_source(str(mirror)) as source:
        part = read_part(source, 10, 60)
    before, after = part.split(25)
    assert (before.first_version, before.stop, after.first_version, after.stop) == (10, 25, 25, 60)
    assert after.snapshot(59) == log.snapshots[59]
    assert join_parts([before, after]) == part
    assert isinstance(join_parts([part]), Part)


def test_another_root_of_the_size_reached_is_refused(log, mirror):
    other = Checkpoint(log.signer.name, 900, b"r" * 32)
    with open_source(str(mirror)) as source:
        assert list(read_leaves(source, frontier_of(log, 900), checkpoint_of(log), PART)) == []
        with pytest.raises(VerificationError):
            list(read_leaves(source, frontier_of(log, 900), other, PART))


def test_a_size_that_no_log_has_is_refused_at_once(log, mirror):
    absurd = Checkpoint(log.signer.name, 2**63, bytes(32))
    with open_source(str(mirror)) as source, pytest.raises(VerificationError) as raised:
        next(read_leaves(source, frontier_of(log, 600), absurd))
    assert raised.value.step == "size"
