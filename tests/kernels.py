"""The kernels that there are here: the readable twin, and the native one where it was built."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest

from qed.trees import twin


def _find_native() -> ModuleType | None:
    try:
        return import_module("qed.trees._kernel")
    except ImportError:
        return None


native = _find_native()
needs_native = pytest.mark.skipif(native is None, reason="no native kernel here")
kernels = [
    pytest.param(twin, id="twin"),
    pytest.param(native, id="native", marks=needs_native),
]
