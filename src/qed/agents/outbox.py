"""Alerts on their way to one notifier: a file each, removed once it is delivered.

The names sort by urgency, then by age, and that is the order of delivery. An alert is delivered at
least once: a process that is killed between the delivery and the removal delivers it again. Each
notifier has an outbox and a thread of its own, so one that is down holds up only itself.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from qed import durable
from qed.agents.alerts import KINDS, Alert
from qed.agents.backoff import BackOff
from qed.agents.positions import PositionFile
from qed.errors import NotFoundError, QedError, RequestError, UnavailableError

FORMAT = "qed/alert/v1"
HOURLY = 60
CLOSE_S = 10.0  # for a notifier that does not answer, at a stop
_HOUR_S = 3600.0
_MAX_WAITING = 1000
_MAX_FILE_BYTES = 64 * 1024
_MAX_TEXT_CHARS = 4000
_URGENCY = {kind: number for number, kind in enumerate(KINDS)}


class Notifier(Protocol):
    """Somebody who is told of alerts."""

    @property
    def name(self) -> str:
        """What messages call it: its address."""

    def deliver(self, alert: Alert, told_s: float) -> None:
        """Tell it of one alert, raised at a unix time.

        `RequestError` when it refuses this alert, `UnavailableError` when it takes none now.
        """


class Outbox:
    """What waits for one notifier, and the thread that delivers it."""

    def __init__(
        self,
        directory: Path,
        notifier: Notifier,
        *,
        clock: Callable[[], float] = time.time,
        back_off: BackOff | None = None,
    ) -> None:
        """Take over what an earlier process left; `start` begins to deliver."""
        durable.make_directory(directory)
        self.notifier = notifier
        self._directory = directory
        self._clock = clock
        self._back_off = back_off or BackOff()
        self._sent_file = PositionFile(directory / "sent")
        self._sent_s = self._read_sent()  # the thread's: when the last ones were delivered
        self._lock = threading.Lock()  # guards the two below
        self._names = sorted(
            path.name for path in durable.list_directory(directory) if path.suffix == ".json"
        )
        self._number = 0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    @property
    def waiting(self) -> int:
        """How many alerts are not delivered yet."""
        return len(self._names)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def begin_to_close(self) -> None:
        """Let the thread try once more to deliver what waits, and end."""
        self._closing = True
        self._wake.set()

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Wait for that; what is left is for the next start."""
        self.begin_to_close()
        if self._thread.ident is not None:
            self._thread.join(wait_s)
        if self._names:
            structlog.get_logger().warning(
                "alerts wait for the next start", notifier=self.notifier.name, alerts=self.waiting
            )

    def put(self, alert: Alert, told_s: float) -> None:
        """Keep an alert durably until it is delivered; `StorageError` when that fails.

        With 1,000 waiting already the least urgent, newest one is dropped, and that is said.
        """
        with self._lock:
            self._number += 1
            stem = f"{_URGENCY[alert.kind]:02d}-{int(told_s * 1e6):017d}-{self._number:06d}"
            name = f"{stem}.json"
            durable.write_file(self._directory / name, encode_alert(alert, told_s))
            self._names = sorted([*self._names, name])
            dropped = self._names[_MAX_WAITING:]
            self._names = self._names[:_MAX_WAITING]
        for one in dropped:
            durable.remove_file(self._directory / one)
            structlog.get_logger().error(
                "alert dropped: too many wait", notifier=self.notifier.name, waiting=_MAX_WAITING
            )
        self._wake.set()

    def deliver_pending(self) -> float | None:
        """Deliver what may be delivered now; return how long to rest, None when nothing waits.

        An alert that is refused does not hold up the next one; a notifier that is down does.
        """
        rest_s: float | None = None
        for name in list(self._names):
            allowed_s = self._until_allowed()
            if allowed_s > 0:
                return allowed_s
            try:
                if not self._deliver(name):
                    continue
            except RequestError as error:
                self._say_failed(error)
                rest_s = self._back_off.next_s()
                continue
            except QedError as error:
                self._say_failed(error)
                return self._back_off.next_s()
            self._back_off.reset()
        return rest_s

    def _deliver(self, name: str) -> bool:
        """Deliver one file and remove it; False when there is nothing to deliver in it."""
        path = self._directory / name
        try:
            alert, told_s = decode_alert(durable.read_file(path, _MAX_FILE_BYTES))
        except NotFoundError:
            self._forget(name)
            return False
        except ValueError:
            structlog.get_logger().error("alert file is damaged: put aside", path=str(path))
            durable.rename(path, path.with_suffix(".damaged"))
            self._forget(name)
            return False
        now_s = self._clock()
        self._sent_s = [*self._sent_s, now_s][-HOURLY:]
        self._sent_file.write({"Sent": " ".join(f"{sent_s:.3f}" for sent_s in self._sent_s)})
        try:
            self.notifier.deliver(alert, told_s)
        except UnavailableError:
            self._sent_s = self._sent_s[:-1]  # nobody was told, so it is none of the hour's
            raise
        # Stop here: it is delivered again after the next start.
        durable.remove_file(path)
        self._forget(name)
        return True

    def _forget(self, name: str) -> None:
        with self._lock:
            self._names = [other for other in self._names if other != name]

    def _until_allowed(self) -> float:
        """Return how long the bound an hour keeps the next alert back, 0 when it does not."""
        now_s = self._clock()
        recent = [sent_s for sent_s in self._sent_s if 0 <= now_s - sent_s < _HOUR_S]
        return 0.0 if len(recent) < HOURLY else _HOUR_S - (now_s - recent[0])

    def _read_sent(self) -> list[float]:
        fields = self._sent_file.read()
        return [] if fields is None else [float(word) for word in str(fields["Sent"]).split()]

    def _say_failed(self, error: QedError) -> None:
        structlog.get_logger().warning(
            "alert not delivered, trying again",
            notifier=self.notifier.name,
            why=error.message,
            waiting=self.waiting,
        )

    def _run(self) -> None:
        while True:
            self._wake.clear()
            closing = self._closing
            try:
                rest_s = self.deliver_pending()
            except Exception:  # noqa: BLE001 - without the thread nobody would be told any more
                structlog.get_logger().exception("bug in the delivery of alerts")
                rest_s = self._back_off.next_s()
            if closing:
                return
            self._wake.wait(rest_s)


def encode_alert(alert: Alert, told_s: float) -> bytes:
    """Return the file of one alert."""
    fields = {
        "Format": FORMAT,
        "Kind": alert.kind,
        "Subject": alert.subject[:_MAX_TEXT_CHARS],
        "Text": alert.text[:_MAX_TEXT_CHARS],
        "Evidence": str(alert.evidence or ""),
        "When": told_s,
    }
    return json.dumps(fields).encode() + b"\n"


def decode_alert(data: bytes) -> tuple[Alert, float]:
    """Return the alert of a file, and when it was raised; ValueError for anything else."""
    fields = json.loads(data)
    if not isinstance(fields, dict) or fields.get("Format") != FORMAT:
        raise ValueError("not an alert")
    try:
        kind, subject, text = (str(fields[name]) for name in ("Kind", "Subject", "Text"))
        evidence, told_s = str(fields["Evidence"]), float(fields["When"])
    except (KeyError, TypeError) as error:
        raise ValueError("not a whole alert") from error
    if kind not in KINDS:
        raise ValueError(f"an alert of an unknown kind: {kind[:80]!r}")
    return Alert(kind, subject, text, Path(evidence) if evidence else None), told_s
