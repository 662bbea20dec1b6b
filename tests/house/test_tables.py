"""The tables over the tree of errors leave nothing out."""

import inspect

import pytest

from qed import errors
from qed.cli import exit_codes
from qed.web import statuses

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
RAISED = [kind for kind in KINDS if kind is not errors.QedError]


@pytest.mark.parametrize("kind", RAISED)
def test_each_error_has_a_status(kind: type[errors.QedError]) -> None:
    status = statuses.status_of(kind("no"))
    assert 400 <= status < 600
    assert (status >= 500) == issubclass(kind, errors.UnavailableError | errors.FatalError)


@pytest.mark.parametrize("kind", RAISED)
def test_each_error_has_an_exit_code_that_no_other_has(kind: type[errors.QedError]) -> None:
    code = exit_codes.exit_code(kind("no"))
    assert code == exit_codes.EXIT_CODES[kind]
    assert [other for other in RAISED if exit_codes.EXIT_CODES[other] == code] == [kind]


def test_the_tables_name_nothing_else() -> None:
    assert set(statuses.STATUSES) <= set(KINDS)
    assert set(exit_codes.EXIT_CODES) == set(RAISED)


def test_exit_codes_are_none_that_a_shell_uses_itself() -> None:
    codes = set(exit_codes.EXIT_CODES.values())
    own = {exit_codes.DONE, exit_codes.OUTPUT_CLOSED, exit_codes.USAGE, exit_codes.BUG}
    assert not codes & (own | {exit_codes.INTERRUPTED})
    assert all(3 <= code < 126 for code in codes)


def test_a_bug_is_not_in_the_tree() -> None:
    assert exit_codes.exit_code(AssertionError("no")) == exit_codes.BUG
    assert exit_codes.exit_code(ValueError("no")) == exit_codes.BUG
