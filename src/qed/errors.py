"""The one tree of errors, sorted by what the caller can do about them.

```
QedError
├── RequestError        fix the call and make it again
│   ├── MalformedError      the bytes do not parse, or a value is outside its type
│   ├── TooLargeError       the request is above a limit
│   ├── NotFoundError       what the call names does not exist
│   ├── ConflictError       the call is right, what it names is in another state
│   ├── NotProvenError      the log holds no proof of what was asked (QED's 412)
│   └── NewerFormatError    a later version of this program wrote it
├── UnavailableError    make the same call again later
│   ├── BusyError           a queue or a table of connections is full
│   ├── LockedError         another process holds the database or the directory
│   ├── StoppingError       the server is going down
│   ├── UnreachableError    nobody answered in time
│   └── NotPublishedError   no published checkpoint covers it yet
├── VerificationError   stop trusting: somebody else's claim is false
│   └── ContradictionError  two claims that were signed exclude each other
└── FatalError          stop this process: our own disk contradicts itself, or failed
    ├── DamagedError        rows or files that contradict their neighbours or checksums
    └── StorageError        the system refused a read, a write or a sync
```

Each carries a sentence that says what and where, a `hint` that says what to do next and may be
empty, and a `code` that never changes (`--json`, problem documents). A bug is not in the tree: it
is an `AssertionError`. Statuses and exit codes are tables over this tree (`web/statuses.py`,
`cli/exit_codes.py`).
"""

from __future__ import annotations

from typing import ClassVar


class QedError(Exception):
    """Base of the tree; never raised itself."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep one sentence for a person and, when there is one, the next thing to do."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class RequestError(QedError):
    """The call cannot be answered as it was made."""

    code = "request"


class MalformedError(RequestError):
    """The bytes of the call do not parse, or a value lies outside its type."""

    code = "malformed"


class TooLargeError(RequestError):
    """The call is above a limit; nothing of it was done."""

    code = "too-large"


class NotFoundError(RequestError):
    """What the call names does not exist."""

    code = "not-found"


class ConflictError(RequestError):
    """The call is well formed, but what it names is not in the state that it needs."""

    code = "conflict"


class NotProvenError(RequestError):
    """No proof exists for what was asked; this never means that an event is absent."""

    code = "not-proven"


class NewerFormatError(RequestError):
    """A later version of this program wrote the data; this one leaves it alone."""

    code = "newer-format"


class UnavailableError(QedError):
    """The same call may succeed later."""

    code = "unavailable"


class BusyError(UnavailableError):
    """A bounded queue is full; nothing of the call was done."""

    code = "busy"


class LockedError(UnavailableError):
    """Another process holds the database or the directory."""

    code = "locked"


class StoppingError(UnavailableError):
    """The server is going down and takes nothing new."""

    code = "stopping"


class UnreachableError(UnavailableError):
    """Nobody answered, or not in time; for an add, whether it happened is unknown."""

    code = "unreachable"


class NotPublishedError(UnavailableError):
    """What was asked for is not under a published checkpoint yet."""

    code = "not-published"


class VerificationError(QedError):
    """A claim that was checked is false; `step` names the check that failed."""

    code = "verification"

    def __init__(self, message: str, *, step: str = "", hint: str = "") -> None:
        """Keep the name of the check that failed beside the sentence."""
        super().__init__(message, hint=hint)
        self.step = step


class ContradictionError(VerificationError):
    """Two claims exclude each other although both are signed, or one excludes a known checkpoint.

    `evidence` is the file that shows it to anybody else (`client/evidence.py`), `b""` where the
    claims at hand do not.
    """

    code = "contradiction"

    def __init__(
        self, message: str, *, step: str = "", hint: str = "", evidence: bytes = b""
    ) -> None:
        """Keep what shows the contradiction beside the sentence."""
        super().__init__(message, step=step, hint=hint)
        self.evidence = evidence


class FatalError(QedError):
    """The process must stop and the log be opened again."""

    code = "fatal"


class DamagedError(FatalError):
    """Rows or files contradict their neighbours or their checksums."""

    code = "damaged"


class StorageError(FatalError):
    """The system refused a read, a write or a sync; `errno` is the system's number or None."""

    code = "storage"

    def __init__(self, message: str, *, errno: int | None = None, hint: str = "") -> None:
        """Keep the system's error number, so that a full disk can be told apart."""
        super().__init__(message, hint=hint)
        self.errno = errno
