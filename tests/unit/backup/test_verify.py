from pathlib import Path

import pytest

import backup_logs
from qed.backup.checksums import Meter
from qed.backup.repository import Repository, read_repository
from qed.backup.verify import explain_older, plan_restore, verify_backup
from qed.errors import ConflictError, DamagedError, NotFoundError
from vector_files import unpack_backups


def test_the_newest_is_planned_without_an_id(directory: Path) -> None:
    repository = read_repository(directory)

    plan = plan_restore(repository, None)

    assert plan == plan_restore(repository, 3)
    assert (plan.backup_id, plan.version_text) == (3, "5")
    names = [file.name for file in plan.files]
    assert "CURRENT" in names
    assert sum(name.startswith("MANIFEST-") for name in names) == 1
    assert any(name.endswith(".sst") for name in names)
    assert all(file.sha256 for file in plan.files)


def test_every_byte_is_read_once(directory: Path) -> None:
    told: list[tuple[int, int]] = []
    plan = plan_restore(read_repository(directory), 2)

    verify_backup(plan, Meter(plan.size_bytes, lambda *at: told.append(at)))

    assert told[-1] == (plan.size_bytes, plan.size_bytes)


def test_each_file_with_a_flipped_byte_is_named(directory: Path) -> None:
    plan = plan_restore(read_repository(directory), 3)
    for file in plan.files:
        data = file.source.read_bytes()
        for at in {0, len(data) // 2, len(data) - 1}:
            flipped = bytearray(data)
            flipped[at] ^= 0x80
            file.source.write_bytes(flipped)
            with pytest.raises(DamagedError, match=f"backup 3: {file.source} is damaged"):
                verify_backup(plan)
        file.source.write_bytes(data)
    verify_backup(plan)


def test_a_file_with_a_forged_checksum_is_caught_by_the_manifest(directory: Path) -> None:
    """CRC-32C is no secret: the meta can be made to fit, the manifest's SHA-256 cannot."""
    repository = read_repository(directory)
    plan = plan_restore(repository, 3)
    forged = plan.files[0].source.read_bytes()[:-4] + b"\0\0\0\0"
    plan.files[0].source.write_bytes(forged)
    fits = backup_logs.with_crc_of(plan, forged)

    with pytest.raises(DamagedError, match="is damaged"):
        verify_backup(fits)


def test_unknown_and_missing_backups(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there are 1, 2, 3"):
        plan_restore(read_repository(directory), 7)
    (tmp_path / "empty" / "meta").mkdir(parents=True)
    with pytest.raises(NotFoundError, match="there are no backups in"):
        plan_restore(read_repository(tmp_path / "empty"), None)


def test_a_backup_with_a_problem_is_refused_with_it(directory: Path) -> None:
    (directory / "private" / "3" / "CURRENT").unlink()

    with pytest.raises(DamagedError, match="CURRENT is missing"):
        plan_restore(read_repository(directory), None)


def rewrite(directory: Path, name: str, data: bytes) -> Repository:
    """Change a private file of backup 3 and make its meta fit; no manifest vouches for it then."""
    backup_logs.rewrite_private(directory, 3, name, data)
    return read_repository(directory)


@pytest.mark.parametrize(
    ("current", "message"),
    [(b"junk\n", "does not name a MANIFEST"), (b"MANIFEST-000999\n", "lacks MANIFEST-000999")],
)
def test_a_current_that_names_nothing_is_refused(
    directory: Path, current: bytes, message: str
) -> None:
    plan = plan_restore(rewrite(directory, "CURRENT", current), 3)

    assert plan.manifest is None
    with pytest.raises(DamagedError, match=message):
        verify_backup(plan)


def test_a_backup_without_current_is_refused(directory: Path) -> None:
    backup_logs.drop_private(directory, 3, "CURRENT")

    with pytest.raises(DamagedError, match="has no file CURRENT"):
        verify_backup(plan_restore(read_repository(directory), 3))


@pytest.mark.parametrize("backup_id", [1, 2, 3, 4])
def test_the_backups_of_qed_itself_are_verified_and_then_refused(
    tmp_path: Path, backup_id: int
) -> None:
    unpack_backups(tmp_path)
    plan = plan_restore(read_repository(tmp_path / "backups"), backup_id)

    with pytest.raises(ConflictError, match="was made by QED itself") as caught:
        verify_backup(plan)
    assert "its checksums are right, and nothing was changed" in str(caught.value)

    plan.files[0].source.write_bytes(b"x" * plan.files[0].size_bytes)
    with pytest.raises(DamagedError, match=str(plan.files[0].source)):
        verify_backup(plan)


def test_the_older_one_is_named_with_what_it_loses(directory: Path) -> None:
    error = DamagedError("private/3/CURRENT")

    text = explain_older(read_repository(directory), error, Path("/a b/db"), 3)

    assert text == (
        f"nothing was changed; the next older backup is restored with `qed restore --backup-dir "
        f"{directory} --restore-path '/a b/db' --backup-id 2`, which loses 2 versions"
    )


def test_an_older_one_that_needs_the_same_file_is_passed_over(directory: Path) -> None:
    repository = read_repository(directory)
    shared = min(backup_logs.referred(directory, 2) - backup_logs.referred(directory, 1))
    error = DamagedError(f"backup 3: {directory / shared} is damaged")

    assert "--backup-id 1`, which loses 4 versions" in explain_older(
        repository, error, Path("db"), 3
    )


def test_no_older_one_is_said(directory: Path) -> None:
    (directory / "meta" / "1").write_bytes(b"")
    text = explain_older(read_repository(directory), DamagedError(""), Path("db"), 2)

    assert text == "nothing was changed; there is no older backup that is whole"


def test_an_unknown_loss_is_said(directory: Path) -> None:
    (directory / "meta" / "3").write_bytes(b"")
    (directory / "qed" / "manifests" / "3.json").unlink()
    text = explain_older(read_repository(directory), DamagedError(""), Path("db"), 3)

    assert "--backup-id 2`, which loses an unknown number of versions" in text


def test_the_loss_of_an_unreadable_meta_is_known_from_its_manifest(directory: Path) -> None:
    (directory / "meta" / "3").write_bytes(b"")
    text = explain_older(read_repository(directory), DamagedError(""), Path("db"), 3)

    assert "which loses 2 versions" in text
