"""Every operation that is made to fail, by its name."""

from __future__ import annotations

from fault.backup_operations import CreateBackup, DeleteBackup, FirstBackup
from fault.key_operations import MakeKey, RebuildIndex
from fault.log_operations import (
    CloseLog,
    Commit,
    CommitAhead,
    CommitAndFlush,
    CommitBeyondMemory,
    CommitMore,
    CreateLog,
    OpenLog,
    OpenOldLog,
)
from fault.restore_operations import RestoreFresh, RestoreOver, RestoreServed, SwapAtStart
from fault.store_operations import CreateStore, StoreAppend, StoreConflict, StoreOpen
from fault.trial import Operation

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        CreateLog(),
        OpenLog(),
        OpenOldLog(),
        CloseLog(),
        Commit(),
        CommitMore(),
        CommitAhead(),
        CommitBeyondMemory(),
        CommitAndFlush(),
        RebuildIndex(),
        MakeKey(),
        CreateBackup(),
        FirstBackup(),
        DeleteBackup(),
        RestoreOver(),
        RestoreFresh(),
        RestoreServed(),
        SwapAtStart(),
        CreateStore(),
        StoreOpen(),
        StoreAppend(),
        StoreConflict(),
    )
}
