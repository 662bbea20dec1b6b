"""Replay: the groups, read back in order. Everything else a log holds is a function of them.

Opening after a crash, `check` and a restore all read groups here, so that what one of them takes
for damage the others do too: a gap, an overlap, a group without its end or an end without its
group, a length that is no multiple of a digest's, a head that the rows do not lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from qed.database import Database
from qed.engine import rows
from qed.engine.group import newest_entries
from qed.engine.rows import Head, Identity, StoredGroup
from qed.engine.state import State, View, empty_head
from qed.errors import DamagedError
from qed.trees import hyper
from qed.trees.hyper import Tree
from qed.trees.values import DIGEST_BYTES

# Called now and then with the events done and the events there are. What it raises ends the replay.
Progress = Callable[[int, int], None]

_PART_EVENTS = 20_000  # hashed between two reports where more than these wait


@dataclass(frozen=True, slots=True)
class Verified:
    """A group end up to which the hyper digests of all groups were compared with replay once.

    `ends_digest` is the SHA-256 over the hyper digests of all groups up to there, so that a row
    that has changed since is noticed.
    """

    log_id: bytes
    size: int
    history_digest: bytes
    hyper_digest: bytes
    ends_digest: bytes


def read_meta(database: Database) -> tuple[Identity, Head]:
    """Return what the meta rows say; they have not been compared with the groups.

    A later format is a `NewerFormatError`, rows that are missing or contradict each other a
    `DamagedError`.
    """
    keys = [rows.FORMAT_KEY, rows.LOG_KEY, rows.NODE_KEY, rows.HEAD_KEY]
    format_value, log_value, node_value, head_value = database.get(rows.META, keys)
    if format_value is None:
        raise DamagedError("the row default/format is missing", hint=rows.RESTORE_HINT)
    rows.check_format(format_value)
    identity = rows.decode_identity(log_value, node_value)
    head = rows.decode_head(head_value)
    if head.log_id != identity.log_id:
        raise DamagedError(
            f"the row default/head is of log {head.log_id.hex()}, "
            f"default/log of {identity.log_id.hex()}",
            hint=rows.RESTORE_HINT,
        )
    return identity, head


def read_groups(database: Database) -> Iterator[StoredGroup]:
    """Yield every group in order; rows that contradict their neighbours are a `DamagedError`."""
    expected = 0
    both = zip_longest(database.scan(rows.LOG, b""), database.scan(rows.ENDS, b""))
    for log_row, end_row in both:
        if log_row is None:
            name = rows.name_row(rows.ENDS, rows.decode_version(rows.ENDS, end_row[0]))
            raise DamagedError(f"the row {name} ends no group", hint=rows.RESTORE_HINT)
        first_version = rows.decode_version(rows.LOG, log_row[0])
        if first_version != expected:
            raise DamagedError(
                f"the row {rows.name_row(rows.LOG, first_version)} does not follow on: "
                f"the next version is {expected}",
                hint=rows.RESTORE_HINT,
            )
        if end_row is None:
            raise DamagedError(
                f"the row {rows.name_row(rows.LOG, first_version)} has no end row",
                hint=rows.RESTORE_HINT,
            )
        group = rows.decode_group(log_row, end_row)
        yield group
        expected = group.end_version


def replay(
    database: Database,
    head: Head,
    verified: Verified | None = None,
    progress: Progress | None = None,
) -> State:
    """Return the state that the groups lead to, each group's hyper digest and the head compared.

    With `verified` the groups up to there are added together, and only what stands at its end is
    compared. If that does not agree in every digest, `verified` is dropped and every group is
    compared: so it saves time and decides nothing. Any contradiction is a `DamagedError` that
    names the row.

    Cost: two history hashes an event; about 25 hyper hashes an event and group, up to `verified`
    about ten.
    """
    report = progress or _ignore
    if verified is not None and verified.log_id == head.log_id and verified.size <= head.size:
        state = _replay_from(database, head, verified, report)
        if state is not None:
            return state
    state = _replay_from(database, head, None, report)
    if state is None:
        raise AssertionError("a replay from the start compares with nothing")
    return state


def _replay_from(
    database: Database, head: Head, verified: Verified | None, report: Progress
) -> State | None:
    """Replay; None when the groups contradict `verified`."""
    state = State(View(empty_head(head.log_id), None))
    skip = verified.size if verified is not None else 0
    tree: Tree = None
    unhashed: dict[bytes, int] = {}
    sequence = 0
    for group in read_groups(database):
        digests = group.event_digests()
        entries = newest_entries(group.first_version, digests)
        state.freeze(digests)
        state.end_group(group.hyper_digest)
        sequence += 1
        if group.end_version < skip:
            unhashed.update(entries)
        elif group.end_version == skip:
            unhashed.update(entries)
            for part in _cut(unhashed):
                if tree is not None:
                    report(group.end_version, head.size)
                tree = hyper.insert(tree, part)
            unhashed = {}
            if verified != _verified_here(state, head.log_id, tree):
                return None
            _compare_end(group, tree)
        elif unhashed:
            return None  # no group ends where it says
        else:
            tree = hyper.insert(tree, list(entries.items()))
            _compare_end(group, tree)
        report(group.end_version, head.size)
    _compare_head(head, state, tree, sequence)
    state.stand_at(head, tree)
    return state


def _cut(entries: Mapping[bytes, int]) -> Iterator[list[tuple[bytes, int]]]:
    """Yield the entries in parts, in order of digest: so two parts share a few nodes only."""
    ordered = sorted(entries.items())
    for start in range(0, len(ordered), _PART_EVENTS):
        yield ordered[start : start + _PART_EVENTS]


def _verified_here(state: State, log_id: bytes, tree: Tree) -> Verified:
    return Verified(log_id, state.size, state.history_root(), hyper.root(tree), state.ends_digest)


def _compare_end(group: StoredGroup, tree: Tree) -> None:
    if group.hyper_digest != hyper.root(tree):
        raise DamagedError(
            f"the row {rows.name_row(rows.ENDS, group.end_version - 1)} has the hyper digest "
            f"{group.hyper_digest.hex()}, the groups lead to {hyper.root(tree).hex()}",
            hint=rows.RESTORE_HINT,
        )


def _compare_head(head: Head, state: State, tree: Tree, sequence: int) -> None:
    """Compare the head row with what the groups lead to."""
    expected = replace(
        head,
        sequence=sequence,
        size=state.size,
        history_digest=state.history_root() if state.size else bytes(DIGEST_BYTES),
        hyper_digest=hyper.root(tree),
    )
    for field in ("size", "sequence", "history_digest", "hyper_digest"):
        is_, should = getattr(head, field), getattr(expected, field)
        if is_ != should:
            raise DamagedError(
                f"the row default/head has the {field.replace('_', ' ')} {_show(is_)}, "
                f"the groups lead to {_show(should)}",
                hint=rows.RESTORE_HINT,
            )


def _show(value: int | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _ignore(_done: int, _total: int) -> None:
    pass
