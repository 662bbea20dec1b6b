"""What each way of storing a log costs: the measurements behind docs/adr/0019.

    python benchmarks/storage_layouts.py --events 1000000
    python benchmarks/storage_layouts.py --events 10000000 --only groups --json

Groups of 1,000 events go through `qed.database`, each synced before the next. The hashes are random
bytes: what is measured is the store, not the trees. Bytes written are what the kernel counts for
this process (`write_bytes`), so the write-ahead log, tables and every compaction are in it. A
layout that has not finished after `--limit` seconds is stopped there, and its line says so.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from machine import describe, size_bytes, syncs_per_second, void_in_memory, written_bytes
from rocksdict import DBCompressionType, Options, Rdict, WriteBatch, WriteOptions

from qed.database import Database, Put
from qed.engine import rows

GROUP_EVENTS = 1_000
DIGEST_BYTES = 32
ROUNDS = 5  # of one more per cent, for what a backup has to copy
LOG_ID = bytes(16)
TILE_HEIGHTS = (8, 16, 24)
TILE_HASHES = 256
ENTRY_BYTES = 40  # of a page: the digest and its version
PAGE_BYTES = 2_048
PAGE_ENTRIES = 32  # of the 50 that fit: room for what hashing makes uneven
MEMBER_BYTES = 13  # of a bucket row: eight bytes of the digest, five of the version
BUCKET_MEMBERS = 16


class Layout(Protocol):
    """One way of storing: rows for the primary database, and whatever lies beside it."""

    families: tuple[str, ...]

    def puts(self, first: int, digests: Sequence[bytes], hashes: Hashes) -> list[Put]:
        """Return the rows of a group."""

    def index(self, first: int, digests: Sequence[bytes]) -> None:
        """Take a group into what lies beside the primary database."""

    def close(self) -> None:
        """Let go of it."""


class Hashes:
    """Random bytes that stand for hashes, made before the clock starts."""

    def __init__(self, count: int) -> None:
        """Make `count` hashes."""
        self._bytes = os.urandom(count * DIGEST_BYTES)
        self._next = 0

    def take(self, count: int = 1) -> bytes:
        """Return the next hashes, end to end."""
        start = self._next * DIGEST_BYTES
        self._next += count
        return self._bytes[start : start + count * DIGEST_BYTES]


def key(number: int) -> bytes:
    """Return a key that ascends with the number."""
    return number.to_bytes(8, "big")


class Groups:
    """Format 1 as it is: a row of digests, an end and the head for each group."""

    families: tuple[str, ...] = rows.FAMILIES

    def __init__(self, _directory: Path, _events: int) -> None:
        """Everything derived is in memory."""

    def puts(self, first: int, digests: Sequence[bytes], hashes: Hashes) -> list[Put]:
        """Return three rows."""
        size = first + len(digests)
        head = rows.Head(LOG_ID, 0, size, size, hashes.take(), hashes.take())
        return rows.encode_group(first, b"".join(digests), head)

    def index(self, first: int, digests: Sequence[bytes]) -> None:
        """Keep nothing on disk."""

    def close(self) -> None:
        """Hold nothing."""


class Tiles(Groups):
    """Groups, and 256 frozen history hashes in one row as soon as they are complete."""

    families = (*rows.FAMILIES, "tiles")

    def __init__(self, directory: Path, events: int) -> None:
        """Start with no hash in any tile."""
        super().__init__(directory, events)
        self._open: dict[int, list[bytes]] = {height: [] for height in TILE_HEIGHTS}

    def puts(self, first: int, digests: Sequence[bytes], hashes: Hashes) -> list[Put]:
        """Return the rows of the group and of each tile that it completes."""
        puts = super().puts(first, digests, hashes)
        for height, tile in self._open.items():
            width = 1 << height
            stop = first + len(digests)
            tile.extend(hashes.take() for _ in range(stop // width - first // width))
            if len(tile) >= TILE_HASHES:
                number = (stop // width - len(tile)) // TILE_HASHES
                name = bytes([height]) + key(number)
                puts.append(("tiles", name, b"".join(tile[:TILE_HASHES])))
                del tile[:TILE_HASHES]
        return puts


class Rows:
    """A row for each event, each frozen history node, and each digest's version, as QED has it."""

    families = (rows.META, "events", "history", "hyper")

    def __init__(self, _directory: Path, _events: int) -> None:
        """Everything is a row."""

    def puts(self, first: int, digests: Sequence[bytes], hashes: Hashes) -> list[Put]:
        """Return four rows an event on average, and the head."""
        puts = [("events", key(first + i), digest) for i, digest in enumerate(digests)]
        for version, digest in enumerate(digests, first):
            puts.append(("hyper", digest, key(version)))
            for height in range((version + 1 & -(version + 1)).bit_length()):
                name = bytes([height]) + key(version >> height)
                puts.append(("history", name, hashes.take()))
        head = LOG_ID + key(first + len(digests)) + hashes.take(2)
        puts.append((rows.META, rows.HEAD_KEY, head))
        return puts

    def index(self, first: int, digests: Sequence[bytes]) -> None:
        """Keep nothing beside the rows."""

    def close(self) -> None:
        """Hold nothing."""


