"""Whose files a restore leaves: the database owner's, also when root restores."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from qed import durable


def give_to_owner(paths: Iterable[Path], like: Path) -> None:
    """Give files to the owner of another, where this process may; else leave them as they are.

    An operator restores as root; the server that opens the result often runs as somebody else.
    """
    if os.geteuid() != 0:
        return
    with durable.storage_errors("look at the owner of", like):
        wanted = like.stat()
    for path in paths:
        with durable.storage_errors("change the owner of", path):
            os.chown(path, wanted.st_uid, wanted.st_gid, follow_symlinks=False)
