"""Receipts on a plain install without a network: how fast, and what of every broken byte."""

import json
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from faces import FACES
from publishing import PublishedLog, serving
from qed.cli import main
from qed.client.config import ClientConfig
from qed.client.consistency import verify_consistency_file
from qed.client.evidence import new_equivocation
from qed.client.receipts import verify_under_key
from qed.errors import ContradictionError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.note import format_verifier_key
from qed.signing.policy import policy_of_key
from receipt_log import EVENTS, beside, flips, one_of_each, receipt, small_log

RECEIPTS = 1000
MOST_S = 2.0
FIRST_LINES_BYTES = 40
# What a plain install has not.
HIDDEN = ("rocksdict", "uvicorn", "uvloop", "httptools", "structlog", "prometheus_client")


def has_own_network_namespace() -> bool:
    tried = ["unshare", "--user", "--net", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(tried, check=False).returncode == 0


def write_receipts(directory: Path, log: PublishedLog) -> list[str]:
    paths = []
    for number in range(RECEIPTS):
        kind = ("logged", "newest", "absent")[number % 3]
        digest = log.snapshots[number].event_digest
        digest = beside(EVENTS[number % 12]) if kind == "absent" else digest
        path = directory / f"{number}.tlog-proof"
        path.write_bytes(receipt(log, kind, digest))
        paths.append(str(path))
    return paths


@pytest.mark.slow
def test_a_thousand_receipts_take_two_seconds_on_one_core_without_a_network(tmp_path):
    log = PublishedLog()
    log.fill(RECEIPTS)
    paths = write_receipts(tmp_path, log)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({HIDDEN}));"
        "from qed.cli.main import main; main()"
    )
    words = ["verify", *paths, "--key", format_verifier_key(log.key), "--json"]
    command = [sys.executable, "-W", "error", "-c", code, *words]
    if has_own_network_namespace():
        command = ["unshare", "--user", "--net", *command]
    core = {min(os.sched_getaffinity(0))}

    before = os.times()
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, core),
    )
    after = os.times()

    assert (done.returncode, done.stderr) == (0, b"")
    verdicts = [one["Verify"] for one in json.loads(done.stdout)["Files"]]
    assert verdicts == ["OK"] * RECEIPTS
    # The time that it worked: how long it waited for a busy machine says nothing about it.
    worked_s = after.children_user + after.children_system
    assert worked_s - before.children_user - before.children_system < MOST_S


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logged", "newest", "absent", "absent beside a leaf"])
def test_broken_bytes_end_with_30(name, tmp_path, capsysbinary):
    """In process, through the command line: never 0, never a bug."""
    log = small_log()
    digest, data = one_of_each(log)[name]
    path = tmp_path / "file"
    words = ["verify", str(path), "--key", format_verifier_key(log.key), "--json"]
    words += ["--event-digest", digest.hex(), "--kind", name.partition(" ")[0]]
    codes = set()
    # Every byte by itself is for the unit tests: a command a byte takes a minute.
    for place, _, flipped in flips(data, (0x01, 0x80)):
        if place % 7 == 0 or place < FIRST_LINES_BYTES:
            path.write_bytes(flipped)
            codes.add(main.run(words))
            capsysbinary.readouterr()
    assert codes == {30}
    path.write_bytes(data)
    assert main.run(words) == 0
    capsysbinary.readouterr()


def test_a_broken_byte_of_evidence_is_never_taken_for_something_that_holds(tmp_path, capsysbinary):
    log = small_log()
    other = sign_checkpoint(log.signer, 7, bytes(32))
    path = tmp_path / "file"
    words = ["verify", str(path), "--key", format_verifier_key(log.key), "--json"]
    codes = set()
    for _, _, flipped in flips(new_equivocation(log.note, other).encode(), (0x01,)):
        path.write_bytes(flipped)
        codes.add(main.run(words))
        capsysbinary.readouterr()
    # 31: only words or the time were changed, which are nobody's word.
    assert codes == {30, 31}


# Both faces


@pytest.fixture(name="log")
def log_of_five():
    return small_log(5)


@pytest.fixture(name="face", params=FACES)
def either_face(request, log):
    with serving(log) as server:
        config = ClientConfig(
            endpoints=[server.url],
            snapshot_store_url=server.url,
            key=format_verifier_key(log.key),
            enable_topology_discovery=False,
            enable_health_checks=False,
        )
        with FACES[request.param](config) as face:
            yield face


@pytest.mark.parametrize("kind", ["logged", "newest", "absent"])
def test_a_face_gives_receipts(face, log, kind):
    event = b"never added" if kind == "absent" else EVENTS[1]

    data, found = face.call("receipt", event=event, kind=kind)

    digest = sha256(event).digest()
    assert verify_under_key(data, log.key, digest=digest, kind=kind) == found
    again = face.call("receipt", digest=digest, kind=kind)
    assert again.data == data


def test_a_face_gives_a_version(face):
    assert face.call("receipt", event=EVENTS[1], version=1).verified.version == 1


def test_a_face_gives_checkpoints_and_growth(face, log):
    older = face.call("checkpoint")
    assert older == log.note
    log.add(b"more")

    data = face.call("consistency", older)

    first, second = verify_consistency_file(data, policy=policy_of_key(log.key))
    assert (first.size, second.size) == (5, 6)


def test_a_face_tells_a_fork_of_what_was_kept(face, log):
    fork = sign_checkpoint(log.signer, 3, bytes(32))

    with pytest.raises(ContradictionError) as raised:
        face.call("consistency", fork)
    assert raised.value.evidence
    began_s = time.monotonic()
    assert face.call("checkpoint") == log.note
    assert time.monotonic() - began_s < MOST_S
