"""How much is said on standard error, and in which form.

Client commands use the standard library alone (structlog takes longer than a whole `client add`).
Programs that stay (`server start`, `dev`) write through structlog: text on a terminal, one JSON
object a line otherwise. Levels as in QED: off, fatal, error, warn, info, debug, trace.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, TextIO

LEVEL_NUMBERS = {
    "off": 100,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": 5,
}
_TRACE = LEVEL_NUMBERS["trace"]


def configure(level: str) -> None:
    """Send what libraries and commands log at this level or above to standard error, as text."""
    _configure_standard(LEVEL_NUMBERS[level], _TextFormatter())


def configure_service(level: str) -> None:
    """Configure structlog for a program that stays, and the standard library likewise."""
    import structlog  # noqa: PLC0415 - 180 ms, and not part of a plain install

    number = LEVEL_NUMBERS[level]
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=plain))
        _configure_standard(number, _TextFormatter())
    else:
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
        _configure_standard(number, _JsonFormatter())
    if level == "off":
        processors = [_drop]
    filtered = structlog.make_filtering_bound_logger(
        min(max(number, logging.DEBUG), logging.CRITICAL)
    )
    structlog.configure(
        processors=processors,
        wrapper_class=filtered,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _drop(*_: Any) -> Any:
    """Let nothing through: structlog knows no level above fatal."""
    from structlog import DropEvent  # noqa: PLC0415 - as above

    raise DropEvent


def _configure_standard(number: int, formatter: logging.Formatter) -> None:
    logging.addLevelName(_TRACE, "TRACE")
    handler = _Handler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other, _Handler)]
    root.addHandler(handler)
    # A library's debug lines are noise unless everything is asked for.
    logging.getLogger("qed").setLevel(number)
    root.setLevel(number if number == _TRACE else max(number, logging.WARNING))


class _Handler(logging.StreamHandler[TextIO]):
    """The one handler that is replaced when logging is configured again."""


class _TextFormatter(logging.Formatter):
    """One line a record: level, then the message."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _JsonFormatter(logging.Formatter):
    """One object a line, with structlog's names of fields."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        fields = {"event": record.getMessage(), "level": record.levelname.lower()}
        fields |= {"logger": record.name, "timestamp": stamp}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)
