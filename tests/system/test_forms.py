"""What the installed command prints and takes, byte for byte, against a real server."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from process import COMMAND_LIMIT_S, Qed, Server, environment
from system import printed
from whole import deadline

pytestmark = pytest.mark.slow

SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = KEY.public_key().public_bytes_raw()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(name="server")
def served_log(qed: Qed, tmp_path: Path) -> Iterator[Server]:
    with Server(qed, tmp_path / "db") as server:
        yield server


def _raw(qed: Qed, *words: str | bytes, given: bytes = b"") -> tuple[int, bytes]:
    """Run the command with words that are no UTF-8 either; return its code and its output."""
    done = subprocess.run(
        [*qed.command, *words],
        input=given,
        capture_output=True,
        env=environment(qed.home),
        cwd=qed.home,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "event",
    [b"a\nb\r\n\tc\n", "żółć €\u2028".encode(), b"\xff\xfe\x80", b"--verify", b" "],
    ids=["lines", "utf-8", "bytes", "flag", "space"],
)
def test_an_event_reaches_the_log_unchanged(qed: Qed, server: Server, event: bytes) -> None:
    digest = hashlib.sha256(event).hexdigest().encode()
    client = ("client", "--endpoints", server.endpoint)

    code, out = _raw(qed, *client, "add", "--event", event)
    assert (code, digest in out) == (0, True)
    code, out = _raw(qed, *client, "membership", "--event", event)
    assert code == 0
    assert out.startswith(b"\nQuerying key [ " + event + b" ] with latest version\n\nReceived")
    assert b"    Exists: true\n" in out
    code, out = _raw(qed, *client, "add", "--event-file", "-", given=event)
    assert (code, digest in out) == (0, True)


def test_an_absent_event_is_verified(server: Server, snapshots: list[dict[str, Any]]) -> None:
    for number in range(6):
        server.add(f"event {number}")
    last = snapshots[5]
    for number in range(6, 12):
        event = f"event {number}"
        done = server.client(
            "membership", "--event", event, "--verify",
            given=f"{last['HyperDigest']}\n{last['HistoryDigest']}\n",
        )  # fmt: skip
        assert done.code == 0, done
        history = last["HistoryDigest"] if printed.ask_history(5) in done.out else ""
        assert done.out.endswith(
            printed.verifying(event, hyper=last["HyperDigest"], history=history, version=5)
        )


def test_a_proof_is_kept_and_verified_offline(
    qed: Qed, server: Server, tmp_path: Path, snapshots: list[dict[str, Any]]
) -> None:
    server.add("event 0")
    server.add("event 1")
    member, growth = str(tmp_path / "member"), str(tmp_path / "growth")
    assert server.client("membership", "--event", "event 0", "--save", member).code == 0
    assert server.client("incremental", "--start=0", "--end=1", "--save", growth).code == 0
    server.stop()

    first, last = snapshots[0], snapshots[1]
    digests = ("--hyper-digest", last["HyperDigest"], "--history-digest", last["HistoryDigest"])
    assert qed.ok("verify", member, *digests).endswith("\nVerify: OK\n\n")
    digests = ("--start-digest", first["HistoryDigest"], "--end-digest", last["HistoryDigest"])
    assert qed.ok("verify", growth, *digests).endswith(
        printed.verifying_incremental(0, first["HistoryDigest"], 1, last["HistoryDigest"])
    )
    wrong = qed.run("verify", growth, *digests[:3], first["HistoryDigest"])
    assert (wrong.code, wrong.out.endswith("\nVerify: KO\n\n")) == (30, True)


def test_lines_are_added_in_bulk(qed: Qed, server: Server) -> None:
    lines = [f"event {number}" for number in range(2500)]

    done = server.client("bulk", "-", given="".join(f"{line}\n" for line in lines))

    assert done.code == 0, done
    rows = [row.split("\t") for row in done.out.splitlines()]
    assert [row[0] for row in rows] == [str(version) for version in range(2500)]
    assert [row[1] for row in rows] == [printed.digest(line) for line in lines]
    assert len({row[3] for row in rows}) == 3, "three batches have three hyper digests"
    assert done.err == "2500 events were added, the last one as version 2499\n"
    proven = server.client(
        "membership", "--event", "event 1999", "--verify",
        "--hyper-digest", rows[-1][3], "--history-digest", rows[-1][2],
    )  # fmt: skip
    assert proven.out.endswith("\nVerify: OK\n\n")
    server.stop()
    assert "    Events: 2500\n" in qed.ok("check", str(server.db))


def test_every_command_prints_one_document(qed: Qed, server: Server, tmp_path: Path) -> None:
    added = server.client("add", "--event", "event 0", "--json").document()
    assert added["Version"] == 0
    digests = ("--hyper-digest", added["HyperDigest"], "--history-digest", added["HistoryDigest"])
    words = ("membership", "--event", "event 0", "--verify", *digests, "--json")
    assert server.client(*words).document()["Verify"] == "OK"
    assert server.client("--json", "incremental", "--start=0", "--end=0").document()["End"] == 0
    assert server.client("bulk", "-", "--json", given="event 1\n").document()["Added"] == 1
    assert server.backup("create", "--json").document() == {"Created": True}
    (entry,) = server.backup("list", "--json").document()["Backups"]
    assert (entry["Id"], entry["Version"]) == (1, "1")
    directory = str(server.db / "backups")
    words = ("restore", "--backup-dir", directory, "--restore-path", str(tmp_path / "new"))
    assert qed.run(*words, "--json").document()["BackupId"] == 1
    assert qed.run("check", str(tmp_path / "new"), "--json").document()["Events"] == 2
    assert server.backup("delete", "--backup-id=1", "--json").document() == {"Deleted": 1}
    assert qed.run("version", "--json").document()["version"]
    refused = server.client("incremental", "--start=0", "--end=9", "--json")
    assert (refused.code, refused.document()["error"]["code"]) == (15, "not-proven")


@pytest.mark.parametrize("data", [SEED + PUBLIC, PEM], ids=["raw", "pem"])
def test_a_key_of_qed_is_read_and_its_mode_said(qed: Qed, tmp_path: Path, data: bytes) -> None:
    key = tmp_path / "qed_ed25519"
    key.write_bytes(data)
    key.chmod(0o644)

    with Server(qed, tmp_path / "db", ["--private-key-path", str(key)]) as server:
        assert f"others can read the signing key {key}" in server.output
        server.add("event 0")
        assert SEED.hex() not in server.output

    assert key.read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "home", "qed_ed25519"]


def test_a_missing_key_is_made_and_its_public_half_printed(qed: Qed, tmp_path: Path) -> None:
    key = tmp_path / "keys" / "qed_ed25519"

    with Server(qed, tmp_path / "db", ["--private-key-path", str(key)]) as server:
        public = key.with_name("qed_ed25519.pub").read_bytes()
        assert public.hex() in server.output
        assert key.read_bytes()[:32].hex() not in server.output

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes()[32:] == public


def test_a_key_that_contradicts_itself_stops_the_start(qed: Qed, tmp_path: Path) -> None:
    key = tmp_path / "qed_ed25519"
    key.write_bytes(SEED + bytes(32))
    server = Server(qed, tmp_path / "db", ["--private-key-path", str(key)])

    server.spawn()

    assert server.ended() == 41, server.output
    assert "public half does not belong" in server.output
    assert not (tmp_path / "db").exists()


def test_ctrl_c_at_a_prompt_leaves_by_130(qed: Qed, server: Server) -> None:
    server.add("event 0")
    words = ("client", "--endpoints", server.endpoint, "membership", "--event=event 0", "--verify")
    asking = subprocess.Popen(
        [*qed.command, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(qed.home),
    )
    with asking:
        assert asking.stdout is not None
        shown = b""
        while not shown.endswith(printed.ask_hyper(0).encode()):
            shown += os.read(asking.stdout.fileno(), 4096)
        # Between the prompt and the read that waits for the answer a signal can go unnoticed.
        for _ in deadline(COMMAND_LIMIT_S):
            if Path(f"/proc/{asking.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S":
                break
        asking.send_signal(signal.SIGINT)
        assert asking.wait() == 130
        assert asking.stderr is not None
        assert asking.stderr.read().strip().endswith(b"Error: interrupted")


def test_a_full_output_fails_the_command_although_the_event_is_in(qed: Qed, server: Server) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*qed.command, "client", "--endpoints", server.endpoint, "add", "--event", "event 0"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(qed.home),
            check=False,
        )

    assert done.returncode == 42
    assert b"Error: cannot write to standard output" in done.stderr
    assert "    Exists: true\n" in server.client("membership", "--event", "event 0").out
