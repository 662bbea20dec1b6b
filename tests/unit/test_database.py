import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rocksdict

from qed import database as subject
from qed.database import SCAN_ROWS, Database, holds_engine_files, lock_owner
from qed.errors import ConflictError, DamagedError, LockedError, NotFoundError, StorageError

FAMILIES = ("default", "log", "ends")
OF_A_STORE = ("default", "leaves", "notes")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "db").mkdir()
    return tmp_path / "db"


@pytest.fixture
def database(directory: Path) -> Iterator[Database]:
    with contextlib.closing(Database.create(directory, FAMILIES)) as database:
        yield database


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_rows_come_back_by_key_and_in_order(database) -> None:
    database.commit([("log", b"b", b"2"), ("log", b"a", b"1"), ("ends", b"a", b"other")])
    assert database.get("log", [b"b", b"missing", b"a"]) == [b"2", None, b"1"]
    assert database.get("log", []) == []
    assert list(database.scan("log", b"")) == [(b"a", b"1"), (b"b", b"2")]
    assert list(database.scan("log", b"a\x00")) == [(b"b", b"2")]
    assert list(database.scan("log", b"", b"b")) == [(b"a", b"1")]
    assert list(database.scan("default", b"")) == []


def test_a_scan_crosses_its_portions(database) -> None:
    count = 2 * SCAN_ROWS + 1
    database.commit([("log", n.to_bytes(2, "big"), b"") for n in range(count)])
    assert [int.from_bytes(k, "big") for k, _ in database.scan("log", b"")] == list(range(count))


def test_the_last_row_at_or_before_a_key(database) -> None:
    assert database.last("log", b"z") is None
    database.commit([("log", b"b", b"2"), ("log", b"d", b"4"), ("ends", b"a", b"other")])
    for flushed in (False, True):
        assert database.last("log", b"a") is None
        assert database.last("log", b"b") == (b"b", b"2")
        assert database.last("log", b"c") == (b"b", b"2")
        assert database.last("log", b"z") == (b"d", b"4")
        if not flushed:
            database.flush()


def test_rows_are_there_after_reopening(database, directory) -> None:
    database.commit([("log", b"k", b"v")])
    number = database.sequence_number()
    database.close()
    database.close()
    with contextlib.closing(Database.open(directory, FAMILIES)) as again:
        assert again.get("log", [b"k"]) == [b"v"]
        assert again.sequence_number() >= number > 0


def test_a_commit_is_one_batch_and_then_synced(database) -> None:
    calls: list[str] = []

    class Spy:
        def write(self, batch: rocksdict.WriteBatch) -> None:
            calls.append(f"write {len(batch)}")

        def flush_wal(self, *, sync: bool) -> None:
            calls.append(f"flush {sync}")

    library, database._rdict = database._rdict, Spy()
    try:
        database.commit([("log", b"a", b"1"), ("ends", b"a", b"2"), ("default", b"head", b"3")])
    finally:
        database._rdict = library
    assert calls == ["write 3", "flush True"]


def test_a_closed_database_says_so(database, directory) -> None:
    database.close()
    for call in (
        lambda: database.get("log", [b"k"]),
        lambda: database.commit([("log", b"k", b"v")]),
        lambda: database.checkpoint(directory.with_name("copy")),
    ):
        with pytest.raises(StorageError, match="the database is closed"):
            call()


def test_open_creates_nothing(tmp_path, directory) -> None:
    for path in (tmp_path / "missing", directory):
        with pytest.raises(NotFoundError, match="there is no database"):
            Database.open(path, FAMILIES)
    assert names(tmp_path) == {"db"}
    assert names(directory) == set()
    assert not holds_engine_files(directory)


def test_create_refuses_a_database_with_a_row(database, directory) -> None:
    database.commit([("log", b"k", b"v")])
    database.close()
    with pytest.raises(ConflictError, match="holds a database already"):
        Database.create(directory, FAMILIES)
    with contextlib.closing(Database.open(directory, FAMILIES)) as again:
        assert again.get("log", [b"k"]) == [b"v"]


@pytest.mark.parametrize("families", [("default",), ("default", "log"), FAMILIES])
def test_create_takes_over_what_has_no_row(directory, families) -> None:
    Database.create(directory, families).close()
    assert holds_engine_files(directory)
    for read_only in (True, False):
        with pytest.raises(NotFoundError, match="interrupted"):
            Database.open(directory, FAMILIES, read_only=read_only)
    with contextlib.closing(Database.create(directory, FAMILIES)) as database:
        database.commit([("ends", b"k", b"v")])


