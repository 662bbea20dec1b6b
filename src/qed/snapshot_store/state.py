"""Where a store stands, as one value: what its rows say, and what opening them must find.

`verify_rows` recomputes it from every leaf. Nothing is served of a database in which a row says
otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from qed.database import Database
from qed.errors import VerificationError
from qed.signing.checkpoint import open_checkpoint
from qed.signing.note import VerifierKey
from qed.snapshot_store import rows
from qed.snapshot_store.claims import Claim
from qed.trees import kernel
from qed.trees.snapshot_log import EMPTY_ROOT, root
from qed.trees.values import DIGEST_BYTES
from qed.trees.verify_log import verify_consistency

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class State:
    """A store after its last batch; replaced as a whole, so that every reader sees one instant.

    `published` is the newest checkpoint of which every leaf is here, `cover` the one that the last
    leaves came with, whose path leads from their root. `waiting` are signed checkpoints beyond the
    leaves, by size: once the leaves get there, the root must be theirs.
    """

    size: int = 0
    peaks: bytes = b""
    root: bytes = EMPTY_ROOT
    published: Claim | None = None
    cover: Claim | None = None
    waiting: Mapping[int, Claim] = field(default_factory=dict)
    kept_size: int = 0  # of the newest checkpoint in `notes` that is not waiting


def read_key(database: Database) -> str:
    """Return the text of the verifier key that the store was created for."""
    format_value, key_value = database.get(rows.META, [rows.FORMAT_KEY, rows.KEY_KEY])
    rows.check_format(format_value)
    return rows.decode_key(key_value)


def verify_rows(database: Database, key: VerifierKey, progress: Progress | None = None) -> State:
    """Return the state that the rows give, every hash recomputed from the leaves.

    Raises: DamagedError with the name of a row that contradicts the others, that is missing, or
    whose note the key did not sign.

    Cost: one pass over the leaves; about a second for each four million.
    """
    head, published_note, cover_value = database.get(
        rows.META, [rows.HEAD_KEY, rows.PUBLISHED_KEY, rows.COVER_KEY]
    )
    size, head_root = rows.decode_head(head)
    published = None if published_note is None else _claim(published_note, key, "published")
    cover = rows.decode_cover(cover_value)
    notes = _read_notes(database, key)
    marks = [(rows.name_row(rows.NOTES, one.size), one) for one in notes if one.size <= size]
    if published is not None:
        if published.size > size:
            raise rows.damaged("default/published", f"has {published.size} leaves of {size}")
        marks.append(("default/published", published))
    peaks = _replay(database, size, marks, progress)
    if root(peaks) != head_root:
        raise rows.damaged("default/head", f"has another root than the {size} leaves")
    state = State(
        size=size,
        peaks=peaks,
        root=head_root,
        published=published,
        cover=None if cover is None else _verify_cover(cover, key, size, head_root),
        waiting={claim.size: claim for claim in notes if claim.size > size},
        kept_size=max((claim.size for claim in notes if claim.size <= size), default=0),
    )
    if size and state.cover is None:
        raise rows.damaged("default/cover", f"is missing, and there are {size} leaves")
    return state


def _claim(note: bytes, key: VerifierKey, row: str, path: tuple[bytes, ...] = ()) -> Claim:
    try:
        return Claim(note, open_checkpoint(note, key), path)
    except VerificationError as error:
        name = row if "/" in row else f"default/{row}"
        raise rows.damaged(name, f"holds no note of the log: {error.message}") from error


def _verify_cover(cover: rows.Cover, key: VerifierKey, size: int, head_root: bytes) -> Claim:
    claim = _claim(cover.note, key, "cover", cover.path)
    try:
        verify_consistency(size, head_root, claim.size, claim.root, claim.path)
    except VerificationError as error:
        raise rows.damaged(
            "default/cover", f"does not cover the leaves: {error.message}"
        ) from error
    return claim


def _read_notes(database: Database, key: VerifierKey) -> list[Claim]:
    found = []
    for row_key, note in database.scan(rows.NOTES, b""):
        name = rows.name_row(rows.NOTES, rows.decode_version(rows.NOTES, row_key))
        claim = _claim(note, key, name)
        if rows.name_row(rows.NOTES, claim.size) != name:
            raise rows.damaged(name, f"holds a checkpoint of size {claim.size}")
        found.append(claim)
    return found


def _replay(
    database: Database,
    size: int,
    marks: Sequence[tuple[str, Claim]],
    progress: Progress | None,
) -> bytes:
    """Return the peaks over all leaves; each node's row, and each mark's root, must be right."""
    nodes = _Nodes(database)
    stops = iter([*sorted({claim.size for _, claim in marks}), size])
    stop = next(stops)
    at, peaks = 0, b""
    for row in database.scan(rows.LEAVES, b""):
        run = rows.decode_run(row)
        if run.first != at:
            raise rows.damaged(rows.name_row(rows.LEAVES, at), "is missing or out of its place")
        hashes = run.hash_leaves()
        while hashes:
            part, hashes = _cut(hashes, stop - at)
            peaks, completed = kernel.extend_snapshots(at, peaks, part)
            nodes.compare(completed)
            at += len(part) // DIGEST_BYTES
            if at == stop:
                _check_marks(peaks, [mark for mark in marks if mark[1].size == stop])
                stop = next(stops, 2**63)
        if progress is not None:
            progress(at, size)
    if at != size:
        raise rows.damaged("default/head", f"says {size} leaves, and there are {at}")
    nodes.finish()
    return peaks


def _cut(hashes: bytes, leaves: int) -> tuple[bytes, bytes]:
    return hashes[: leaves * DIGEST_BYTES], hashes[leaves * DIGEST_BYTES :]


def _check_marks(peaks: bytes, marks: Sequence[tuple[str, Claim]]) -> None:
    for name, claim in marks:
        if root(peaks) != claim.root:
            raise rows.damaged(name, "has another root than the leaves under it")


class _Nodes:
    """The rows of nodes, each level read along with the leaves."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._levels: dict[int, Iterator[tuple[bytes, bytes]]] = {}

    def compare(self, completed: list[tuple[int, int, bytes]]) -> None:
        for level, index, node in completed:
            if level not in self._levels:
                start, stop = rows.node_key(level, 0), rows.node_key(level + 1, 0)
                self._levels[level] = self._database.scan(rows.NODES, start, stop)
            found = next(self._levels[level], None)
            if found != (rows.node_key(level, index), node):
                raise rows.damaged(f"nodes/{level}/{index}", "is not the hash over its leaves")

    def finish(self) -> None:
        first_other = rows.node_key(max(self._levels, default=0) + 1, 0)
        rest = self._database.scan(rows.NODES, first_other)
        for key, _ in itertools.chain(*self._levels.values(), rest):
            raise rows.damaged(
                f"nodes/{key[2]}/{key[3:].hex()}", "is over leaves that are not here"
            )
