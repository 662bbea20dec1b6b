"""Which kernel is chosen, and that a wrong one is not."""

import os
import subprocess
import sys
from types import ModuleType

import pytest

from qed.errors import MalformedError, RequestError
from qed.trees import kernel, twin


def absent() -> ModuleType:
    raise ModuleNotFoundError("No module named 'qed.trees._kernel'")


def right() -> ModuleType:
    return twin


def wrong() -> ModuleType:
    """A kernel that works but for one bit of its hashes."""
    fake = ModuleType("fake")
    fake.__dict__.update(twin.__dict__)
    fake.sha256_many = (
        lambda messages: [  # type: ignore[attr-defined]
            bytes([each[0] ^ 1]) + each[1:] for each in twin.sha256_many(messages)
        ]
    )
    return fake


def test_a_native_kernel_that_answers_rightly_is_used() -> None:
    assert kernel.choose("", right) == (twin, "")
    assert kernel.choose("native", right) == (twin, "")


def test_the_twin_can_be_asked_for() -> None:
    assert kernel.choose("twin", right) == (None, "QED_KERNEL=twin asks for it")


def test_without_a_native_kernel_the_twin_is_used_and_said_why() -> None:
    native, why = kernel.choose("", absent)
    assert native is None
    assert why == (
        "the native kernel is not built, or does not load: No module named 'qed.trees._kernel'"
    )


def test_a_native_kernel_that_answers_wrongly_is_not_used() -> None:
    native, why = kernel.choose("", wrong)
    assert native is None
    assert why == ("the native kernel is not used, because its hashes differ from the known ones")


@pytest.mark.parametrize("load", [absent, wrong])
def test_a_native_kernel_that_is_asked_for_and_cannot_be_had_is_an_error(load) -> None:
    with pytest.raises(RequestError, match=r"^QED_KERNEL=native cannot be had: ") as raised:
        kernel.choose("native", load)
    assert "gcc and python3-dev" in raised.value.hint


def test_another_word_is_an_error() -> None:
    with pytest.raises(MalformedError, match="QED_KERNEL is native or twin, not 'fast'"):
        kernel.choose("fast", right)


def test_the_environment_decides_once_for_the_process() -> None:
    code = "from qed.trees import kernel; print(kernel.NAME, '|', kernel.WHY_TWIN)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "QED_KERNEL": "twin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "twin (pure Python) | QED_KERNEL=twin asks for it\n"


def test_the_name_says_which_one_it_is() -> None:
    if kernel.WHY_TWIN:
        assert (kernel.NAME, kernel.History, kernel.Hyper) == (
            twin.NAME,
            twin.History,
            twin.Hyper,
        )
    else:
        assert kernel.NAME.startswith("native (")
        assert kernel.History is not twin.History
        assert kernel.Hyper is not twin.Hyper
