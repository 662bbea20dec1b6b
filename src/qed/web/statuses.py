"""The one table from errors to HTTP statuses; a test proves it total over the tree of errors.

What a person must read is a 4xx, since QED's own client drops the body of a 5xx. A 503 says that
nothing was done and the same call may succeed later; it carries `Retry-After`.
"""

from __future__ import annotations

from qed import errors

STATUSES: dict[type[errors.QedError], int] = {
    errors.RequestError: 400,
    errors.MalformedError: 400,
    errors.TooLargeError: 413,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.NotProvenError: 412,
    errors.NewerFormatError: 409,
    errors.UnavailableError: 503,
    errors.BusyError: 503,
    errors.LockedError: 503,
    errors.StoppingError: 503,
    errors.UnreachableError: 503,
    errors.NotPublishedError: 503,
    errors.VerificationError: 422,
    errors.ContradictionError: 409,
    errors.FatalError: 500,
    errors.DamagedError: 500,
    errors.StorageError: 500,
}

RETRY_AFTER_S: dict[type[errors.QedError], int] = {
    errors.BusyError: 1,
    errors.LockedError: 5,
    errors.StoppingError: 5,
}
_RETRY_AFTER_OTHER_S = 5


def status_of(error: errors.QedError) -> int:
    """Return the status of an error: its own row of the table, or its nearest ancestor's."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    raise AssertionError(f"{type(error).__name__} has no status")


def retry_after_s(error: errors.QedError) -> int | None:
    """Return after how many seconds the same call may be made again, None for "do not"."""
    if not isinstance(error, errors.UnavailableError):
        return None
    return RETRY_AFTER_S.get(type(error), _RETRY_AFTER_OTHER_S)
