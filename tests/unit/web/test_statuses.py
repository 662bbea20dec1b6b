from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qed import errors
from qed.web.statuses import RETRY_AFTER_S, STATUSES, retry_after_s, status_of


def tree(kind: type[errors.QedError]) -> Iterator[type[errors.QedError]]:
    for child in kind.__subclasses__():
        if child.__module__ == "qed.errors":
            yield child
            yield from tree(child)


ALL = list(tree(errors.QedError))


def test_the_table_is_total_and_knows_nothing_else() -> None:
    assert set(STATUSES) == set(ALL)
    assert set(RETRY_AFTER_S) <= set(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_status_says_what_the_caller_can_do(kind: type[errors.QedError]) -> None:
    error = kind("why")
    hundreds = status_of(error) // 100
    if isinstance(error, errors.UnavailableError):
        assert status_of(error) == 503
        assert retry_after_s(error) >= 1
    else:
        assert retry_after_s(error) is None
        assert hundreds == (5 if isinstance(error, errors.FatalError) else 4)


def test_a_class_of_another_room_has_its_ancestors_status() -> None:
    class TooManyError(errors.TooLargeError):
        pass

    assert status_of(TooManyError("many")) == 413


def test_the_base_is_never_raised_and_has_no_status() -> None:
    with pytest.raises(AssertionError):
        status_of(errors.QedError("base"))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_row_is_documented(kind: type[errors.QedError]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    error = kind("why")
    seconds = retry_after_s(error)
    after = f" {seconds} |" if seconds else " |"
    assert f"| {kind.__name__} | `{kind.code}` | {status_of(error)} |{after}\n" in text
