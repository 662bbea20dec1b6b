"""Go's own verifier of transparency logs accepts what we sign, prove and serve, and no lie."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import random
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import go_oracle
import signers
from log_serving import log_server
from qed.signing.checkpoint import read_checkpoint, sign_checkpoint
from qed.signing.note import format_verifier_key
from qed.trees import tiles
from tiled_log import TiledLog

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

LARGEST = 70_000
PAIRS = 10_000
SIGNER = signers.signer("log.example/outsiders")
KEY = format_verifier_key(SIGNER.verifier_key)


@pytest.fixture(scope="module")
def check_notes(tmp_path_factory) -> Path:
    return go_oracle.build("check_notes", tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def read_tiles(tmp_path_factory) -> Path:
    return go_oracle.build("read_tiles", tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def log() -> TiledLog:
    return TiledLog(SIGNER, LARGEST)


def question(log: TiledLog, old: int, new: int, index: int) -> dict[str, object]:
    """Return two checkpoints and what ties them, and a leaf of the newer, to each other."""
    return {
        "Older": log.note(old).decode(),
        "Newer": log.note(new).decode(),
        "Consistency": encode(tiles.prove_consistency(log.read, old, new)),
        "Index": index,
        "Leaf": base64.b64encode(log.leaves[index]).decode(),
        "Inclusion": encode(tiles.prove_inclusion(log.read, index, new)),
    }


def encode(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(value).decode() for value in hashes]


def draw(chance: random.Random) -> tuple[int, int, int]:
    """Draw sizes of all magnitudes, often beside a border of tiles, and a leaf."""
    largest = chance.choice([8, 300, 3000, LARGEST, LARGEST])
    new = chance.randint(1, largest)
    if chance.random() < 0.2:
        new = min(largest, max(1, 256 * chance.randint(1, 273) + chance.randint(-1, 1)))
    return chance.randint(1, new), new, chance.randrange(new)


def test_10000_pairs_of_sizes(log, check_notes) -> None:
    chance = random.Random("10000 pairs")  # noqa: S311 - drawn again the same
    drawn = [draw(chance) for _ in range(PAIRS)]
    questions = "\n".join(json.dumps(question(log, *one)) for one in drawn)

    assert go_oracle.ask(check_notes, KEY, questions=questions.encode()) == str(PAIRS)
    assert len({new for _, new, _ in drawn}) > PAIRS / 3


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("Older", "invalid"),
        ("Newer", "invalid"),
        ("Consistency", "invalid transparency proof"),
        ("Inclusion", "invalid transparency proof"),
        ("Leaf", "invalid transparency proof"),
        ("Index", "invalid transparency proof"),
    ],
)
def test_it_notices_each_lie(log, check_notes, field, words) -> None:
    true = question(log, 300, 1000, 400)
    assert go_oracle.ask(check_notes, KEY, questions=json.dumps(true).encode()) == "1"

    lies = {
        "Older": log.note(300).decode().replace("\n300\n", "\n301\n"),
        "Newer": log.note(1000).decode().replace("\n1000\n", "\n1001\n"),
        "Consistency": encode(tiles.prove_consistency(log.read, 301, 1000)),
        "Inclusion": encode(tiles.prove_inclusion(log.read, 401, 1000)),
        "Leaf": base64.b64encode(log.leaves[401]).decode(),
        "Index": 401,
    }
    with pytest.raises(AssertionError, match=words):
        go_oracle.ask(check_notes, KEY, questions=json.dumps({**true, field: lies[field]}).encode())


def test_it_asks_for_this_key(log, check_notes) -> None:
    other = format_verifier_key(signers.signer(SIGNER.name, seed=b"other").verifier_key)
    questions = json.dumps(question(log, 300, 1000, 400)).encode()
    with pytest.raises(AssertionError, match="no verifiable signatures"):
        go_oracle.ask(check_notes, other, questions=questions)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1000, 65_536, LARGEST])
def test_it_reads_a_static_mirror_through_tiles(log, read_tiles, tmp_path, size) -> None:
    log.write_directory(tmp_path, size)
    sizes = {1, 2, 255, 256, 257, 300, 40_000, 65_536, 65_537, size - 1, size}
    wanted = sorted(one for one in sizes if 1 <= one <= size)
    with mirror(tmp_path) as url:
        questions = " ".join(map(str, wanted)).encode()
        answer = go_oracle.ask(read_tiles, url, KEY, questions=questions)
    assert answer == f"{size} {len(wanted)}"


def test_it_notices_a_changed_tile(log, read_tiles, tmp_path) -> None:
    log.write_directory(tmp_path, 1000)
    path = tmp_path / "tile/0/001"
    data = bytearray(path.read_bytes())
    data[32 * 44] ^= 1
    path.write_bytes(data)
    # Debian's version of the reader itself passes over one tile; then the proof does not hold.
    words = "inconsistent tile|invalid transparency proof"
    with mirror(tmp_path) as url, pytest.raises(AssertionError, match=words):
        go_oracle.ask(read_tiles, url, KEY, questions=b"301")


def test_it_reads_a_running_server_through_tiles(read_tiles, tmp_path) -> None:
    with log_server(tmp_path / "db", origin=SIGNER.name, checkpoint_interval_s=0) as server:
        key = json.loads(fetch(f"{server.data}/info"))["verifier_key"]
        size = 0
        for batch in (1, 254, 1, 1, 400):
            events = [base64.b64encode(b"%d" % (size + i)).decode() for i in range(batch)]
            fetch(f"{server.data}/events/bulk", {"events": events})
            size += batch
            published = fetch(f"{server.data}/checkpoint?after={size - 1}&wait=30s")
            assert read_checkpoint(published).size == size
            wanted = sorted({1, size // 2 or 1, max(1, size - 1), size})
            answer = go_oracle.ask(
                read_tiles, server.data, key, questions=" ".join(map(str, wanted)).encode()
            )
            assert answer == f"{size} {len(wanted)}"


def test_a_note_with_qeds_history_digest_is_taken_once_and_never_again(check_notes, log) -> None:
    """What the original signs is no RFC 6962 root: nobody could follow such a log."""
    roots = [bytes([version]) * 32 for version in range(2)]
    older, newer = (sign_checkpoint(SIGNER, n, root) for n, root in zip((1, 2), roots, strict=True))
    true = question(log, 1, 2, 0)
    false = {**true, "Older": older.decode(), "Newer": newer.decode()}
    with pytest.raises(AssertionError, match="invalid transparency proof"):
        go_oracle.ask(check_notes, KEY, questions=json.dumps(false).encode())


def fetch(url: str, body: dict[str, object] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        found: bytes = answer.read()
    return found


@contextlib.contextmanager
def mirror(directory: Path) -> Iterator[str]:
    """Serve a directory by the standard library's own server."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments, directory=str(directory))

        def log_message(self, *_) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
