"""The management port: backups made, listed and deleted while the log takes writes. Source: SPEC 6.

Calls that change the backup directory run one after the other, each in a thread; a list never
waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from qed import wire
from qed.backup.create import Checkpointer, create_backup
from qed.backup.delete import delete_backup
from qed.backup.repository import BackupInfo, list_backups
from qed.errors import BusyError, MalformedError
from qed.server.metrics import Counts
from qed.web.application import Route
from qed.web.limits import WebLimits
from qed.web.messages import JSON, Answer, Request
from qed.web.queries import parse_number, read_query

_T = TypeVar("_T")


class ManagementPort:
    """The handlers of the management port; used on the loop's thread only."""

    def __init__(
        self,
        log: Checkpointer,
        counts: Counts,
        limits: WebLimits,
        *,
        directory: Path,
        scratch: Path,
    ) -> None:
        """Keep backups of a log in `directory`; `scratch` is on the log's file system."""
        self._log = log
        self._counts = counts
        self._limits = limits
        self._directory = directory
        self._scratch = scratch
        self._turn = asyncio.Lock()  # held by the call that changes the directory
        self._waiting = 0  # calls that wait for `_turn` or hold it

    def routes(self) -> list[Route]:
        """Return every route of the port."""
        return [
            Route("POST", "/backup", self.make),
            Route("DELETE", "/backup", self.remove),
            Route("GET", "/backups", self.show),
        ]

    async def make(self, _request: Request) -> Answer:
        """Make a backup of the log as it is now; 200 with an empty body, as QED answers."""
        try:
            made = await self._in_turn(
                lambda: create_backup(self._log, self._directory, scratch=self._scratch)
            )
        except Exception:
            self._counts.backups_failed += 1
            raise
        self._counts.backups_made += 1
        self._counts.last_backup_s = made.created_s
        structlog.get_logger().info(
            "backup made", id=made.id, version=made.version_text, size_bytes=made.size_bytes
        )
        return Answer(200)

    async def show(self, _request: Request) -> Answer:
        """List the backups, sorted by id; `[]` when there is none. A damaged one says so."""
        found = await asyncio.to_thread(list_backups, self._directory)
        for backup in found:
            if backup.problem:
                structlog.get_logger().warning("backup is damaged", why=backup.problem)
        return Answer(200, wire.encode_backups([_entry(backup) for backup in found]), JSON)

    async def remove(self, request: Request) -> Answer:
        """Delete one backup; files that another one needs stay."""
        backup_id = _read_backup_id(request.query)
        collected = await self._in_turn(lambda: delete_backup(self._directory, backup_id))
        for why in collected.kept_because:
            structlog.get_logger().warning("files of a deleted backup are kept", why=why)
        structlog.get_logger().info("backup deleted", id=backup_id)
        return Answer(204)

    async def _in_turn(self, work: Callable[[], _T]) -> _T:
        if self._waiting > self._limits.waiting_backups:
            raise BusyError(
                f"{self._limits.waiting_backups} backup calls wait already",
                hint="wait for the one that runs",
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _read_backup_id(query: bytes) -> int:
    """Return `backupID` of a query; missing, empty, twice or not a number is a `MalformedError`."""
    text = read_query(query, "backupID").get("backupID")
    if not text:
        raise MalformedError(
            "the query names no backup", hint="write /backup?backupID=<n>, an id of GET /backups"
        )
    return parse_number(text, "backupID")


def _entry(backup: BackupInfo) -> wire.BackupEntry:
    return wire.BackupEntry(
        id=backup.id,
        timestamp_s=backup.created_s,
        size_bytes=backup.size_bytes,
        num_files=backup.num_files,
        metadata=backup.version_text,
        problem=backup.problem,
    )
