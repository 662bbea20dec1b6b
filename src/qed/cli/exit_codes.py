"""Exit codes: one table over the tree of errors, read by scripts and never renumbered.

The tens say what can be done: 1x fix the call, 2x try again later, 3x stop trusting, 4x stop and
look at the machine. A branch without a row of its own takes its parent's. `docs/command-line.md`
shows the same table, and a test compares the two.
"""

from __future__ import annotations

import click

from qed import errors

DONE = 0
OUTPUT_CLOSED = 1  # nobody reads standard output any more (`qed ... | head -1`)
USAGE = 2
BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it

EXIT_CODES: dict[type[errors.QedError], int] = {
    errors.RequestError: 10,
    errors.MalformedError: 11,
    errors.TooLargeError: 12,
    errors.NotFoundError: 13,
    errors.ConflictError: 14,
    errors.NotProvenError: 15,
    errors.NewerFormatError: 16,
    errors.UnavailableError: 20,
    errors.BusyError: 21,
    errors.LockedError: 22,
    errors.StoppingError: 23,
    errors.UnreachableError: 24,
    errors.NotPublishedError: 25,
    errors.VerificationError: 30,
    errors.ContradictionError: 31,
    errors.FatalError: 40,
    errors.DamagedError: 41,
    errors.StorageError: 42,
}


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error; whatever is not in the tree is a bug."""
    if isinstance(error, click.ClickException):
        return USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    for branch in type(error).__mro__:
        if branch in EXIT_CODES:
            return EXIT_CODES[branch]
    return BUG
