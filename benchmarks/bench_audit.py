"""An auditor's replay: from the files of a mirror to "every root agrees", and opening what is kept.

The log is the engine's; its tiles are written into a directory as a static mirror has them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from context import Context
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from figures import Figure, at_least, median

from qed.agents.replay import Replayer, replay_to
from qed.agents.replay_files import ReplayFiles
from qed.client.feed import Source, open_source
from qed.client.trusted import Trusted
from qed.engine.log import Log
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.keys import PrivateKey
from qed.signing.note import NoteSigner
from qed.trees import kernel
from qed.trees.tiles import ENTRIES, TILE_HASHES, Tile, format_tile_path, tile_width, tiles_of

NAME = "audit"
REPLAYED_PER_S = 100_000  # events, on one core


def run(context: Context) -> list[Figure]:
    """Replay a mirror of each log up to 10^6 events, then open what was kept of it."""
    figures = []
    for events in [size for size in context.sizes if size <= 1_000_000]:
        with context.scratch(f"audit-{events}") as scratch:
            trusted = _write_mirror(context.log_of(events), scratch / "mirror")
            with open_source(str(scratch / "mirror")) as source:
                figures += _measure(context, events, scratch, source, trusted)
    return figures


def _measure(
    context: Context, events: int, scratch: Path, source: Source, trusted: Trusted
) -> list[Figure]:
    replays, openings = [], []
    for number in range(context.runs_at(events)):
        state = scratch / f"state-{number}"
        with ReplayFiles(state) as files:
            replayer = Replayer(files, trusted.origin)

            def replay(replayer: Replayer = replayer) -> None:
                replay_to(replayer, source, trusted)
                replayer.commit()

            figure = _time(context, "replay", events, replay)
            assert replayer.difference is None
            assert replayer.size == events
        if not kernel.WHY_TWIN and events >= 100_000:
            floor = at_least("replayed events/s", figure.items_per_s, REPLAYED_PER_S)
            figure = figure.with_floors(floor)
        replays.append(figure)
        with ReplayFiles(state) as files:

            def reopen(files: ReplayFiles = files) -> None:
                assert Replayer(files, trusted.origin).size == events

            openings.append(_time(context, "open what was replayed", events, reopen))
    return [median(replays), median(openings)]


def _time(context: Context, what: str, events: int, work: Callable[[], None]) -> Figure:
    hashes = context.bare_hashes()
    start, cpu = time.perf_counter(), time.process_time()
    work()
    taken, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Figure(NAME, what, events, events / taken, hashes, cpu_us=cpu / events * 1e6)


def _write_mirror(path: Path, directory: Path) -> Trusted:
    """Write what a log publishes into a directory; return what its reader trusts."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    signer = NoteSigner(PrivateKey(key.private_bytes_raw(), public), "bench.test/log")
    with Log.open(path) as log:
        size, root = log.snapshot_root
        for tile in tiles_of(size):
            first = tile.index * TILE_HASHES
            if tile.level:
                _write(directory, tile, log.read_nodes(tile.level, first, first + tile.width))
                continue
            leaves = log.read_leaves(first, first + tile.width)
            _write(directory, tile, leaves.hashes())
            width = tile_width(ENTRIES, tile.index, size)
            _write(directory, Tile(ENTRIES, tile.index, width), leaves.encode_bundle())
    return Trusted(signer.verifier_key, sign_checkpoint(signer, size, root))


def _write(directory: Path, tile: Tile, data: bytes) -> None:
    path = directory / format_tile_path(tile)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
