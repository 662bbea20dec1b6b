"""The kernel in use: both trees of a log, native where it can be had, else the readable twin.

Chosen once, when this module is imported. The native kernel is taken when it was built, loads, and
answers every question of `kernel_check` rightly; `QED_KERNEL=twin` or `QED_KERNEL=native` in the
environment asks for one of the two, and a native one that cannot be had is then an error.
`NAME` says which it is, `WHY_TWIN` why it is the twin ("" for the native one).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from os import environ
from types import ModuleType
from typing import Final

from qed.errors import MalformedError, RequestError
from qed.trees import twin
from qed.trees.kernel_check import find_fault
from qed.trees.twin import History, HistoryPlan, Hyper, HyperPlan, Pages, ReadDigests, Report

__all__ = [
    "NAME",
    "WHY_TWIN",
    "History",
    "HistoryPlan",
    "Hyper",
    "HyperPlan",
    "Pages",
    "ReadDigests",
    "Report",
    "choose",
]

VARIABLE: Final = "QED_KERNEL"
_HINT = (
    "install qed where a C compiler and Python's headers are (on Debian: gcc and python3-dev), or"
    f" leave {VARIABLE} unset"
)


def _load() -> ModuleType:
    return import_module("qed.trees._kernel")


def choose(wanted: str, load: Callable[[], ModuleType] = _load) -> tuple[ModuleType | None, str]:
    """Return the native kernel and "", or None and why it is the twin.

    `wanted` is "native", "twin" or, for the best there is, "". Another word is a `MalformedError`,
    a native kernel that is asked for and cannot be had a `RequestError`.
    """
    if wanted not in ("", "native", "twin"):
        raise MalformedError(f"{VARIABLE} is native or twin, not {wanted!r}")
    if wanted == "twin":
        return None, f"{VARIABLE}=twin asks for it"
    try:
        native = load()
    except ImportError as error:
        why = f"the native kernel is not built, or does not load: {error}"
    else:
        fault = find_fault(native)
        if fault is None:
            return native, ""
        why = f"the native kernel is not used, because {fault}"
    if wanted == "native":
        raise RequestError(f"{VARIABLE}=native cannot be had: {why}", hint=_HINT)
    return None, why


_native, WHY_TWIN = choose(environ.get(VARIABLE, ""))
NAME = twin.NAME
if _native is not None:
    NAME = f"native ({_native.sha256_name()})"
    # One interface, whose types are those of the twin.
    History = _native.History  # type: ignore[misc]
    Hyper = _native.Hyper  # type: ignore[misc]
