"""Bad input to the command line: a sentence, the right exit code, nothing done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from process import Finished, Qed, Server
from qed.database import Database
from qed.engine import rows
from system import printed

pytestmark = pytest.mark.slow

USAGE, MALFORMED, NOT_FOUND, CONFLICT, NOT_PROVEN, NEWER, LOCKED, VERIFICATION = (
    2, 11, 13, 14, 15, 16, 22, 30
)  # fmt: skip


@pytest.fixture(name="server")
def served_log(qed: Qed, tmp_path: Path) -> Iterator[Server]:
    with Server(qed, tmp_path / "db") as server:
        yield server


def _expect_refusal(done: Finished, code: int, *words: str) -> None:
    assert done.code == code, done
    lines = done.err.splitlines()
    assert any(line.startswith("Error: ") for line in lines), done
    assert "Traceback" not in done.err
    for word in words:
        assert word.lower() in done.err.lower(), done


def test_bad_values_never_reach_the_server(qed: Qed) -> None:
    """No server is there: had anything been sent, the exit code would say so."""
    client = ["client", "--endpoints", "http://127.0.0.1:1"]
    for words in (
        ["add", "--event", ""],
        ["add"],
        ["membership"],
        ["membership", "--event", "a", "--event-digest", "ab" * 32],
        ["membership", "--event-digest", "ab" * 31],
        ["membership", "--event-digest", "ab" * 64],
        ["membership", "--event-digest", "zz" * 32],
        ["membership", "--event", "a", "--version", "-1"],
        ["membership", "--event", "a", "--version", str(2**64)],
        ["membership", "--event", "a", "--version", "one"],
        ["incremental", "--start", "3", "--end", "1"],
        ["incremental", "--start", "-1", "--end", "1"],
        ["incremental", "--start", "1"],
        ["membership", "--event", "a", "--verify", "--hyper-digest", "abc"],
    ):
        done = qed.run(*client, *words)
        assert done.code in (USAGE, MALFORMED), (words, done)
        _expect_refusal(done, done.code)
        assert done.out == ""


def test_an_endpoint_without_a_scheme_and_one_without_a_server(qed: Qed) -> None:
    done = qed.run("client", "--endpoints", "127.0.0.1:8800", "add", "--event", "a")
    assert done.code in (USAGE, MALFORMED), done
    gone = qed.run("client", "--endpoints", "http://127.0.0.1:1", "add", "--event", "a")
    _expect_refusal(gone, 24, "127.0.0.1:1")


def test_the_end_of_input_at_a_prompt(server: Server) -> None:
    snapshot = printed.snapshot_of(server.add("event 0"))
    membership = ["membership", "--event", "event 0", "--verify"]
    for given in ("", f"{snapshot['HyperDigest']}\n"):
        done = server.client(*membership, given=given)
        _expect_refusal(done, MALFORMED, "input ended")
        assert "Verify: OK" not in done.out
    done = server.client("incremental", "--start", "0", "--end", "0", "--verify", given="")
    _expect_refusal(done, MALFORMED, "input ended")


def test_wrong_digests_at_the_prompt_are_a_ko(server: Server) -> None:
    snapshot = printed.snapshot_of(server.add("event 0"))
    done = server.client(
        "membership", "--event", "event 0", "--verify",
        given=f"{snapshot['HyperDigest']}\n{snapshot['HyperDigest']}\n",
    )  # fmt: skip
    assert done.code == VERIFICATION, done
    assert done.out.endswith("\nVerify: KO\n\n")


def test_verify_on_an_empty_log(server: Server) -> None:
    done = server.client("membership", "--event", "event 0", "--verify", given="00" * 32 + "\n")
    assert done.code != 0, done
    _expect_refusal(done, done.code, "empty")
    assert "Verify: OK" not in done.out


def test_two_servers_on_one_database(server: Server, qed: Qed) -> None:
    server.add("event 0")
    other = Server(qed, server.db)
    other.spawn()
    assert other.ended() == LOCKED, other.output
    assert "in use by another process" in other.output
    assert str(server.pid) in other.output
    assert "Version: 1\n" in server.add("event 1")
    _expect_refusal(qed.run("check", str(server.db)), LOCKED, "in use")


def test_a_port_in_use(server: Server, qed: Qed, tmp_path: Path) -> None:
    other = Server(qed, tmp_path / "other", ports=server.ports)
    other.spawn()
    assert other.ended() != 0
    assert str(server.ports[0]) in other.output
    assert "Traceback" not in other.output


def test_a_database_of_a_newer_format(qed: Qed, tmp_path: Path) -> None:
    server = Server(qed, tmp_path / "db")
    with server:
        server.add("event 0")
        assert server.stop() == 0
    database = Database.open(server.db, rows.FAMILIES)
    database.commit([("default", b"format", (2).to_bytes(2, "big"))])
    database.close()
    before = _names(server.db)
    server.spawn()
    assert server.ended() == NEWER, server.output
    assert "newer" in server.output.lower() or "later" in server.output.lower()
    _expect_refusal(qed.run("check", str(server.db)), NEWER)
    assert {name for name in before if name.endswith(".sst")} <= _names(server.db)


def _names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_an_unknown_backup_id(server: Server, qed: Qed, tmp_path: Path) -> None:
    server.add("event 0")
    assert server.backup("create").code == 0
    _expect_refusal(server.backup("delete", "--backup-id", "99"), NOT_FOUND, "99", "1")
    target = tmp_path / "target"
    done = qed.run(
        "restore", "--backup-dir", str(server.db / "backups"), "--restore-path", str(target),
        "--backup-id", "99",
    )  # fmt: skip
    _expect_refusal(done, NOT_FOUND, "99", "1")
    assert not target.exists()
    for bad in ("-1", "one", str(2**70)):
        assert server.backup("delete", "--backup-id", bad).code in (USAGE, MALFORMED, NOT_FOUND)
    assert printed.listed(server.backup("list").out) == {1: "0"}


def test_a_backup_directory_that_does_not_exist_or_is_none(qed: Qed, tmp_path: Path) -> None:
    target = tmp_path / "target"
    missing, empty, file = tmp_path / "missing", tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.write_text("not a directory")
    for directory in (missing, empty, file):
        done = qed.run("restore", "--backup-dir", str(directory), "--restore-path", str(target))
        _expect_refusal(done, NOT_FOUND, str(directory))
        assert not target.exists()
    assert not missing.exists()
    assert list(empty.iterdir()) == []


def test_a_restore_into_a_file(server: Server, qed: Qed, tmp_path: Path) -> None:
    server.add("event 0")
    assert server.backup("create").code == 0
    target = tmp_path / "file"
    target.write_text("mine")
    done = qed.run(
        "restore", "--backup-dir", str(server.db / "backups"), "--restore-path", str(target)
    )
    _expect_refusal(done, CONFLICT, str(target))
    assert target.read_text() == "mine"


def test_a_check_of_nothing_creates_nothing(qed: Qed, tmp_path: Path) -> None:
    _expect_refusal(qed.run("check", str(tmp_path / "nothing")), NOT_FOUND)
    assert not (tmp_path / "nothing").exists()


def test_a_range_beyond_the_log(server: Server) -> None:
    server.add("event 0")
    done = server.client("incremental", "--start", "0", "--end", "5")
    _expect_refusal(done, NOT_PROVEN, "invalid range")


def test_an_event_larger_than_the_limit(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "event"
    file.write_bytes(bytes(33 * 1024 * 1024))
    done = server.client("add", "--event-file", str(file))
    _expect_refusal(done, 12)
    assert done.out == ""
    assert "Version: 0\n" in server.add("event 0")


def test_an_event_file_that_is_not_there(server: Server, tmp_path: Path) -> None:
    done = server.client("add", "--event-file", str(tmp_path / "nothing"))
    assert done.code in (USAGE, NOT_FOUND, 42), done
    _expect_refusal(done, done.code, "nothing")
