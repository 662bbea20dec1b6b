"""Native or readable: what is asked for, what can be had, and what is said when it cannot."""

from __future__ import annotations

import pytest

from qed.errors import MalformedError, RequestError
from qed.trees.choice import VARIABLE, choose

MODULE, MISSING = "qed.trees.values", "qed.trees.not_there"


def right(_):
    return None


def wrong(_):
    return "it errs"


def test_a_module_that_is_there_and_right_is_used():
    for wanted in ("", "native"):
        module, why = choose(MODULE, "thing", right, wanted=wanted)
        assert module.__name__ == MODULE
        assert why == ""


def test_the_twin_may_be_asked_for(monkeypatch):
    assert choose(MODULE, "thing", right, wanted="twin") == (None, f"{VARIABLE}=twin asks for it")
    monkeypatch.setenv(VARIABLE, "twin")
    assert choose(MODULE, "thing", right)[0] is None
    monkeypatch.delenv(VARIABLE)
    assert choose(MODULE, "thing", right)[0] is not None


@pytest.mark.parametrize(
    ("module", "check", "why"),
    [
        (MISSING, right, "the native thing is not built, or does not load: No module named"),
        (MODULE, wrong, "the native thing is not used, because it errs"),
    ],
)
def test_a_module_that_is_missing_or_wrong_is_not_used(module, check, why):
    found, said = choose(module, "thing", check, wanted="")
    assert found is None
    assert said.startswith(why)
    with pytest.raises(RequestError, match="cannot be had: the native thing") as caught:
        choose(module, "thing", check, wanted="native")
    assert caught.value.hint


def test_another_word_is_refused():
    with pytest.raises(MalformedError, match="is native or twin, not 'fast'"):
        choose(MODULE, "thing", right, wanted="fast")
