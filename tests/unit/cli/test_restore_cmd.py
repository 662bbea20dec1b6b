"""`qed restore`: what is printed and what is said beside it; backups of a real log."""

from hashlib import sha256

import pytest

from qed.backup.create import create_backup
from qed.engine.log import Log
from qed.errors import DamagedError


@pytest.fixture(name="site")
def log_with_two_backups(tmp_path):
    """A closed database with three events and backups of the first one and of two."""
    db = tmp_path / "db"
    with Log.create(db) as log:
        for number in range(3):
            log.append([sha256(b"event %d" % number).digest()])
            if number < 2:
                create_backup(log, db / "backups", scratch=db / "qed-checkpoints")
    return db


def restore(run, db, *words):
    return run("restore", "--backup-dir", f"{db}/backups/", "--restore-path", f"{db}/", *words)


def size(db):
    with Log.open(db) as log:
        return log.head.size


def test_the_latest_is_restored(run, site):
    for words in ([], ["--backup-id", "0"]):
        done = restore(run, site, *words, "--log", "info")
        assert (done.code, done.text) == (0, "Restore from latest backup completed!\n")
        assert size(site) == 2


def test_a_given_one_is_restored_and_the_old_database_is_told(run, site):
    done = restore(run, site, "--backup-id", "1")

    assert (done.code, done.text) == (0, "Restore from backup 1 completed!\n")
    assert f"the database that was there is kept in {site}/qed-replaced/" in done.err
    assert "2 of its versions are not in the restored log" in done.err
    assert size(site) == 1


def test_under_a_running_server_the_restart_is_told(run, site):
    with Log.open(site) as log:
        done = restore(run, site, "--backup-id", "1")
        assert log.head.size == 3

    assert (done.code, done.text) == (0, "Restore from backup 1 completed!\n")
    assert "is in use: restart the server" in done.err


def test_the_document(run, site):
    document = restore(run, site, "--backup-id", "1", "--json").document

    assert (document["BackupId"], document["Version"], document["Swapped"]) == (1, "0", True)
    assert (document["Manifest"], document["LostVersions"]) == (True, 2)
    assert document["KeptAside"].startswith(f"{site}/qed-replaced/")


def test_into_a_new_place_nothing_is_kept_aside(run, site, tmp_path):
    words = ("--backup-dir", str(site / "backups"), "--restore-path", str(tmp_path / "new"))

    done = run("restore", *words)

    assert (done.code, "kept" in done.err) == (0, False)
    assert size(tmp_path / "new") == 2


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--backup-id", "7"], 13, "7"),
        (["--backup-id", "-1"], 2, "-1"),
        (["--backup-dir", "/nowhere"], 13, "/nowhere"),
    ],
)
def test_what_is_not_there_is_an_error_and_changes_nothing(run, site, words, code, sentence):
    done = restore(run, site, *words)

    assert (done.code, done.out) == (code, b"")
    assert sentence in done.err
    assert size(site) == 3


def test_a_damaged_backup_is_an_error_that_names_the_file(run, site):
    damaged = next((site / "backups" / "private" / "2").glob("MANIFEST-*"))
    damaged.write_bytes(damaged.read_bytes()[:-1])

    done = restore(run, site)

    assert (done.code, done.out) == (41, b"")
    assert damaged.name in done.err
    assert DamagedError.code == "damaged"
    assert size(site) == 3
