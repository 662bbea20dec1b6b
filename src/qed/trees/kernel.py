"""The kernel in use: the trees of a log, native where it can be had, else the readable twin.

Chosen once, when this module is imported (`choice`): the native kernel is taken when it was built,
loads, and answers every question of `kernel_check` rightly, unless `QED_KERNEL` says otherwise.
`NAME` says which it is, `WHY_TWIN` why it is the twin ("" for the native one).
"""

from __future__ import annotations

from qed.trees import twin
from qed.trees.choice import choose
from qed.trees.kernel_check import find_fault
from qed.trees.twin import (
    History,
    HistoryPlan,
    Hyper,
    HyperPlan,
    Pages,
    ReadDigests,
    Report,
    extend_history,
    extend_snapshots,
    hash_leaves,
)

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
    "extend_history",
    "extend_snapshots",
    "hash_leaves",
]

_native, WHY_TWIN = choose("qed.trees._kernel", "kernel", find_fault)
NAME = twin.NAME
if _native is not None:
    NAME = f"native ({_native.sha256_name()})"
    # One interface, whose types are those of the twin.
    History = _native.History  # type: ignore[misc]
    Hyper = _native.Hyper  # type: ignore[misc]
    extend_history = _native.extend_history
    extend_snapshots = _native.extend_snapshots
    hash_leaves = _native.hash_leaves
