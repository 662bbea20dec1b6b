import contextlib
import errno
import hashlib
import shutil
import threading
from pathlib import Path

import google_crc32c
import pytest

import backup_logs
from backup_logs import add, backup, event, unchanged
from qed import durable
from qed.backup import create as creating
from qed.backup import manifest as manifests
from qed.backup import rocksdb_layout as layout
from qed.backup.create import create_backup
from qed.backup.delete import delete_backup
from qed.backup.directory_lock import lock_backups
from qed.backup.repository import list_backups, read_repository
from qed.engine.check import check
from qed.engine.log import Log
from qed.errors import ConflictError, DamagedError, LockedError, StorageError


@pytest.fixture
def log(tmp_path: Path) -> Log:
    with contextlib.closing(Log.create(tmp_path / "db", origin="example.org/log")) as log:
        add(log, 0, 2)
        yield log


def names(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_the_directory_has_the_layout_of_rocksdb(log: Log) -> None:
    info = backup(log)
    directory = log.path / "backups"

    assert {"meta", "private", "qed", "shared", "shared_checksum"} == {
        path.name for path in directory.iterdir()
    }
    assert list((directory / "shared").iterdir()) == []
    assert [path.name for path in (directory / "meta").iterdir()] == ["1"]
    private = {path.name.partition("-")[0] for path in (directory / "private" / "1").iterdir()}
    assert private == {"CURRENT", "MANIFEST", "OPTIONS"}
    assert {".sst"} == {path.suffix for path in (directory / "shared_checksum").iterdir()}
    assert (info.id, info.version_text) == (1, "1")
    assert list((log.path / "qed-checkpoints").iterdir()) == []


def test_the_manifest_says_what_the_log_was(log: Log) -> None:
    backup(log)
    add(log, 2, 4)
    backup(log)
    directory = log.path / "backups"
    first, second = (
        manifests.decode_manifest((directory / "qed" / "manifests" / f"{n}.json").read_bytes(), n)
        for n in (1, 2)
    )

    assert log.identity.log_id == second.log_id
    assert second.origin == "example.org/log"
    assert (second.version, second.sequence, second.epoch) == (3, 4, 0)
    assert log.head.history_digest == second.history_digest
    assert log.head.hyper_digest == second.hyper_digest
    assert first.previous_sha256 is None
    assert second.previous_sha256 == durable.sha256_file(directory / "qed/manifests/1.json")
    assert second.meta_sha256 == durable.sha256_file(directory / "meta" / "2")
    assert first.uuid != second.uuid
    for file in second.files:
        data = (directory / file.path).read_bytes()
        assert (file.size_bytes, file.sha256) == (len(data), hashlib.sha256(data).digest())


def test_the_chain_of_manifests_goes_on_over_a_deleted_one(log: Log) -> None:
    backup(log)
    directory = log.path / "backups"
    first = durable.sha256_file(directory / "qed/manifests/1.json")
    delete_backup(directory, 1)
    backup(log)

    second = manifests.decode_manifest((directory / "qed/manifests/2.json").read_bytes(), 2)
    assert first == second.previous_sha256


def test_a_table_that_is_there_is_neither_copied_nor_read(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(log)
    directory = log.path / "backups"
    before = {path: path.stat() for path in (directory / "shared_checksum").iterdir()}
    copied: list[str] = []
    copy = durable.copy_file
    monkeypatch.setattr(
        durable, "copy_file", lambda source, *to: (copied.append(source.name), copy(source, *to))
    )
    monkeypatch.setattr(creating, "sum_file", lambda path, *_: pytest.fail(f"read {path}"))

    backup(log)

    assert not any(name.endswith(".sst") for name in copied)
    for path, stat in before.items():
        assert (stat.st_ino, stat.st_mtime_ns) == (path.stat().st_ino, path.stat().st_mtime_ns)


def test_the_version_is_that_of_the_files_also_under_load(log: Log) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 2
        while not stop.is_set():
            add(log, number, number + 1)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        infos = [backup(log) for _ in range(3)]
    finally:
        stop.set()
        writer.join()

    for info in infos:
        target = log.path.parent / f"restored-{info.id}"
        restored = backup_logs.restore(log.path / "backups", target, info.id)
        assert info.version_text == restored.version_text
        assert check(target).size == int(info.version_text) + 1
        with contextlib.closing(Log.open(target)) as again:
            assert again.append([event(0)]).first_version == int(info.version_text) + 1


def test_ids_are_never_used_again(log: Log) -> None:
    directory = log.path / "backups"
    backup(log)
    backup(log)
    delete_backup(directory, 2)
    delete_backup(directory, 1)

    assert backup(log).id == 3
    (directory / "qed" / "ids.json").unlink()
    delete_backup(directory, 3)
    (directory / "qed" / "ids.json").unlink()
    assert backup(log).id == 4  # the tombstones know it as well


@pytest.mark.parametrize("exclusive", [True, False])
def test_it_does_not_wait_for_others(log: Log, *, exclusive: bool) -> None:
    backup(log)
    with lock_backups(log.path / "backups", exclusive=exclusive):
        before = names(log.path / "backups")
        with pytest.raises(LockedError, match="a backup, a deletion or a restore is going on"):
            backup(log)

        assert before == names(log.path / "backups")
    assert backup(log).id == 2


@pytest.mark.parametrize("step", ["_copy_shared", "_copy_private", "_previous_sha256"])
def test_a_failed_backup_leaves_what_was_there(
    log: Log, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(log)
    directory = log.path / "backups"
    before = backup_logs.snapshot(directory)
    add(log, 2, 4)

    def fail(*_: object) -> None:
        raise StorageError("no space left", errno=28)

    with monkeypatch.context() as patch:
        patch.setattr(creating, step, fail)
        with pytest.raises(StorageError):
            backup(log)

    after = backup_logs.snapshot(directory)
    assert {name: data for name, data in after.items() if name in before} == {
        **before,
        "qed/ids.json": after["qed/ids.json"],
    }
    assert [name for name in after if name not in before and after[name] is not None] == []
    assert list((log.path / "qed-checkpoints").iterdir()) == []
    assert backup(log).id == 3


def test_a_backup_that_fills_the_disk_gives_all_of_it_back(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(log)
    directory = log.path / "backups"
    backup(log)
    (directory / "qed" / "manifests" / "2.json").write_bytes(b"")  # nothing is collected now
    before = backup_logs.snapshot(directory)
    add(log, 2, 4)
    write, copy = durable.write_file, durable.copy_file
    temporary = directory / "shared_checksum" / ".000001_sABC_3.sst.tmp"

    def fill(source: Path, target: Path, *rest: object) -> None:
        if "private" in target.parts:
            temporary.write_bytes(b"half a table")
            raise StorageError("no space left", errno=errno.ENOSPC)
        copy(source, target, *rest)  # type: ignore[arg-type]

    def write_if_freed(path: Path, data: bytes) -> None:
        if temporary.exists():
            raise StorageError("no space left", errno=errno.ENOSPC)
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "copy_file", fill)
        patch.setattr(durable, "write_file", write_if_freed)
        with pytest.raises(StorageError):
            backup(log)

    after = backup_logs.snapshot(directory)
    assert {**before, "qed/ids.json": after["qed/ids.json"], "private/3": None} == after
    assert read_repository(directory).ids.unfinished is None
    assert backup(log).id == 4


class _Killed(BaseException):
    """The machine stops: nothing that would tidy up runs."""


@pytest.mark.parametrize("at", range(1, 60, 4))
def test_a_backup_that_is_killed_anywhere_hurts_nothing(
    log: Log, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop at the n-th durable step, whichever that is."""
    backup(log)
    directory = log.path / "backups"
    add(log, 2, 4)
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, at, _Killed)
        backup(log)
    there = [info.id for info in list_backups(directory)]
    assert there in ([1], [1, 2])

    new = backup(log)

    assert new.id in {2, 3} - set(there)
    assert not any(info.problem for info in list_backups(directory))
    assert read_repository(directory).problems == []
    for info in list_backups(directory):
        target = log.path.parent / f"restored-{info.id}"
        backup_logs.restore(directory, target, info.id)
        backup_logs.judge_restored(target, int(info.version_text) + 1)
    assert backup_logs.referred(directory) == set(read_repository(directory).files)


def test_a_table_left_by_a_killed_backup_is_copied_again(log: Log) -> None:
    backup(log)
    directory = log.path / "backups"
    table = next((directory / "shared_checksum").iterdir())
    for path in directory.rglob("*"):
        if path.is_file() and path != table:
            path.unlink()
    table.write_bytes(bytes(table.stat().st_size))

    info = backup(log)

    backup_logs.restore(directory, log.path.parent / "new", info.id)


def test_a_table_that_was_cut_is_mended(log: Log) -> None:
    backup(log)
    directory = log.path / "backups"
    table = next((directory / "shared_checksum").iterdir())
    data = table.read_bytes()
    table.write_bytes(data[:-1])

    backup(log)

    assert table.read_bytes() == data
    assert not any(info.problem for info in list_backups(directory))


@pytest.mark.parametrize("ours", [True, False])
def test_a_meta_with_a_wrong_checksum_keeps_no_backup_from_being_made(
    log: Log, *, ours: bool
) -> None:
    backup(log)
    directory = log.path / "backups"
    if not ours:
        shutil.rmtree(directory / "qed")
    meta = directory / "meta" / "1"
    table = next((directory / "shared_checksum").iterdir())
    crc = google_crc32c.value(table.read_bytes())
    meta.write_bytes(meta.read_bytes().replace(b"%d" % crc, b"%d" % (crc ^ 1)))

    made = backup(log)

    assert (made.id, made.problem) == (2, "")
    backup_logs.restore(directory, log.path.parent / "restored", 2)


def test_a_stored_table_that_is_not_the_logs_is_refused(log: Log) -> None:
    backup(log)
    directory = log.path / "backups"
    shutil.rmtree(directory / "qed")
    meta = directory / "meta" / "1"
    table = next((directory / "shared_checksum").iterdir())
    data = table.read_bytes()
    other = data[:-1] + bytes([data[-1] ^ 1])
    table.write_bytes(other)
    crcs = [b"%d" % google_crc32c.value(content) for content in (data, other)]
    meta.write_bytes(meta.read_bytes().replace(*crcs))

    with pytest.raises(DamagedError, match="differs from the one that earlier backups have"):
        backup(log)

    assert table.read_bytes() == other
    assert [info.id for info in list_backups(directory)] == [1]


def test_a_directory_without_an_id_left_is_refused(log: Log) -> None:
    backup(log)
    directory = log.path / "backups"
    strange = directory / "private" / str(layout.MAX_ID) / "notes.txt"
    strange.parent.mkdir()
    strange.write_bytes(b"")

    for _ in range(2):
        with unchanged(directory), pytest.raises(ConflictError, match="has no id left"):
            backup(log)


def test_a_damaged_table_of_the_log_is_named(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = log.checkpoint

    def damage(path: Path) -> None:
        checkpoint(path)
        table = min(path.glob("*.sst"))
        data = bytearray(table.read_bytes())
        data[-1] ^= 1
        table.unlink()  # the other name of the file is the log's own
        table.write_bytes(data)

    monkeypatch.setattr(log, "checkpoint", damage)
    monkeypatch.setattr(creating, "read_head", lambda _: (log.identity, log.head))
    monkeypatch.setattr(creating, "_rocksdb_sequence", lambda _: 1)

    with pytest.raises(DamagedError, match=r"table .*\.sst is damaged: it does not end"):
        backup(log)
    assert list_backups(log.path / "backups") == []


def test_progress_ends_at_all_of_it(log: Log) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        create_backup(
            log,
            log.path / "backups",
            scratch=log.path / "qed-checkpoints",
            progress=lambda *at: told.append(at),
        )
        assert told[-1][0] == told[-1][1]
        assert told == sorted(told)
        told.clear()


def test_events_before_the_backup_are_in_it(log: Log) -> None:
    log.append([event(7)])
    backup_logs.restore(log.path / "backups", log.path.parent / "new", backup(log).id)

    with contextlib.closing(Log.open(log.path.parent / "new")) as restored:
        assert restored.prove_membership(event(7)).actual_version == 2
