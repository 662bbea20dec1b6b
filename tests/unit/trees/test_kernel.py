"""Which kernel is chosen, and that a wrong one is not."""

import os
import subprocess
import sys
from types import ModuleType

from qed.trees import kernel, twin
from qed.trees.choice import choose
from qed.trees.kernel_check import find_fault


def test_a_native_kernel_that_answers_wrongly_is_not_used(monkeypatch) -> None:
    """One that works but for one bit of its hashes."""
    wrong = ModuleType("wrong")
    wrong.__dict__.update(twin.__dict__)
    wrong.sha256_many = (
        lambda messages: [  # type: ignore[attr-defined]
            bytes([each[0] ^ 1]) + each[1:] for each in twin.sha256_many(messages)
        ]
    )
    monkeypatch.setitem(sys.modules, "qed.trees._kernel", wrong)

    native, why = choose("qed.trees._kernel", "kernel", find_fault, wanted="")
    assert native is None
    assert why == "the native kernel is not used, because its hashes differ from the known ones"


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
