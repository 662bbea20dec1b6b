import contextlib
import os
import re
from pathlib import Path

import pytest

import backup_logs
import rocksdb_oracle
from qed.backup import manifest as manifests
from qed.backup import repository as repositories
from qed.backup.canonical_json import encode_document
from qed.backup.repository import info_of, list_backups, read_repository, version_text
from qed.engine.log import Log
from qed.trees.values import NO_VERSION
from vector_files import unpack_backups


def problem_of(directory: Path, backup_id: int) -> str:
    return {info.id: info.problem for info in list_backups(directory)}[backup_id]


def test_backups_are_listed_by_id_with_their_last_version(directory: Path) -> None:
    infos = list_backups(directory)

    assert [(info.id, info.version_text) for info in infos] == [(1, "1"), (2, "3"), (3, "5")]
    assert all(info.manifest and not info.problem for info in infos)
    assert all(info.size_bytes > 1000 and info.num_files > 3 for info in infos)
    assert infos[0].created_s > 1_700_000_000


def test_a_missing_directory_has_no_backups_and_is_not_made(tmp_path: Path) -> None:
    assert list_backups(tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []


def test_an_empty_log_has_the_version_that_the_wire_has(tmp_path: Path) -> None:
    with contextlib.closing(Log.create(tmp_path / "db")) as log:
        info = backup_logs.backup(log)

    assert str(NO_VERSION) == info.version_text
    assert info == info_of(read_repository(tmp_path / "db" / "backups"), 1)


def test_sizes_are_those_of_the_files(directory: Path) -> None:
    repository = read_repository(directory)
    for info in list_backups(directory):
        meta = repository.entries[info.id].meta
        assert meta is not None
        sizes = [(directory / file.path).stat().st_size for file in meta.files]
        assert (sum(sizes), len(sizes)) == (info.size_bytes, info.num_files)


def test_rocksdb_lists_the_same(directory: Path) -> None:
    infos = [
        (info.id, info.created_s, info.size_bytes, info.num_files)
        for info in list_backups(directory)
    ]

    assert infos == [
        (info.backup_id, info.created_s, info.size_bytes, info.num_files)
        for info in rocksdb_oracle.list_infos(directory)
    ]


def test_the_backups_of_qed_itself_are_listed(tmp_path: Path) -> None:
    unpack_backups(tmp_path)

    infos = list_backups(tmp_path / "backups")

    assert [(info.id, info.version_text) for info in infos] == [
        (1, "3"),
        (2, "5"),
        (3, "2018"),
        (4, "2019"),
    ]
    assert not any(info.manifest or info.problem for info in infos)


def test_every_missing_file_is_named(directory: Path) -> None:
    meta = read_repository(directory).entries[3].meta
    assert meta is not None
    for file in meta.files:
        path = directory / file.path
        kept = path.read_bytes()
        path.unlink()
        assert problem_of(directory, 3) == f"backup 3: {path} is missing"
        path.write_bytes(kept[:-1])
        assert f"{path} is damaged: it has {len(kept) - 1} bytes" in problem_of(directory, 3)
        path.write_bytes(kept)
    assert problem_of(directory, 3) == ""


def test_a_link_in_the_place_of_a_file_counts_as_missing(directory: Path) -> None:
    path = directory / "private" / "3" / "CURRENT"
    path.rename(directory / "elsewhere")
    path.symlink_to(directory / "elsewhere")

    assert problem_of(directory, 3) == f"backup 3: {path} is missing"


def test_each_flipped_byte_of_a_meta_is_seen(directory: Path) -> None:
    path = directory / "meta" / "3"
    data = path.read_bytes()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x01
        path.write_bytes(flipped)
        problem = problem_of(directory, 3)
        assert problem, at
        assert str(directory) in problem


def test_each_flipped_byte_of_a_manifest_is_seen(directory: Path) -> None:
    path = directory / "qed" / "manifests" / "3.json"
    data = path.read_bytes()
    for at in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 0x01
        path.write_bytes(flipped)
        assert f"{path} cannot be used" in problem_of(directory, 3)


def test_a_meta_that_cannot_be_read_is_listed_with_its_problem(directory: Path) -> None:
    (directory / "meta" / "2").write_bytes(b"\xff")

    infos = list_backups(directory)

    assert [info.id for info in infos] == [1, 2, 3]
    assert infos[1].problem.startswith(f"backup 2: {directory / 'meta' / '2'} is damaged: ")
    assert (infos[1].version_text, infos[1].size_bytes) == ("", 0)


@pytest.mark.parametrize("name", ["meta/2", "qed/manifests/2.json", "qed/ids.json"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    directory: Path, tmp_path: Path, name: str, *, linked: bool
) -> None:
    (directory / name).unlink()
    os.mkfifo(tmp_path / "pipe" if linked else directory / name)
    if linked:
        (directory / name).symlink_to(tmp_path / "pipe")

    problems = read_repository(directory).problems

    assert len(problems) == 1
    assert problems[0].endswith(f"{directory / name} is not a regular file")


def test_a_meta_that_nothing_deleted_is_missed(directory: Path) -> None:
    (directory / "meta" / "3").unlink()

    assert f"{directory / 'meta' / '3'} is missing" in problem_of(directory, 3)


def test_what_another_program_deleted_is_not_missed(directory: Path) -> None:
    rocksdb_oracle.purge(directory, keep=1)

    assert [info.id for info in list_backups(directory)] == [3]
    assert list_backups(directory)[0].problem == ""
    assert read_repository(directory).stray == ()


def test_names_that_are_no_backups_are_said(directory: Path) -> None:
    (directory / "meta" / "03").write_bytes(b"")
    (directory / "meta" / ".4.tmp").write_bytes(b"")  # a stopped writer's, of no meaning

    repository = read_repository(directory)

    assert sorted(repository.entries) == [1, 2, 3]
    assert repository.problems == [f"{directory / 'meta' / '03'} is not the name of a backup"]


def test_a_broken_record_of_ids_or_tombstone_is_said(directory: Path) -> None:
    (directory / "qed" / "ids.json").write_bytes(b"{}")
    (directory / "qed" / "deleted").mkdir()
    (directory / "qed" / "deleted" / "9-00.json").write_bytes(b"")

    problems = read_repository(directory).problems

    assert len(problems) == 2
    assert any("ids.json cannot be used" in problem for problem in problems)
    assert any("9-00.json cannot be used" in problem for problem in problems)
    assert read_repository(directory).next_id == 4


def test_a_backup_of_rocksdb_under_an_id_of_ours_is_foreign(directory: Path) -> None:
    rocksdb_oracle.purge(directory, keep=2)
    for path in (directory / "meta" / "3", *(directory / "private" / "3").iterdir()):
        path.unlink()
    rocksdb_oracle.ldb_backup(directory.parent, directory)

    infos = {info.id: info for info in list_backups(directory)}

    assert not infos[3].manifest
    assert infos[3].problem == ""
    assert infos[3].version_text == ""
    assert infos[2].manifest
    assert (directory / "qed" / "manifests" / "3.json").exists()  # kept as history


def test_a_manifest_of_other_files_than_the_meta_is_refused(directory: Path) -> None:
    path = directory / "qed" / "manifests" / "3.json"
    manifest = manifests.decode_manifest(path.read_bytes(), 3)
    fewer = manifests.Manifest(
        **{
            name: getattr(manifest, name)
            for name in manifest.__dataclass_fields__
            if name != "files"
        },
        files=manifest.files[1:],
    )
    path.write_bytes(manifests.encode_manifest(fewer))

    assert "names other files than its meta" in problem_of(directory, 3)


def test_a_manifest_of_a_later_version_is_told_apart(directory: Path) -> None:
    (directory / "qed" / "manifests" / "3.json").write_bytes(encode_document({"format": 2}))

    entry = read_repository(directory).entries[3]

    assert entry.newer
    assert re.search(r"3\.json cannot be used: it is of format 2", entry.problem)


def test_a_backup_deleted_while_it_is_read_is_left_out(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = repositories._first_misfit

    def delete_first(*_: object) -> str:
        (directory / "meta" / "1").unlink(missing_ok=True)
        (directory / "private" / "1" / "CURRENT").unlink(missing_ok=True)
        monkeypatch.setattr(repositories, "_first_misfit", look)
        return "gone"

    monkeypatch.setattr(repositories, "_first_misfit", delete_first)
    monkeypatch.setattr(repositories, "_with_lost_metas", lambda repository: repository)

    assert [info.id for info in list_backups(directory)] == [2, 3]


def test_metadata_that_is_no_text_is_shown_all_the_same(directory: Path) -> None:
    meta = read_repository(directory).entries[1].meta
    assert meta is not None

    assert version_text(meta) == "1"
    assert version_text(repositories.Meta(0, 0, b"\xff", ())) == "\\xff"
    assert version_text(repositories.Meta(0, 0, None, ())) == ""
