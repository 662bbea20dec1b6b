import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

import backup_logs
from qed import durable
from qed.backup import stage as staging
from qed.backup.checksums import Meter
from qed.backup.pending import Replaced
from qed.backup.repository import read_repository
from qed.backup.stage import (
    commit_path,
    lock_restore,
    read_commit,
    read_replaced,
    stage_path,
    still_there,
    write_commit,
    write_stage,
)
from qed.backup.verify import RestorePlan, plan_restore
from qed.engine.check import check, read_head
from qed.engine.log import Log
from qed.errors import DamagedError, LockedError, NewerFormatError


@pytest.fixture
def plan(directory: Path) -> RestorePlan:
    return plan_restore(read_repository(directory), 2)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target" / "qed-restore").mkdir(parents=True)
    return tmp_path / "target"


def test_a_stage_is_a_whole_log_and_nothing_else(plan: RestorePlan, target: Path) -> None:
    pending = write_stage(plan, target, Meter(0, None))
    path = stage_path(target, pending.stage)

    assert {file.name for file in plan.files} == {item.name for item in path.iterdir()}
    assert {(file.name, file.size_bytes, file.sha256) for file in pending.files} == {
        (item.name, item.stat().st_size, durable.sha256_file(item)) for item in path.iterdir()
    }
    assert (pending.backup_id, pending.size, pending.replaces) == (2, 4, None)
    assert plan.manifest is not None
    assert (pending.uuid, pending.log_id) == (plan.manifest.uuid, plan.manifest.log_id)
    assert check(path).size == 4
    assert read_commit(target) is None


def test_its_directories_are_the_owners_before_a_file_lies_in_them(
    plan: RestorePlan, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path] = []

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 0)
        patch.setattr(os, "chown", lambda path, *_, **__: given.append(path))
        patch.setattr(staging, "copy_and_sum", stop)
        with pytest.raises(KeyboardInterrupt):
            write_stage(plan, target, Meter(0, None))

    new = target / "qed-restore" / "new"
    assert given[0] == new
    assert [path.parent for path in given[1:]] == [new]


def test_a_file_that_changes_after_it_was_verified_is_named(
    plan: RestorePlan, target: Path
) -> None:
    plan.files[-1].source.write_bytes(b"x")

    with pytest.raises(DamagedError, match=f"{plan.files[-1].source} changed while"):
        write_stage(plan, target, Meter(0, None))

    assert list((target / "qed-restore" / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("log_id", bytes(16)),
        ("epoch", 1),
        ("sequence", 9),
        ("version", 2),
        ("history_digest", bytes(32)),
        ("hyper_digest", bytes(32)),
    ],
)
def test_a_log_that_the_manifest_does_not_name_is_refused(
    plan: RestorePlan, target: Path, field: str, value: object
) -> None:
    assert plan.manifest is not None
    other = replace(plan, manifest=replace(plan.manifest, **{field: value}))

    with pytest.raises(DamagedError, match="holds another log than its manifest names"):
        write_stage(other, target, Meter(0, None))

    assert list((target / "qed-restore" / "new").iterdir()) == []


def test_metadata_that_the_log_contradicts_is_refused(plan: RestorePlan, target: Path) -> None:
    with pytest.raises(DamagedError, match="says that its last version is 5, but it is 3"):
        write_stage(replace(plan, version_text="5"), target, Meter(0, None))


def test_metadata_that_is_no_version_contradicts_nothing(plan: RestorePlan, target: Path) -> None:
    pending = write_stage(replace(plan, version_text="before 5"), target, Meter(0, None))

    assert pending.size == 4


def test_what_is_no_log_is_refused(plan: RestorePlan, target: Path) -> None:
    fewer = replace(plan, files=tuple(f for f in plan.files if not f.name.endswith(".sst")))

    with pytest.raises(DamagedError, match="backup 2 does not open as a log"):
        write_stage(fewer, target, Meter(0, None))


def test_a_log_of_a_later_version_is_told_apart(
    plan: RestorePlan, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def newer(_: Path) -> None:
        raise NewerFormatError("format 2")

    monkeypatch.setattr(staging, "read_head", newer)

    with pytest.raises(NewerFormatError):
        write_stage(plan, target, Meter(0, None))


def test_a_decision_is_read_back(plan: RestorePlan, target: Path) -> None:
    pending = write_stage(plan, target, Meter(0, None))

    write_commit(target, pending)

    assert pending == read_commit(target)


def test_a_damaged_decision_names_the_ways_out(target: Path) -> None:
    commit_path(target).write_bytes(b"{}")

    with pytest.raises(DamagedError, match="COMMIT, is damaged") as caught:
        read_commit(target)
    assert f"rm -r {target / 'qed-restore'}" in caught.value.hint
    assert "qed restore" in caught.value.hint


def test_one_restore_at_a_time(target: Path) -> None:
    lock = lock_restore(target)
    with lock_restore(target), pytest.raises(LockedError, match=r"a restore into .* is going on"):
        lock.__enter__()


def test_no_database_is_replaced_by_nothing_else(tmp_path: Path) -> None:
    assert read_replaced(tmp_path) is None
    assert still_there(tmp_path, None)

    Log.create(tmp_path / "db").close()

    assert not still_there(tmp_path / "db", None)
    assert not still_there(tmp_path, read_replaced(tmp_path / "db"))


def test_a_server_that_goes_on_has_the_same_database(tmp_path: Path) -> None:
    with contextlib.closing(Log.create(tmp_path / "db")) as log:
        marked = read_replaced(tmp_path / "db")
        backup_logs.add(log, 0, 3)
        log.checkpoint(tmp_path / "checkpoint")  # a flush, which the MANIFEST records
        assert still_there(tmp_path / "db", marked)
    assert marked is not None
    assert marked.manifest_bytes < (tmp_path / "db" / marked.manifest).stat().st_size
    assert still_there(tmp_path / "db", marked)

    read_head(tmp_path / "db")
    check(tmp_path / "db")
    assert still_there(tmp_path / "db", marked)


def test_whoever_opens_it_anew_has_another_database(tmp_path: Path) -> None:
    Log.create(tmp_path / "db").close()
    marked = read_replaced(tmp_path / "db")

    Log.open(tmp_path / "db").close()

    assert not still_there(tmp_path / "db", marked)


@pytest.mark.parametrize("change", ["flip", "cut", "missing"])
def test_another_manifest_is_another_database(tmp_path: Path, change: str) -> None:
    Log.create(tmp_path / "db").close()
    marked = read_replaced(tmp_path / "db")
    assert marked is not None
    path = tmp_path / "db" / marked.manifest
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if change == "cut" else bytes([data[0] ^ 1]) + data[1:])

    assert not still_there(tmp_path / "db", marked)


def test_a_broken_database_can_be_marked(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_bytes(b"junk")
    marked = read_replaced(tmp_path)

    assert marked == Replaced(durable.sha256_file(tmp_path / "CURRENT"), "", 0, bytes(32))
    assert still_there(tmp_path, marked)
