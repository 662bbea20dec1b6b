from pathlib import Path

import pytest

from qed.backup.directory_lock import lock_backups
from qed.errors import LockedError


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_writer_works_alone(tmp_path: Path, *, first: bool, second: bool) -> None:
    with lock_backups(tmp_path, exclusive=first):
        lock = lock_backups(tmp_path, exclusive=second)
        with pytest.raises(LockedError, match="is going on in") as caught:
            lock.__enter__()

        assert caught.value.hint == "wait until it has finished, then do it again"


def test_restores_work_together_and_leave_nothing(tmp_path: Path) -> None:
    with lock_backups(tmp_path, exclusive=False), lock_backups(tmp_path, exclusive=False):
        pass

    with lock_backups(tmp_path, exclusive=True):
        assert list(tmp_path.iterdir()) == []


def test_a_refusal_inside_the_block_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(LockedError, match="another"), lock_backups(tmp_path, exclusive=True):
        raise LockedError("another thing is locked")
