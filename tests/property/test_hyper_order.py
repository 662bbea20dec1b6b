"""Law: the hyper tree is a function of its members alone, never of the order of insertion."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from laws import maps
from model import hyper_root, number
from qed.trees import hyper


@given(maps, st.data())
def test_any_order_and_any_groups_give_the_same_tree(members, data):
    order = data.draw(st.permutations(list(members.items())))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=5)))
    tree = None
    for start, stop in zip([0, *cuts], [*cuts, len(order)], strict=True):
        tree = hyper.insert(tree, order[start:stop])

    assert hyper.root(tree) == hyper_root({number(key): v for key, v in members.items()})
    assert tree == hyper.insert(None, list(members.items()))


@given(maps, maps)
def test_what_was_there_before_a_member_got_its_version_leaves_no_trace(first, second):
    rewritten = hyper.insert(hyper.insert(None, list(first.items())), list(second.items()))

    assert rewritten == hyper.insert(None, list((first | second).items()))
