"""Native or readable: which of two modules that do the same is used. Asked by each such pair, once.

A native module is used where it was built, loads and answers known questions rightly. `QED_KERNEL`
in the environment asks for one of the two by its word, `native` or `twin`; it changes no result.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from os import environ
from types import ModuleType
from typing import Final

from qed.errors import MalformedError, RequestError

VARIABLE: Final = "QED_KERNEL"
_HINT = (
    "install qed where a C compiler and Python's headers are (on Debian: gcc and python3-dev), or"
    f" leave {VARIABLE} unset"
)


def choose(
    name: str,
    what: str,
    find_fault: Callable[[ModuleType], str | None],
    *,
    wanted: str | None = None,
) -> tuple[ModuleType | None, str]:
    """Return a native module and "", or None and why its readable twin is to be used.

    Args:
        name: of the module, as it is imported.
        what: it is, for the sentence.
        find_fault: says what the module does wrongly, None when nothing.
        wanted: "native", "twin", or "" for the best there is; None asks the environment.

    Raises:
        MalformedError: another word is asked for.
        RequestError: the native one is asked for and cannot be had.
    """
    wanted = environ.get(VARIABLE, "") if wanted is None else wanted
    if wanted not in ("", "native", "twin"):
        raise MalformedError(f"{VARIABLE} is native or twin, not {wanted!r}")
    if wanted == "twin":
        return None, f"{VARIABLE}=twin asks for it"
    try:
        native = import_module(name)
    except ImportError as error:
        why = f"the native {what} is not built, or does not load: {error}"
    else:
        fault = find_fault(native)
        if fault is None:
            return native, ""
        why = f"the native {what} is not used, because {fault}"
    if wanted == "native":
        raise RequestError(f"{VARIABLE}=native cannot be had: {why}", hint=_HINT)
    return None, why
