"""Exit codes: the table covers the whole tree, and no code means two things."""

import click
import pytest

from qed import errors
from qed.cli import exit_codes
from qed.cli.exit_codes import EXIT_CODES, exit_code


def tree(kind=errors.QedError):
    if kind.__module__ == "qed.errors":
        yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def test_every_error_of_the_tree_has_a_row_of_its_own():
    raised = {kind for kind in tree() if kind is not errors.QedError}

    assert raised == set(EXIT_CODES)


def test_no_code_means_two_things():
    others = [
        exit_codes.DONE,
        exit_codes.OUTPUT_CLOSED,
        exit_codes.USAGE,
        exit_codes.BUG,
        exit_codes.INTERRUPTED,
    ]
    codes = [*EXIT_CODES.values(), *others]

    assert len(codes) == len(set(codes))
    assert all(0 <= code < 128 for code in codes if code != exit_codes.INTERRUPTED)


@pytest.mark.parametrize(
    ("branch", "tens"),
    [
        (errors.RequestError, 1),
        (errors.UnavailableError, 2),
        (errors.VerificationError, 3),
        (errors.FatalError, 4),
    ],
)
def test_the_tens_say_what_can_be_done(branch, tens):
    assert {EXIT_CODES[kind] // 10 for kind in tree(branch)} == {tens}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFoundError("x"), 13),
        (errors.VerificationError("x"), 30),
        (click.UsageError("x"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (AssertionError(), 70),
        (ValueError(), 70),
    ],
)
def test_an_error_leaves_by_its_code(error, code):
    assert exit_code(error) == code


def test_a_branch_without_a_row_leaves_by_its_parents_code():
    kind = type("Later", (errors.LockedError,), {})

    assert exit_code(kind("x")) == EXIT_CODES[errors.LockedError]
