"""What an agent says when a check fails: kinds that never change, evidence, a rule against floods.

`Alerts.tell` returns after the alert is durable for every notifier (`outbox`), so an agent that
moves its position on afterwards has either told of what it found or will find it again. Who is
told, and how, stands in `notifiers`; that one of them is down holds up nobody.

Floods: of one kind about one subject at most one alert in ten minutes is told, and the log has a
line for it; those held back in between are counted, and the next one says how many. How many are
delivered an hour in all is bounded too (`outbox`), the most urgent kinds first, and what is above
waits for its turn.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

SAME_AGAIN_S = 600.0
_MAX_SUBJECTS = 1000

# Kind -> what to do next. Most urgent first: that is the order of delivery. A kind is never renamed
# or given another meaning; docs/agents.md has the same table, and a test compares.
KINDS = {
    "equivocation": "stop trusting this log: its key signed two histories. Keep the evidence,"
    " show it to others with `qed verify`, and find out who holds the key",
    "replay": "stop trusting this log: it signed roots that its own events do not lead to. Keep"
    " the evidence and show it to others with `qed verify`",
    "absence": "stop trusting this log: its map lacks an event that it signed. Keep the evidence"
    " and show it to others with `qed verify`",
    "signature": "treat this server as somebody else's: what it serves is not signed by the pinned"
    " key. Check its address and who changed the key; pin another only when you know why",
    "rollback": "ask the operator whether the log was restored from a backup; until that is"
    " explained, what was added since may be lost",
    "answer": "do not believe this server's answers: one does not follow from what it signed. Keep"
    " the evidence and run `qed check` on its database",
    "snapshot": "do not believe this store: it serves a snapshot that was never signed. Compare it"
    " with another store and look at its disk",
    "feed": "do not believe this address: what it serves does not belong to the checkpoint it"
    " serves. Run `qed check` on the database behind it",
    "store-conflict": "compare the two histories that the store keeps (GET /evidence): one of them"
    " is not the log's",
    "store-lost": "find out why the store lost what it had; it is being filled again from the"
    " server meanwhile",
    "store-refused": "read the store's reason; until it takes batches again it falls behind",
    "stalled": "look at the server's log: it takes events and publishes nothing, so nobody can"
    " prove that they are there",
    "silence": "see whether the process runs and can be reached: nobody watches what is not served",
    "lag": "see why it falls behind: for a store its disk and the publisher's log and metrics, for"
    " a server its own log",
}

# What the log's own signature is under, and what was false although nobody signed it.
SIGNED_KINDS = ("equivocation", "absence", "replay")
FALSE_KINDS = ("rollback", "signature", "answer", "snapshot", "feed", "store-conflict")


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that somebody must look at.

    `subject` is the address or the log it is about, `text` what was found in one sentence,
    `evidence` the file that shows it, where there is one.
    """

    kind: str
    subject: str
    text: str
    evidence: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a kind that is not in the table: nobody could look it up."""
        if self.kind not in KINDS:
            raise AssertionError(f"no such kind of alert: {self.kind}")

    @property
    def next_step(self) -> str:
        """What to do next."""
        return KINDS[self.kind]


class Mailbox(Protocol):
    """Where alerts wait for one notifier."""

    def put(self, alert: Alert, told_s: float) -> None:
        """Keep an alert durably until it is delivered."""


class Alerts:
    """What tells of a failed check; used from any thread of the agent."""

    def __init__(
        self, mailboxes: Sequence[Mailbox], *, clock: Callable[[], float] = time.time
    ) -> None:
        """Tell into these mailboxes; `clock` returns unix seconds."""
        self.raised: Counter[str] = Counter()  # by kind, those held back too
        self.held_back: Counter[str] = Counter()  # by kind
        self._mailboxes = mailboxes
        self._clock = clock
        self._lock = threading.Lock()  # guards everything here; held while mailboxes are written
        self._last_s: dict[tuple[str, str], float] = {}  # when it was told last; oldest first
        self._held: Counter[tuple[str, str]] = Counter()  # since then

    def tell(self, alert: Alert) -> bool:
        """Return whether the alert goes out, False where the rule against floods holds it back.

        What goes out is an error in the log, what is held back only for those who look: a lie that
        is repeated ten thousand times must not fill a disk. Either way it is in the metrics. When
        this returns it is durable for every notifier; `StorageError` when that fails, and then the
        caller must not move on.
        """
        with self._lock:
            self.raised[alert.kind] += 1
            now_s, which = self._clock(), (alert.kind, alert.subject)
            last_s = self._last_s.get(which)
            if last_s is not None and 0 <= now_s - last_s < SAME_AGAIN_S:
                self.held_back[alert.kind] += 1
                self._held[which] += 1
                _log(structlog.get_logger().debug, "alert held back", alert)
                return False
            told = self._with_count(alert, last_s, now_s)
            _log(structlog.get_logger().error, "alert", told)  # a disk that is full hides nothing
            for mailbox in self._mailboxes:
                mailbox.put(told, now_s)
            # Stop here: it is told again after the next start, when the check fails again.
            self._last_s.pop(which, None)
            self._last_s[which] = now_s
            self._held.pop(which, None)
            if len(self._last_s) > _MAX_SUBJECTS:
                oldest = next(iter(self._last_s))
                del self._last_s[oldest]
                self._held.pop(oldest, None)
            return True

    def is_held_back(self, kind: str, subject: str) -> bool:
        """Return whether one more such alert would be held back."""
        with self._lock:
            last_s = self._last_s.get((kind, subject))
            return last_s is not None and 0 <= self._clock() - last_s < SAME_AGAIN_S

    def _with_count(self, alert: Alert, last_s: float | None, now_s: float) -> Alert:
        held = self._held[(alert.kind, alert.subject)]
        if not held or last_s is None:
            return alert
        minutes = max(1, round((now_s - last_s) / 60))
        return replace(alert, text=f"{alert.text} ({held} more like it in {minutes} minutes)")


def _log(say: Callable[..., object], event: str, alert: Alert) -> None:
    say(
        event,
        kind=alert.kind,
        subject=alert.subject,
        text=alert.text,
        evidence=str(alert.evidence or ""),
        next_step=alert.next_step,
    )
