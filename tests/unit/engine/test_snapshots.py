"""The snapshot log planned and traced: what groups lead to, group by group and part by part."""

from __future__ import annotations

from itertools import accumulate

import pytest

from harness import event, events
from model import Model, snapshot_leaf, snapshot_log_root
from qed.engine.snapshots import EMPTY, Trace, hash_groups
from qed.trees.snapshot_log import EMPTY_ROOT, hash_leaf

GROUPS = [events(0, 3), [event(0)], [event(3), event(3), event(1)], events(4, 270), [event(2)]]


@pytest.fixture(scope="module", name="model")
def the_model() -> Model:
    model = Model()
    for digests in GROUPS:
        model.add(digests)
    return model


def leaves(model: Model, size: int) -> list[bytes]:
    return [snapshot_leaf(snapshot) for snapshot in model.snapshots[:size]]


def hyper_digests(model: Model) -> list[bytes]:
    return [model.snapshots[end - 1].hyper_digest for end in accumulate(map(len, GROUPS))]


def test_an_empty_log_has_the_root_over_nothing():
    assert EMPTY == (0, b"", EMPTY_ROOT)
    assert EMPTY.extend(b"") == (EMPTY, [])


def test_a_trace_follows_groups_to_the_models_roots(model):
    trace = Trace()
    for digests, hyper_digest in zip(GROUPS, hyper_digests(model), strict=True):
        first = trace.size
        trace, traced = trace.extend(b"".join(digests), [len(digests)], hyper_digest)
        snapshots = model.snapshots[first : trace.size]
        assert traced.history_digests == b"".join(each.history_digest for each in snapshots)
        assert traced.hashes == b"".join(hash_leaf(snapshot_leaf(each)) for each in snapshots)
        assert trace.frontier.root == snapshot_log_root(leaves(model, trace.size))
        complete = first < 256 <= trace.size
        assert [node[:2] for node in traced.nodes] == ([(1, 0)] if complete else [])
    assert trace.size == len(model.digests) > 256


def test_many_groups_at_once_are_the_same(model):
    one_by_one, at_once = Trace(), Trace()
    ends = hyper_digests(model)
    for digests, hyper_digest in zip(GROUPS, ends, strict=True):
        one_by_one, _ = one_by_one.extend(b"".join(digests), [len(digests)], hyper_digest)
    at_once, traced = at_once.extend(
        b"".join(model.digests), [len(digests) for digests in GROUPS], b"".join(ends)
    )
    assert at_once == one_by_one
    assert traced.nodes == [(1, 0, snapshot_log_root(leaves(model, 256)))]


def test_a_trace_is_a_value(model):
    """What checks goes on only when everything agreed: the old place is still there."""
    trace = Trace()
    trace.extend(model.digests[0], [1], bytes(32))
    assert trace == Trace()
    assert trace.size == 0


def test_a_part_of_a_group_is_hashed_with_its_digest(model):
    first, stop = 1, 5
    snapshots = model.snapshots[first:stop]
    found = hash_groups(
        first,
        b"".join(each.event_digest for each in snapshots),
        b"".join(each.history_digest for each in snapshots),
        [2, 1, 1],
        b"".join(hyper_digests(model)[:3]),
    )
    assert found == b"".join(hash_leaf(snapshot_leaf(each)) for each in snapshots)
