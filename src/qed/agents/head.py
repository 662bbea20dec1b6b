"""The newest checkpoint that was verified, handed from the one who reads the feed to the others."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from qed.signing.checkpoint import SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Shown(SignedCheckpoint):
    """A verified checkpoint, and the address that served it."""

    place: str


class Head:
    """What is known to be published; one thread shows it, any number wait for more."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._changed = threading.Condition()  # guards both
        self._newest: Shown | None = None
        self._closed = False

    @property
    def newest(self) -> Shown | None:
        """What was shown last, None before the first."""
        return self._newest

    @property
    def closed(self) -> bool:
        """Whether nothing more will be shown."""
        return self._closed

    def show(self, shown: Shown) -> None:
        """Show a checkpoint, which never is of fewer leaves than the one before."""
        with self._changed:
            self._newest = shown
            self._changed.notify_all()

    def close(self) -> None:
        """Say that nothing more will be shown."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_beyond(self, size: int, wait_s: float) -> Shown | None:
        """Return a checkpoint of more leaves than `size`, None when there is none in time."""

        def beyond() -> Shown | None:
            newest = self._newest
            return newest if newest is not None and newest.size > size else None

        with self._changed:
            self._changed.wait_for(lambda: beyond() is not None or self._closed, wait_s)
            return beyond()
