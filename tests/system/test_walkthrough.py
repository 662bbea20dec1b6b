"""The manual's walk-through on the installed command, digest for digest and byte for byte.

Back up three times, delete one, lose the database (`docker-compose down`), restore into the path of
the running server, restart, go on. Then the other ways to the same end.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from process import Qed, Server
from system import printed

pytestmark = pytest.mark.slow

Snapshots = list[dict[str, Any]]


class Site:
    """A place like the container's: a database, its key, and the backups that outlive both."""

    def __init__(self, qed: Qed, root: Path) -> None:
        self.qed = qed
        self.root = root
        self.db = root / "qed0" / "db"
        self.key = root / "qed_ed25519"
        root.mkdir()
        self.server = Server(qed, self.db, ["--private-key-path", str(self.key), "--log", "info"])

    def restore(self, *words: str, target: Path | None = None) -> str:
        path = f"{self.db if target is None else target}/"
        where = ["--backup-dir", f"{self.db}/backups/", "--restore-path", path]
        return self.qed.ok("restore", *where, *words, "--log", "info")

    def backups(self) -> dict[int, str]:
        done = self.server.backup("--log", "info", "list")
        assert done.code == 0, done
        return printed.listed(done.out)

    def create_backup(self) -> None:
        done = self.server.backup("--log", "info", "create")
        assert (done.code, done.out) == (0, "Backup created!\n"), done

    def add(self, number: int, snapshots: Snapshots) -> None:
        assert self.server.add(f"event {number}") == printed.added(snapshots[number])

    def membership(self, event: str, *words: str, given: str = "") -> str:
        done = self.server.client("membership", "--event", event, *words, given=given)
        assert done.code == 0, done
        return done.out

    def lose_the_database(self) -> None:
        """Leave what `docker-compose down` leaves: the volume with the backups."""
        volume = self.root / "volume"
        (self.db / "backups").rename(volume)
        for path in self.root.iterdir():
            if path == volume:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.db.mkdir(parents=True)
        volume.rename(self.db / "backups")


@pytest.fixture(name="site")
def site_with_three_backups(qed: Qed, tmp_path: Path, snapshots: Snapshots) -> Iterator[Site]:
    """Play the first half: events 0 to 5, a backup after each second one, the first deleted."""
    site = Site(qed, tmp_path / "site")
    with site.server:
        for number in (0, 2, 4):
            site.add(number, snapshots)
            site.add(number + 1, snapshots)
            site.create_backup()
            if number == 0:
                assert site.backups() == {1: "1"}
        assert site.backups() == {1: "1", 2: "3", 3: "5"}
        done = site.server.backup("delete", "--backup-id", "1", "--log", "info")
        assert (done.code, done.out) == (0, "Backup deleted!\n"), done
        assert site.backups() == {2: "3", 3: "5"}
        yield site


def test_the_manual_and_then_on(site: Site, snapshots: Snapshots) -> None:
    _expect_what_was_added(site, snapshots)
    assert site.server.stop() == 0
    site.lose_the_database()

    site.server.start()
    assert "created a new, empty log" in site.server.output
    assert site.key.stat().st_mode & 0o777 == 0o600
    nothing = printed.membership("event 0", exists=False, current=printed.NONE, actual=printed.NONE)
    assert site.membership("event 0") == nothing
    assert site.restore("--backup-id", "2") == "Restore from backup 2 completed!\n"
    assert site.membership("event 0") == nothing, "the running server was changed"
    site.server.restart()
    _expect_backup_2(site, snapshots)

    # "Then on": the restored log grows, and every backup can still be restored.
    sixth = site.server.add("event 6")
    assert "Version: 4\n" in sixth
    _expect_event_6(site, sixth)
    site.create_backup()
    assert site.backups() == {2: "3", 3: "5", 4: "4"}
    assert site.restore("--backup-id", "3") == "Restore from backup 3 completed!\n"
    site.server.restart()
    _expect_what_was_added(site, snapshots)
    assert site.restore("--backup-id", "4") == "Restore from backup 4 completed!\n"
    site.server.restart()
    _expect_event_6(site, sixth)
    assert site.restore("--backup-id", "3") == "Restore from backup 3 completed!\n"
    assert site.restore() == "Restore from latest backup completed!\n"
    site.server.restart()
    _expect_event_6(site, sixth)
    assert site.server.stop() == 0
    assert site.qed.run("check", str(site.db)).code == 0


