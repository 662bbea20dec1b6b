"""Where things lie when nobody says where: below `$XDG_DATA_HOME/qed`."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """Return the directory of this user's data of qed.

    Source: XDG Base Directory specification: a relative or empty value counts as not set.
    """
    said = os.environ.get("XDG_DATA_HOME", "")
    base = Path(said) if said.startswith("/") else Path.home() / ".local" / "share"
    return base / "qed"


def default_db_path() -> Path:
    """Return the database of `qed server start` without `--db-path`."""
    return data_home() / "db"


def default_pin_path(endpoint: str) -> Path:
    """Return the pin of the log that is served at an endpoint, without `--pin`."""
    from qed.client.pins import pin_name  # noqa: PLC0415 - only commands that verify signatures

    return data_home() / "pins" / pin_name(endpoint)


def evidence_directory() -> Path:
    """Return where client commands keep what shows a contradiction."""
    return data_home() / "evidence"


def default_dev_path() -> Path:
    """Return the directory of `qed dev` without `--path`."""
    return data_home() / "dev"


def default_store_path() -> Path:
    """Return the database of `qed store start` without `--db-path`."""
    return data_home() / "store"


def default_state_path(role: str) -> Path:
    """Return the directory of an agent without `--state-path`."""
    return data_home() / "agents" / role
