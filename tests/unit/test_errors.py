"""The tree of errors: what a caller can rely on for every class in it."""

import inspect
import pickle

import pytest

from qed import errors

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
LEAVES = [kind for kind in CLASSES if not kind.__subclasses__()]
BRANCHES = (
    errors.RequestError,
    errors.UnavailableError,
    errors.VerificationError,
    errors.FatalError,
)


def test_each_class_is_in_the_tree() -> None:
    assert all(issubclass(kind, errors.QedError) for kind in CLASSES)


def test_each_class_but_the_root_is_on_exactly_one_branch() -> None:
    for kind in CLASSES:
        if kind is not errors.QedError:
            assert sum(issubclass(kind, branch) for branch in BRANCHES) == 1, kind


def test_codes_are_unique_and_said_by_the_class_itself() -> None:
    codes = [vars(kind)["code"] for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)


def test_the_drawing_in_the_docstring_names_each_class() -> None:
    drawing = errors.__doc__ or ""
    assert [kind.__name__ for kind in CLASSES if kind.__name__ not in drawing] == []


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_carries_a_sentence_and_a_hint(kind: type[errors.QedError]) -> None:
    error = kind("the log is full", hint="add a disk")
    assert (str(error), error.message, error.hint) == (
        "the log is full",
        "the log is full",
        "add a disk",
    )
    assert kind("the log is full").hint == ""


@pytest.mark.parametrize("kind", LEAVES)
def test_an_error_survives_the_way_to_another_process(kind: type[errors.QedError]) -> None:
    error = kind("the log is full", hint="add a disk")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert vars(again) == vars(error)


def test_a_verification_error_names_the_check_and_a_storage_error_the_number() -> None:
    assert errors.VerificationError("no", step="hyper root").step == "hyper root"
    assert errors.VerificationError("no").step == ""
    assert errors.StorageError("no", errno=28).errno == 28
    assert errors.StorageError("no").errno is None
