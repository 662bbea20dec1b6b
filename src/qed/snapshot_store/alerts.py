"""Alerts and evidence that a store keeps: durable, numbered, bounded, never changed or dropped.

What strangers post and what the store itself finds are counted apart, so that nobody can take away
the room for a contradiction by posting. At its bound a posted alert is refused with 503, which is
said in the log and counted; those that are there stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from qed.database import Database, Put
from qed.errors import BusyError, MalformedError, NotFoundError, TooLargeError
from qed.snapshot_store import rows
from qed.snapshot_store.rows import Alert

MAX_ALERTS = 10_000
MAX_ALERT_BYTES = 4096


class Alerts:
    """The alerts of one store. Written by whoever holds the store's writing lock."""

    def __init__(
        self,
        database: Database,
        *,
        max_alerts: int = MAX_ALERTS,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Count what is there; `max_alerts` bounds those that were posted."""
        self._database = database
        self._max_alerts = max_alerts
        self._now_s = now_s
        found = self.listed()
        self._next = found[-1].number + 1 if found else 0
        self.own = sum(alert.is_own for alert in found)
        self.posted = len(found) - self.own

    def listed(self) -> list[Alert]:
        """Return every alert, the oldest first."""
        return [rows.decode_alert(row) for row in self._database.scan(rows.ALERTS, b"")]

    def plan_posted(self, body: bytes) -> Put:
        """Return the row of an alert that somebody posted; count it with `accept` once written.

        Raises:
            MalformedError: the body is empty or not UTF-8.
            TooLargeError: it has more than 4096 bytes.
            BusyError: the store keeps as many as it may.
        """
        if len(body) > MAX_ALERT_BYTES:
            raise TooLargeError(
                f"the alert has {len(body)} bytes, more than {MAX_ALERT_BYTES}",
                hint="send a sentence, and keep the evidence in a file of its own",
            )
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError(f"the alert is not UTF-8 at byte {error.start}") from None
        if not text.strip():
            raise MalformedError("the alert is empty")
        if self.posted >= self._max_alerts:
            raise BusyError(
                f"the store keeps {self._max_alerts} posted alerts already, and drops none",
                hint="read them with `qed store alerts`, then raise --max-alerts",
            )
        return rows.encode_alert(Alert(self._next, False, int(self._now_s()), text))  # noqa: FBT003

    def plan_own(self, text: str) -> Put:
        """Return the row of an alert that the store raises itself."""
        text = text.encode()[:MAX_ALERT_BYTES].decode(errors="ignore")
        return rows.encode_alert(Alert(self._next, True, int(self._now_s()), text))  # noqa: FBT003

    def accept(self, *, own: bool) -> None:
        """Count an alert whose row is on disk."""
        self._next += 1
        self.own += own
        self.posted += not own

    def evidence_names(self) -> list[str]:
        """Return the names of the evidence files."""
        return [key.decode("ascii") for key, _ in self._database.scan(rows.EVIDENCE, b"")]

    def evidence(self, name: str) -> bytes:
        """Return an evidence file; `NotFoundError` for a name that is none."""
        key = name.encode("ascii", errors="replace")
        (value,) = self._database.get(rows.EVIDENCE, [key])
        if value is None:
            raise NotFoundError(f"there is no evidence named {name[:100]!r}")
        return value
