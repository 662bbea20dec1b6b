"""The self-test of the native verifier: right proofs and wrong ones, and every fault is seen."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import flat_texts
from qed.trees import quick_check, quick_twin


def test_there_are_proofs_of_both_verdicts():
    verdicts = quick_twin.verify_memberships(list(quick_check.claims()))
    assert verdicts[:3] == [True, True, True]
    assert verdicts.count(False) > 100
    increments = [quick_twin.verify_incremental(*one) for one in quick_check.increments()]
    assert increments[0] is True
    assert not any(increments[1:])


def test_the_readable_twin_and_the_native_verifier_have_no_fault():
    assert quick_check.find_fault(quick_twin) is None
    assert quick_check.find_fault(flat_texts.native("qed.trees._verifier")) is None


def always_yes(*_):
    return True


def never(*_):
    return False


def broken(*_):
    raise ValueError("no")


@pytest.mark.parametrize("answer", [always_yes, never, broken])
@pytest.mark.parametrize("name", ["verify_membership", "verify_memberships", "verify_incremental"])
def test_each_fault_is_seen(name, answer):
    module = SimpleNamespace(**{**vars(quick_twin), name: answer})

    assert quick_check.find_fault(module)


@pytest.mark.parametrize("at", [0, 1, 2, 40, 100])
def test_one_wrong_verdict_is_seen(at):
    claims = list(quick_check.claims())

    def wrong_once(claim, *rest):
        verdict = quick_twin.verify_membership(claim, *rest)
        return not verdict if (claim, *rest) == claims[at] else verdict

    module = SimpleNamespace(**{**vars(quick_twin), "verify_membership": wrong_once})
    assert "judges a membership" in quick_check.find_fault(module)
