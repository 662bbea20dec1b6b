"""What an agent trusts, on disk: the log's pinned key, and the newest checkpoint verified under it.

The key is what `--key` says, or else what the first server that answers says of itself (trust on
first use: said once, and written down). Afterwards it is the one in the file, and a server with
another is an alert, not a change. The checkpoint is written after the checks that it passed, once a
second at most and at the end: what a kill loses of it is verified again, against an older one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from qed.client import pins
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.signing.note import VerifierKey, format_verifier_key

WRITE_EVERY_S = 1.0


class Trust:
    """One log's pin; used by all works of an agent, from their threads."""

    def __init__(
        self,
        path: Path,
        key: VerifierKey | None = None,
        announce: Callable[[str], None] = lambda _text: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file, if it is there.

        Raises:
            MalformedError: it is damaged.
            VerificationError: it pins another key than `key`.
        """
        self._path = path
        self._announce = announce
        self._clock = clock
        self._lock = threading.Lock()  # guards all below, and the file
        self._written_s = clock() - WRITE_EVERY_S
        self._unwritten = False  # whether something newer than the file is trusted
        self._trusted = pins.read_trusted(path, key)

    def open(self, source: Source) -> Trusted:
        """Return the newest that is trusted, for the caller alone; the first call may pin the key.

        Raises:
            VerificationError: there is no pin, and what the server says is no key.
            QedError: there is no pin, and the server does not answer.
        """
        with self._lock:
            if self._trusted is None:
                self._trusted = pins.open_first(
                    self._path,
                    None,
                    lambda: pins.ask_key(source),
                    lambda key: self._announce(
                        f"trusting {source.name} on first use: its key"
                        f" {format_verifier_key(key)} is pinned in {self._path}"
                    ),
                )
            return Trusted(self._trusted.key, self._trusted.note or None)

    def keep(self, trusted: Trusted, known: bytes) -> bool:
        """Take over what was verified against the note `known`; False when it is outdated.

        It is outdated when it has grown and another work was faster: two that extend the same
        checkpoint may exclude each other, so the caller compares with the newer one first.
        """
        with self._lock:
            if trusted.note != known:
                if self._trusted is None or self._trusted.note != known:
                    return False
                self._trusted = Trusted(trusted.key, trusted.note)
                self._unwritten = True
            if self._unwritten and self._clock() - self._written_s >= WRITE_EVERY_S:
                self._write()
            return True

    def flush(self) -> None:
        """Write what is trusted and not in the file yet."""
        with self._lock:
            if self._unwritten:
                self._write()

    def _write(self) -> None:
        assert self._trusted is not None  # noqa: S101 - something unwritten is trusted
        pins.keep_pin(self._path, self._trusted)
        self._unwritten, self._written_s = False, self._clock()
