"""No acknowledgement before the sync of its rows: in the engine and over HTTP."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from fault.order import CALLS, TRACE, early_acknowledgements, read_steps
from fault.worker import TESTS
from process import Qed, Server

pytestmark = pytest.mark.fault

THREADS, EVENTS = 8, 8


def test_the_engine_acknowledges_after_the_sync(tmp_path: Path) -> None:
    trace, path = str(tmp_path / "trace"), tmp_path / "db"
    strace = ["strace", "-o", trace, *TRACE, CALLS]
    driver = [sys.executable, "-m", "fault.drive_order", str(path)]
    subprocess.run(
        [*strace, *driver, str(THREADS), str(EVENTS)],
        cwd=TESTS,
        check=True,
        timeout=120,
    )
    digests = [
        bytes.fromhex(line.removeprefix("acknowledged "))
        for line in path.with_suffix(".said").read_text().splitlines()
    ]
    assert len(digests) == THREADS * EVENTS
    steps = read_steps(Path(trace).read_text())
    pairs = [(digest, f"acknowledged {digest.hex()}".encode()) for digest in digests]
    assert early_acknowledgements(steps, pairs) == []


@pytest.mark.slow
def test_the_server_answers_after_the_sync(qed_command: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    home = tmp_path / "home"
    home.mkdir()
    # With -D the server itself is what is started, and stopped; the tracer keeps its output open
    # until the trace is written.
    prefix = ["strace", "-D", "-o", str(trace), *TRACE, CALLS]
    server = Server(Qed(qed_command, home), tmp_path / "db", prefix=prefix)
    digests: list[bytes] = []
    with server:

        def add(number: int) -> None:
            for event in range(EVENTS):
                data = f"event {number} {event}".encode()
                answer = server.call("POST", "/events", {"Event": base64.b64encode(data).decode()})
                assert answer.status == 201, answer
                digests.append(sha256(data).digest())

        adding = [threading.Thread(target=add, args=(number,)) for number in range(THREADS)]
        for thread in adding:
            thread.start()
        for thread in adding:
            thread.join()
        server.stop()
    assert len(digests) == THREADS * EVENTS
    pairs = [(digest, b'"EventDigest":"' + base64.b64encode(digest) + b'"') for digest in digests]
    assert early_acknowledgements(read_steps(trace.read_text()), pairs) == []


def _hex(text: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text)


WAL = f"3<{_hex(b'/db/000004.log')}>"
WRITE = f'7 write({WAL}, "{_hex(b"a row")}", 5) = 5'
SYNC = f"7 fdatasync({WAL}) = 0"
ANSWER = f'8 write(5<{_hex(b"socket:[1]")}>, "{_hex(b"201")}", 3) = 3'
OTHER = ANSWER.replace(_hex(b"201"), _hex(b"204"))
SYNC_BEGINS, SYNC_ENDS = f"7 fdatasync({WAL} <unfinished ...>", "7 <... fdatasync resumed>) = 0"


@pytest.mark.parametrize(
    "lines",
    [
        [WRITE, SYNC, ANSWER],
        [OTHER, WRITE, SYNC_BEGINS, SYNC_ENDS, ANSWER],
    ],
)
def test_the_right_order_is_found_right(lines: list[str]) -> None:
    assert early_acknowledgements(read_steps("\n".join(lines)), [(b"a row", b"201")]) == []


@pytest.mark.parametrize(
    "lines",
    [
        [WRITE, ANSWER, SYNC],
        [SYNC, WRITE, ANSWER],
        [WRITE, SYNC_BEGINS, ANSWER, SYNC_ENDS],
        [SYNC_BEGINS, WRITE.replace("7", "9", 1), SYNC_ENDS, ANSWER],
        [WRITE, SYNC.replace("= 0", "= -1 EIO (Input/output error) (INJECTED)"), ANSWER],
        [WRITE, SYNC.replace(_hex(b"4.log"), _hex(b"5.log")), ANSWER],
        [SYNC, ANSWER],
        [WRITE, SYNC],
    ],
)
def test_every_wrong_order_is_caught(lines: list[str]) -> None:
    assert len(early_acknowledgements(read_steps("\n".join(lines)), [(b"a row", b"201")])) == 1
