"""The shapes: what they hold, and that they hold still."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from qed.trees import values


def test_constants_of_the_specification():
    assert values.DIGEST_BYTES == 32
    assert values.HYPER_HEIGHT == 256
    assert values.SHORTCUT_HEIGHT == 232
    assert values.NO_VERSION == 18446744073709551615


def test_digests_are_split_and_half_a_digest_is_refused():
    assert values.split_digests(b"a" * 32 + b"b" * 32) == [b"a" * 32, b"b" * 32]
    assert values.split_digests(b"") == []
    with pytest.raises(ValueError, match="no whole number"):
        values.split_digests(b"x" * 33)


@pytest.mark.parametrize(
    "value",
    [
        values.Snapshot(0, b"e", b"h", b"y"),
        values.HyperLeaf(b"k", 0, {}),
        values.IncrementalProof(0, 1, {}),
    ],
)
def test_values_are_equal_by_content_and_cannot_be_changed(value):
    field = next(iter(value.__slots__))

    assert value == type(value)(*(getattr(value, name) for name in value.__slots__))
    with pytest.raises(FrozenInstanceError):
        setattr(value, field, None)
    assert not hasattr(value, "__dict__")


def test_a_proof_of_membership_has_no_key_and_no_leaf_unless_they_are_given():
    proof = values.MembershipProof(
        exists=True,
        hyper={},
        history={},
        current_version=0,
        query_version=0,
        actual_version=0,
        key_digest=b"k",
    )

    assert proof.key is None
    assert proof.hyper_leaf is None
