from pathlib import Path

import pytest

import backup_logs
from qed.backup import collect as collecting
from qed.backup import manifest as manifests
from qed.backup.canonical_json import encode_document
from qed.backup.collect import (
    Collected,
    collect,
    finish_interrupted,
    plan_collection,
    write_ids,
)
from qed.backup.delete import delete_backup
from qed.backup.manifest import Ids
from qed.backup.repository import list_backups, read_repository
from qed.errors import NewerFormatError

ORPHANS = (
    "shared/000001.sst",
    "shared_checksum/000001_sABC_3.sst",
    "shared_checksum/000001_77_3.sst",
    "private/9/CURRENT",
    "private/9/000003.log",
)
STRANGERS = ("private/9/notes.txt", "shared_checksum/README", "private/notes", "meta.bak")
TEMPORARY = ("meta/.9.tmp", "shared_checksum/.000001_sABC_3.sst.tmp", "qed/manifests/.9.json.tmp")


def put(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(b"abc")


def test_what_no_backup_refers_to_is_planned(directory: Path) -> None:
    assert plan_collection(read_repository(directory)) == []
    put(directory, *ORPHANS, *STRANGERS, *TEMPORARY)

    assert sorted(ORPHANS) == plan_collection(read_repository(directory))


def test_what_is_planned_is_removed_and_nothing_else(directory: Path) -> None:
    before = backup_logs.snapshot(directory)
    put(directory, *ORPHANS, *STRANGERS, *TEMPORARY)

    collected = collect(read_repository(directory))

    assert collected.removed == tuple(sorted(ORPHANS))
    assert collected.kept_because == ()
    after = backup_logs.snapshot(directory)
    assert {*before, *STRANGERS, "private/9"} == set(after)
    assert {name: after[name] for name in before} == before


def test_the_directory_of_a_backup_that_never_was_goes_too(directory: Path) -> None:
    put(directory, "private/9/CURRENT")

    collect(read_repository(directory))

    assert not (directory / "private" / "9").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda directory: (directory / "meta" / "2").write_bytes(b"x"),
        lambda directory: (directory / "meta" / "2").unlink(),
        lambda directory: (directory / "meta" / "x").write_bytes(b""),
        lambda directory: (directory / "private" / "2" / "CURRENT").unlink(),
        lambda directory: (directory / "qed" / "manifests" / "2.json").write_bytes(b"x"),
        lambda directory: (directory / "qed" / "manifests" / "2.json").unlink(),
        lambda directory: (directory / "qed" / "ids.json").write_bytes(b"x"),
        lambda directory: next((directory / "shared_checksum").iterdir()).unlink(),
        lambda directory: next((directory / "shared_checksum").iterdir()).write_bytes(b""),
    ],
)
def test_nothing_is_removed_while_anything_is_wrong(directory: Path, damage: object) -> None:
    assert callable(damage)
    put(directory, *ORPHANS)
    damage(directory)
    before = backup_logs.snapshot(directory)

    collected = collect(read_repository(directory))

    assert collected.removed == ()
    assert collected.kept_because
    assert all(str(directory) in sentence for sentence in collected.kept_because)
    assert before == backup_logs.snapshot(directory)


def test_the_record_of_a_later_version_is_left_alone(directory: Path) -> None:
    path = directory / manifests.IDS
    path.write_bytes(encode_document({"format": manifests.FORMAT + 1, "highest": 9}))

    with backup_logs.unchanged(directory):
        with pytest.raises(NewerFormatError, match=r"ids\.json is of a later version"):
            delete_backup(directory, 1)
        with pytest.raises(NewerFormatError, match=r"ids\.json is of a later version"):
            write_ids(read_repository(directory), unfinished=None)


def test_an_unfinished_creation_is_undone(directory: Path) -> None:
    write_ids(read_repository(directory), unfinished=3)
    (directory / "meta" / "3").unlink()

    finish_interrupted(read_repository(directory))

    assert not (directory / manifests.manifest_path(3)).exists()
    assert read_repository(directory).ids == Ids(3, None, (1, 2))
    assert read_repository(directory).problems == []


def test_a_finished_creation_is_noted(directory: Path) -> None:
    write_ids(read_repository(directory), unfinished=3)

    finish_interrupted(read_repository(directory))

    assert [info.id for info in list_backups(directory)] == [1, 2, 3]
    assert read_repository(directory).ids == Ids(3, None, (1, 2, 3))


def test_a_deletion_that_lacked_its_end_is_finished(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = collecting.durable.remove_file

    def stop_after(path: Path) -> None:
        remove(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(collecting.durable, "remove_file", stop_after)
        with pytest.raises(KeyboardInterrupt):
            delete_backup(directory, 2)
    assert (directory / manifests.manifest_path(2)).exists()
    assert read_repository(directory).problems == []

    finish_interrupted(read_repository(directory))
    collect(read_repository(directory))

    assert not (directory / manifests.manifest_path(2)).exists()
    assert not (directory / "private" / "2").exists()


@pytest.mark.parametrize("folder", ["private/9", "private", "shared", "shared_checksum"])
def test_nothing_is_removed_where_a_link_leads(
    directory: Path, tmp_path: Path, folder: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    if (directory / folder).exists():
        (directory / folder).rename(elsewhere)
    elsewhere.mkdir(exist_ok=True)
    names = ("CURRENT", "000009.log", "000010.sst", "000010_sABC_3.sst", "9/CURRENT")
    put(elsewhere, *names)
    (directory / folder).symlink_to(elsewhere)

    collected = collect(read_repository(directory))

    assert collected == Collected((), (f"{directory / folder} is a symbolic link",))
    assert all((elsewhere / name).exists() for name in names)


def test_what_has_the_name_but_not_the_kind_stays_and_stops_nothing(directory: Path) -> None:
    put(directory, "private/9", "private/8/CURRENT")
    (directory / "meta" / ".7.tmp").mkdir()

    collected = collect(read_repository(directory))

    assert collected.removed == ("private/8/CURRENT",)
    assert (directory / "private" / "9").is_file()
    assert (directory / "meta" / ".7.tmp").is_dir()