def test_another_programs_database_is_left_alone(directory) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_missing_column_families(create_missing_cfs=True)
    foreign = {"hyper": rocksdict.Options(raw_mode=True)}
    rocksdict.Rdict(str(directory), options, column_families=foreign).close()
    with pytest.raises(ConflictError, match="holds a database already"):
        Database.create(directory, FAMILIES)
    with pytest.raises(ConflictError, match="another database than the one looked for"):
        Database.open(directory, FAMILIES)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_of_another_kind_is_not_called_damaged(directory, read_only) -> None:
    """A hint to restore a backup over a snapshot store would destroy it."""
    with contextlib.closing(Database.create(directory, OF_A_STORE)) as store:
        store.commit([("leaves", b"k", b"v")])
    with pytest.raises(ConflictError, match=r"another database .*: leaves, notes") as refused:
        Database.open(directory, FAMILIES, read_only=read_only)
    assert "qed store check" in refused.value.hint
    assert "restore" not in refused.value.hint
    Database.open(directory, OF_A_STORE).close()


def test_tables_without_current_are_damage_and_no_room_for_a_new_one(database, directory) -> None:
    database.commit([("log", b"k", b"v")])
    database.close()
    (directory / "CURRENT").unlink()
    before = names(directory)
    with pytest.raises(DamagedError, match="no file CURRENT"):
        Database.open(directory, FAMILIES)
    with pytest.raises((ConflictError, DamagedError)):
        Database.create(directory, FAMILIES)
    assert {name for name in before if name.endswith(".sst")} <= names(directory)


@pytest.mark.parametrize("victim", ["MANIFEST-*", "*.sst", "CURRENT"])
def test_missing_and_cut_files_are_damage(database, directory, victim) -> None:
    database.commit([("log", b"k", b"v" * 100)])
    database.close()
    (path,) = directory.glob(victim)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedError) as cut:
        Database.open(directory, FAMILIES)
    assert "qed restore" in cut.value.hint
    path.unlink()
    with pytest.raises(DamagedError):
        Database.open(directory, FAMILIES)


def test_a_second_opening_in_one_process_is_refused_and_harmless(database, directory) -> None:
    database.commit([("log", b"k", b"v")])
    with pytest.raises(LockedError, match="open in this process"):
        Database.open(directory, FAMILIES)
    assert lock_owner(directory) == os.getpid()
    assert ask_another_process(directory) == f"locked {os.getpid()}", "the lock was not dropped"


def test_a_second_process_is_told_the_first_ones_number(database, directory) -> None:
    database.commit([("log", b"k", b"v")])
    assert ask_another_process(directory) == f"locked {os.getpid()}"
    database.close()
    assert lock_owner(directory) is None
    assert lock_owner(directory / "missing") is None
    assert ask_another_process(directory) == "opened"


def ask_another_process(directory: Path) -> str:
    code = """
import sys
from pathlib import Path
from qed.database import Database, lock_owner
from qed.errors import LockedError
try:
    Database.open(Path(sys.argv[1]), sys.argv[2:]).close()
    print("opened")
except LockedError as error:
    assert f"(pid {lock_owner(Path(sys.argv[1]))})" in error.message, error.message
    print("locked", lock_owner(Path(sys.argv[1])))
"""
    command = [sys.executable, "-c", code, str(directory), *FAMILIES]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_checkpoint_holds_every_row_in_its_tables(database, tmp_path) -> None:
    database.commit([("log", b"a", b"1"), ("ends", b"a", b"2")])
    copy = tmp_path / "copy"
    database.checkpoint(copy)
    database.commit([("log", b"b", b"later")])
    assert all(path.stat().st_size == 0 for path in copy.glob("*.log"))
    for path in copy.glob("*.log"):
        path.unlink()
    with contextlib.closing(Database.open(copy, FAMILIES, read_only=True)) as reader:
        assert list(reader.scan("log", b"")) == [(b"a", b"1")]
        assert reader.get("ends", [b"a"]) == [b"2"]
        with pytest.raises(StorageError, match="read only"):
            reader.flush()
    with pytest.raises(ConflictError, match="exists already"):
        database.checkpoint(copy)


@pytest.mark.parametrize(
    ("text", "number", "hint"),
    [
        ("IO error: No space left on device: While appending to file: /db/7.log", None, ""),
        (
            "IO error: While appending to file: /db/7.log: No space left on device",
            errno.ENOSPC,
            "free",
        ),
        ("IO error: While fdatasync: /db/7.log: Input/output error", errno.EIO, ""),
        ("IO error: While open a file: /db/7.log: Permission denied", errno.EACCES, "owner"),
        ("Busy: something", None, ""),
    ],
)
def test_a_refusal_of_the_system_keeps_its_number(text, number, hint) -> None:
    error = subject._named_error("write", Path("/db"), text)
    assert isinstance(error, StorageError)
    assert error.errno == number
    assert hint in error.hint
    assert error.message == f"cannot write /db: {text}"


def test_mistakes_in_our_own_calls_stay_what_they_are(database) -> None:
    with pytest.raises(KeyError):
        database.get("nope", [b"k"])
    with pytest.raises(KeyError):
        database.commit([("nope", b"k", b"v")])
