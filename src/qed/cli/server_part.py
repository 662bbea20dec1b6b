"""A plain install has no database: commands that need one say so, and how to get it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from qed.errors import NotFoundError

SERVER_LIBRARIES = frozenset(
    {
        "google_crc32c",
        "httptools",
        "prometheus_client",
        "rocksdict",
        "structlog",
        "uvicorn",
        "uvloop",
    }
)


@contextlib.contextmanager
def server_part() -> Iterator[None]:
    """Import what the extra `server` brings inside this block.

    A library that is missing is a NotFoundError naming it and the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in SERVER_LIBRARIES:
            raise
        raise NotFoundError(
            f"this command needs the server part of qed, and {name} is not installed",
            hint="python3 -m pip install 'qed[server]'",
        ) from error