def prefix_bits(events: int, members: int) -> int:
    """Return how many bits of a digest name a bucket that is to hold so many members."""
    return max(1, (events // members).bit_length())


def bucket(digest: bytes, bits: int) -> int:
    """Return the bucket that a digest lies in."""
    return int.from_bytes(digest[:8], "big") >> 64 - bits


class BucketRows(Groups):
    """Groups, and the index in a second RocksDB: a row holds all members of a prefix.

    It has no write-ahead log, since it can be made again.
    """

    def __init__(self, directory: Path, events: int) -> None:
        """Create the second database."""
        super().__init__(directory, events)
        self._bits = prefix_bits(events, BUCKET_MEMBERS)
        options = Options(raw_mode=True)
        options.create_if_missing(True)  # noqa: FBT003 - the library's way to say it
        options.set_compression_type(DBCompressionType.none())
        options.set_write_buffer_size(32 * 1024 * 1024)
        self._rdict: Rdict = Rdict(str(directory / "index"), options)
        self._no_log = WriteOptions()
        self._no_log.disable_wal = True

    def index(self, first: int, digests: Sequence[bytes]) -> None:
        """Read the rows of all buckets at once, write them longer."""
        names = [key(bucket(digest, self._bits)) for digest in digests]
        before = dict(zip(names, self._rdict.get(names), strict=True))
        for version, (name, digest) in enumerate(zip(names, digests, strict=True), first):
            member = digest[:8] + version.to_bytes(MEMBER_BYTES - 8, "big")
            before[name] = (before[name] or b"") + member
        batch = WriteBatch(raw_mode=True)
        for name, row in before.items():
            batch.put(name, row)
        self._rdict.write(batch, self._no_log)

    def close(self) -> None:
        """Close the second database with its last rows in tables."""
        self._rdict.flush(wait=True)
        self._rdict.close()


class PageFile(Groups):
    """Groups, and the index in a file of pages, one for each prefix, read and written in place."""

    def __init__(self, directory: Path, events: int) -> None:
        """Create the file, empty pages and all."""
        super().__init__(directory, events)
        self._bits = prefix_bits(events, PAGE_ENTRIES)
        self._file = os.open(directory / "pages", os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, PAGE_BYTES << self._bits)
        self._counts = bytearray(1 << self._bits)

    def index(self, first: int, digests: Sequence[bytes]) -> None:
        """Read the page of each digest, put the entry in, write the page."""
        for version, digest in enumerate(digests, first):
            number = bucket(digest, self._bits)
            at = number * PAGE_BYTES
            page = bytearray(os.pread(self._file, PAGE_BYTES, at))
            place = self._counts[number] * ENTRY_BYTES
            page[place : place + ENTRY_BYTES] = digest + key(version)
            self._counts[number] = (self._counts[number] + 1) % (PAGE_BYTES // ENTRY_BYTES)
            os.pwrite(self._file, page, at)

    def close(self) -> None:
        """Bring what is still in memory to the disk, so that it is counted."""
        os.fdatasync(self._file)
        os.close(self._file)


LAYOUTS: dict[str, tuple[str, type]] = {
    "groups": ("groups alone, derived state in memory", Groups),
    "tiles": ("groups and tiles of 256 frozen hashes", Tiles),
    "rows": ("a row an event, node and digest", Rows),
    "buckets": ("groups, index as bucket rows", BucketRows),
    "pages": ("groups, index in a page file", PageFile),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `events` are those that were written, fewer if it was stopped."""

    layout: str
    title: str
    events: int
    finished: bool
    us_per_event: float
    events_per_s: float
    thread_cpu_us_per_event: float
    process_cpu_us_per_event: float
    syncs_per_s: float
    bare_syncs_per_s: float
    disk_bytes_per_event: float
    written_bytes_per_event: float
    backup_bytes_per_new_event: float


def groups(first: int, stop: int) -> Iterator[tuple[int, list[bytes], Hashes]]:
    """Yield the groups of some versions, with hashes for whatever a layout makes of them."""
    for version in range(first, stop, GROUP_EVENTS):
        data = os.urandom(GROUP_EVENTS * DIGEST_BYTES)
        digests = [data[i : i + DIGEST_BYTES] for i in range(0, len(data), DIGEST_BYTES)]
        yield version, digests, Hashes(2 * GROUP_EVENTS + 128)


def append(database: Database, layout: Layout, first: int, stop: int, limit_s: float) -> Clock:
    """Add events until `stop` or the limit; only the storing itself is on the clock."""
    clock = Clock(first)
    for version, digests, hashes in groups(first, stop):
        wall, thread, process = time.perf_counter(), time.thread_time(), time.process_time()
        layout.index(version, digests)
        database.commit(layout.puts(version, digests, hashes))
        clock.wall_s += time.perf_counter() - wall
        clock.thread_s += time.thread_time() - thread
        clock.process_s += time.process_time() - process
        clock.syncs += 1
        clock.size = version + len(digests)
        if clock.wall_s > limit_s:
            break
    return clock


@dataclass(slots=True)
class Clock:
    """What appending has cost so far; `size` is the number of events in the log."""

    size: int
    wall_s: float = 0.0
    thread_s: float = 0.0
    process_s: float = 0.0
    syncs: int = 0


def tables(database: Database, scratch: Path, number: int) -> dict[str, int]:
    """Return the files that a backup would hold now: name and size."""
    path = scratch / f"checkpoint-{number}"
    database.checkpoint(path)
    return {file.name: file.stat().st_size for file in path.glob("*.sst")}


def backup_bytes(database: Database, layout: Layout, scratch: Path, size: int) -> float:
    """Return the bytes that a second backup copies for each event that is new, one per cent each.

    Small logs are given at least ten groups a round. Only the primary rows are ever backed up.
    """
    step = max(size // 100 // GROUP_EVENTS, 10) * GROUP_EVENTS
    before = tables(database, scratch, 0)
    copied = 0
    for number in range(1, ROUNDS + 1):
        append(database, layout, size, size + step, float("inf"))
        size += step
        after = tables(database, scratch, number)
        copied += sum(size for name, size in after.items() if name not in before)
        before |= after
    return copied / (ROUNDS * step)


def measure(name: str, events: int, directory: Path, limit_s: float) -> Figure:
    """Fill one layout in a directory of its own, which is removed afterwards."""
    title, make = LAYOUTS[name]
    with tempfile.TemporaryDirectory(prefix="qed-layouts-", dir=directory) as scratch:
        store = Path(scratch) / "store"
        store.mkdir()
        probe_s = min(0.5, events / 100_000)
        bare = syncs_per_second(Path(scratch), probe_s)
        written = written_bytes(os.getpid())
        layout: Layout = make(store, events)
        with contextlib.closing(Database.create(store, layout.families)) as database:
            clock = append(database, layout, 0, events, limit_s)
            backup = backup_bytes(database, layout, Path(scratch), clock.size)
        layout.close()
        size = clock.size + ROUNDS * max(clock.size // 100 // GROUP_EVENTS, 10) * GROUP_EVENTS
        written = written_bytes(os.getpid()) - written
        disk = size_bytes(store)
        bare = (bare + syncs_per_second(Path(scratch), probe_s)) / 2
    return Figure(
        layout=name,
        title=title,
        events=clock.size,
        finished=clock.size == events,
        us_per_event=clock.wall_s / clock.size * 1e6,
        events_per_s=clock.size / clock.wall_s,
        thread_cpu_us_per_event=clock.thread_s / clock.size * 1e6,
        process_cpu_us_per_event=clock.process_s / clock.size * 1e6,
        syncs_per_s=clock.syncs / clock.wall_s,
        bare_syncs_per_s=bare,
        disk_bytes_per_event=disk / size,
        written_bytes_per_event=written / size,
        backup_bytes_per_new_event=backup,
    )


def table(figures: list[Figure]) -> str:
    """Return the figures for a person."""
    head = f"{'':40}{'events':>12}{'us':>7}{'events/s':>10}{'thread':>8}{'CPU us':>8}"
    head += f"{'syncs/s':>9}{'bare':>7}{'on disk':>9}{'written':>9}{'backup':>8}"
    lines = [head]
    for each in figures:
        stopped = "" if each.finished else "  stopped at the limit"
        lines.append(
            f"{each.title:40}{each.events:>12,}{each.us_per_event:>7.1f}{each.events_per_s:>10,.0f}"
            f"{each.thread_cpu_us_per_event:>8.2f}{each.process_cpu_us_per_event:>8.2f}"
            f"{each.syncs_per_s:>9,.0f}{each.bare_syncs_per_s:>7,.0f}"
            f"{each.disk_bytes_per_event:>9.1f}{each.written_bytes_per_event:>9.1f}"
            f"{each.backup_bytes_per_new_event:>8.0f}{stopped}"
        )
    lines += [
        "",
        "us: an event, hashes not counted · thread: CPU us an event of the thread that adds, above",
        "what it holds the interpreter · bare: fdatasyncs a second of 32 KiB each, nothing else ·",
        "on disk, written: bytes an event · backup: bytes copied for each new event",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--events", type=int, default=100_000, help="a multiple of 1,000")
    parser.add_argument("--only", action="append", choices=LAYOUTS, help="may be given again")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for a layout")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    machine = describe(options.directory)
    void_in_memory(machine, options.directory)
    figures: list[Figure] = []
    for name in options.only or LAYOUTS:
        print(f"{name} ...", file=sys.stderr)
        figures.append(measure(name, options.events, options.directory, options.limit))
    if options.json:
        print(json.dumps({"machine": machine, "figures": [dataclasses.asdict(f) for f in figures]}))
    else:
        print("\n".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
        print(table(figures))


if __name__ == "__main__":
    main()