def _expect_what_was_added(site: Site, snapshots: Snapshots) -> None:
    """All six events are there, the last at version 5, and verify against what add printed."""
    last = snapshots[5]
    for number in (0, 5):
        got = site.membership(
            f"event {number}",
            "--verify",
            "--hyper-digest",
            last["HyperDigest"],
            "--history-digest",
            last["HistoryDigest"],
        )
        assert got == printed.membership(
            f"event {number}", exists=True, current=5, actual=number
        ) + printed.verifying(
            f"event {number}", hyper=last["HyperDigest"], history=last["HistoryDigest"], version=5
        )


def _expect_backup_2(site: Site, snapshots: Snapshots) -> None:
    """What backup 2 holds, asked as the manual asks: the digests are typed at the prompts."""
    third = snapshots[3]
    got = site.membership(
        "event 0", "--verify", given=f"{third['HyperDigest']}\n{third['HistoryDigest']}\n"
    )
    assert got == (
        printed.membership("event 0", exists=True, current=3, actual=0)
        + printed.ask_hyper(3)
        + printed.ask_history(3)
        + printed.verifying(
            "event 0", hyper=third["HyperDigest"], history=third["HistoryDigest"], version=3
        )
    )
    absent = printed.membership("event 4", exists=False, current=3, actual=3)
    assert site.membership("event 4") == absent
    as_of_1 = site.membership("event 0", "--version", "1")
    assert as_of_1 == printed.membership(
        "event 0", exists=True, current=3, actual=0, query=1, asked=1
    )
    done = site.server.client(
        "incremental", "--start", "0", "--end", "3", "--verify",
        given=f"{snapshots[0]['HistoryDigest']}\n{third['HistoryDigest']}\n",
    )  # fmt: skip
    assert (done.code, done.out) == (
        0,
        printed.incremental(0, 3)
        + "Please, provide the starting historyDigest for version [ 0 ]: "
        + "Please, provide the ending historyDigest for version [ 3 ] : "
        + printed.verifying_incremental(
            0, snapshots[0]["HistoryDigest"], 3, third["HistoryDigest"]
        ),
    )


def _expect_event_6(site: Site, added: str) -> None:
    """The event added after the restore is version 4, and the log is backup 2 and this event."""
    snapshot = printed.snapshot_of(added)
    got = site.membership(
        "event 6",
        "--verify",
        "--hyper-digest",
        snapshot["HyperDigest"],
        "--history-digest",
        snapshot["HistoryDigest"],
    )
    assert got == printed.membership("event 6", exists=True, current=4, actual=4) + (
        printed.verifying(
            "event 6",
            hyper=snapshot["HyperDigest"],
            history=snapshot["HistoryDigest"],
            version=4,
        )
    )
    absent = printed.membership("event 4", exists=False, current=4, actual=4)
    assert site.membership("event 4") == absent


def test_restore_while_the_server_is_stopped(site: Site, snapshots: Snapshots) -> None:
    site.server.stop()
    assert site.restore("--backup-id", "2") == "Restore from backup 2 completed!\n"
    with site.server:
        _expect_backup_2(site, snapshots)
        assert site.backups() == {2: "3", 3: "5"}
        kept = list((site.db / "qed-replaced").iterdir())
        assert len(kept) == 1, "the database that was there is kept aside"


def test_restore_into_a_fresh_path_and_start_there(
    site: Site, snapshots: Snapshots, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh" / "db"
    assert site.restore("--backup-id", "2", target=fresh) == "Restore from backup 2 completed!\n"
    other = Site(site.qed, tmp_path / "other")
    other.server.db = fresh
    with other.server:
        _expect_backup_2(other, snapshots)
    _expect_what_was_added(site, snapshots)


def test_a_restore_after_adds_says_what_it_took_back(site: Site) -> None:
    done = site.qed.run(
        "restore", "--backup-dir", f"{site.db}/backups", "--restore-path", str(site.db),
        "--backup-id", "2",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "Restore from backup 2 completed!\n"), done
    assert re.search(r"restart", done.err, re.IGNORECASE), "nobody was told to restart the server"
    site.server.stop()
    done = site.qed.run("check", str(site.db))
    assert done.code == 0, done
    assert "Events: 6" in done.out
    assert "restore of backup 2" in done.err
    site.server.start()
    assert "qed-replaced" in site.server.output
    site.server.stop()
    done = site.qed.run("check", str(site.db))
    assert "Events: 4" in done.out, done
    assert done.err == ""


def test_a_restored_log_gives_the_numbers_that_it_gave_before(
    site: Site, snapshots: Snapshots
) -> None:
    site.restore("--backup-id", "2")
    site.server.restart()
    site.add(4, snapshots)
    site.add(5, snapshots)
    _expect_what_was_added(site, snapshots)
