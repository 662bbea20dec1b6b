import os
from pathlib import Path

import pytest

from qed.backup.ownership import give_to_owner
from qed.errors import StorageError


def test_root_gives_files_to_the_owner_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *to, **_: given.append(to))

    give_to_owner([tmp_path / "a", tmp_path / "b"], tmp_path)

    found = tmp_path.stat()
    assert given == [(tmp_path / name, found.st_uid, found.st_gid) for name in "ab"]


def test_anybody_else_leaves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "chown", lambda *_: pytest.fail("was changed"))

    give_to_owner([tmp_path / "a"], tmp_path)


def test_a_refusal_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with pytest.raises(StorageError, match=r"owner of .*gone"):
        give_to_owner([tmp_path / "gone"], tmp_path)
