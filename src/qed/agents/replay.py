"""Replay from published leaves alone: does a log's history and map follow from its events?

A proof shows what a root says, not that the server put every event into it. So everything is
computed again: the history digest of every version, the hyper digest of every group, from the event
digests in the leaves, and compared with what the same leaves say. They were signed, so a difference
is a contradiction that anybody can check offline: the evidence holds the digests and the
checkpoint, and needs nothing else.

Groups are not published as such. One ends where the hyper digest changes, for a group's first
version is new in the map; and at a checkpoint, whose size is a group end (SPEC 1 and 10).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub

import structlog

from qed.agents.leaves import PART_LEAVES, Frontier, Part, join_parts, read_leaves
from qed.agents.replay_files import Position, ReplayFiles
from qed.client.evidence import new_replay
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.errors import ConflictError, ContradictionError
from qed.signing.checkpoint import Checkpoint
from qed.trees import kernel
from qed.trees.kernel import History, Hyper
from qed.trees.tiles import Node, prove_consistency
from qed.trees.values import DIGEST_BYTES, split_digests
from qed.trees.verify_log import verify_consistency

CACHE_BYTES = 1024**3  # what both trees may take of memory; digests beyond it are read from disk

# Called now and then with the events done and the events there are; what it raises ends the work.
Progress = Callable[[int, int], None]

COMMIT_EVENTS = 1 << 18  # in a long replay: what is done again after a kill


@dataclass(frozen=True, slots=True)
class Difference:
    """Where what was signed is not what the events lead to: the first such place of a log."""

    tree: str  # "history" or "hyper"
    first_version: int  # of its group
    last_version: int  # of its group, or the version itself
    published: bytes
    computed: bytes

    def __str__(self) -> str:
        where = f"version {self.last_version}"
        if self.tree == "hyper" and self.first_version != self.last_version:
            where = f"versions {self.first_version} to {self.last_version}"
        return (
            f"the {self.tree} digest signed for {where} is {self.published.hex()}, "
            f"the events lead to {self.computed.hex()}"
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """What a replay has compared, and all of it agreed."""

    events: int
    groups: int
    root: bytes


class Replayer:
    """Both trees and the snapshot log of one log, computed from its leaves. One thread's."""

    def __init__(
        self,
        files: ReplayFiles,
        origin: str,
        *,
        progress: Progress | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Go on where the files end: what they hold is computed and compared once more.

        What does not lead to the root that it led to when it was written is damage of our own: it
        is said, dropped, and the replay begins with version 0.

        Raises:
            ConflictError: the files are about another origin.

        Cost: for an event of the files, some 28 hashes.
        """
        self.files = files
        self.origin = origin
        self.difference: Difference | None = None
        self._cache_bytes = cache_bytes
        found = files.read_position() or Position(origin)
        if found.origin != origin:
            raise ConflictError(
                f"{files.directory} is about the log {found.origin}, not {origin}",
                hint="give each log a directory of its own (--state-path)",
            )
        self._begin(found)
        if found.caught:
            return  # a log that was caught is not replayed on: nothing later makes it right
        if found.size and not self._rebuild(found, progress or _ignore):
            structlog.get_logger().warning(
                "replayed files are damaged: starting over from the beginning",
                path=str(files.directory),
            )
            self._begin(Position(origin))

    def _begin(self, position: Position) -> None:
        """Keep of the files what a position says, and make empty trees."""
        self.files.cut(position.size, position.groups)
        self.caught = position.caught
        self._history = History(self.files.read_digests)
        self._hyper = Hyper(self._history, budget_bytes=self._cache_bytes)
        self._frontier = Frontier()
        self._open: list[Part] = []  # the leaves of the last run, which may go on
        self.false_history: dict[int, bytes] = {}

    @property
    def frontier(self) -> Frontier:
        """Up to where whole groups were replayed."""
        return self._frontier

    @property
    def size(self) -> int:
        """The events replayed, of whole groups."""
        return self._frontier.size

    @property
    def compared(self) -> Compared:
        """What was compared up to here."""
        return Compared(self.size, self.files.groups, self._frontier.root)

    @property
    def memory_bytes(self) -> int:
        """What both trees take."""
        return self._history.memory_bytes + self._hyper.memory_bytes

    def take(self, part: Part) -> None:
        """Replay the whole groups among authenticated leaves that follow on.

        The last run of equal hyper digests waits for the leaf after it, or for `finish`. The first
        difference stays in `difference`; the trees are the events' own, so replay goes on.
        """
        last = part.hyper_digests[-1]
        cut = part.stop
        while cut > part.first_version and part.hyper_digest(cut - 1) == last:
            cut -= 1
        if cut > part.first_version:
            done, part = part.split(cut)
            self._open.append(done)
            self.finish()
        elif self._open and self._open[-1].hyper_digests[-1] != last:
            self.finish()
        self._open.append(part)

    def finish(self) -> None:
        """Replay the last run too: at a checkpoint a group ends."""
        if self._open:
            waiting, self._open = join_parts(self._open), []
            self._replay(waiting)

    def commit(self, caught: str = "") -> None:
        """Make what was replayed durable, or with `caught` that the log was caught, and by what.

        Stop here: what was replayed since the last commit is replayed again after the next start.
        """
        position = Position(
            self.origin, self.size, self.files.groups, self._frontier.root, caught or self.caught
        )
        self.files.write_position(position)
        self.caught = position.caught

    def _replay(self, part: Part) -> None:
        """Compute what whole groups lead to, and compare."""
        hypers = part.hyper_digests
        changes = enumerate(pairwise(hypers), 1)
        stops = [*(at for at, (left, right) in changes if left != right), len(hypers)]
        counts = array("Q", map(sub, stops, [0, *stops]))
        signed = [hypers[stop - 1] for stop in stops]
        first = part.first_version
        # The file first: it is what the trees read digests from that memory has let go of.
        self.files.append(
            part.digests, [(first + at - 1, end) for at, end in zip(stops, signed, strict=True)]
        )
        plan = self._history.plan(part.digests)
        self._history.accept(plan)
        if plan.roots != part.history_digests:
            self._compare_histories(part, plan.roots)
        roots = self._hyper.extend(part.digests, counts)
        if roots != b"".join(signed):
            self._compare_hypers(first, stops, signed, split_digests(roots))
        self._frontier = self._frontier.extend(part.hashes)
        self._trim()

    def _compare_histories(self, part: Part, roots: bytes) -> None:
        both = zip(split_digests(part.history_digests), split_digests(roots), strict=True)
        for version, (published, computed) in enumerate(both, part.first_version):
            if published != computed:
                self.false_history[version] = published
                self._differ(Difference("history", version, version, published, computed))

    def _compare_hypers(
        self, first: int, stops: list[int], published: list[bytes], computed: list[bytes]
    ) -> None:
        groups = zip([0, *stops], stops, published, computed, strict=False)
        for start, stop, said, found in groups:
            if said != found:
                where = (first + start, first + stop - 1)
                self._differ(Difference("hyper", *where, published=said, computed=found))

    def _differ(self, difference: Difference) -> None:
        if self.difference is None or difference.last_version < self.difference.last_version:
            self.difference = difference

    def _trim(self) -> None:
        """Keep to the bound: the oldest digests go first, which the file holds too."""
        room = self._cache_bytes - self._hyper.memory_bytes
        if self._history.memory_bytes > room:
            self._history.forget(max(0, room))

    def _rebuild(self, position: Position, progress: Progress) -> bool:
        """Compute everything from the files; return whether it leads to where it led before."""
        group_ends = bytearray((position.size + 7) // 8)  # a bit a version: it ends a group
        for first, ends in self._stored_groups():
            digests = self.files.read_digests(first, ends[-1][0] + 1)
            plan = self._history.plan(digests)
            self._history.accept(plan)
            hashes: list[bytes] = []
            start = first
            for last, hyper_digest in ends:
                if last < start:
                    return False
                group_ends[last >> 3] |= 1 << (last & 7)
                here = slice((start - first) * DIGEST_BYTES, (last + 1 - first) * DIGEST_BYTES)
                hashes.append(
                    kernel.hash_leaves(start, digests[here], plan.roots[here], hyper_digest)
                )
                start = last + 1
            self._frontier = self._frontier.extend(b"".join(hashes))
            self._trim()
            progress(self.size, position.size)
        if (self.size, self._frontier.root) != (position.size, position.root):
            return False
        self._hyper.build(bytes(group_ends))
        return position.size == 0 or self._hyper.root == ends[-1][1]

    def _stored_groups(self) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
        """Yield the ends of whole groups, some thousands of events at a time, and the first one."""
        first, ends = 0, []
        for end in self.files.read_ends():
            ends.append(end)
            if end[0] + 1 - first >= PART_LEAVES:
                yield first, ends
                first, ends = end[0] + 1, []
        if ends:
            yield first, ends


def replay_to(
    replayer: Replayer,
    source: Source,
    trusted: Trusted,
    *,
    progress: Progress | None = None,
    watch: Callable[[Part], None] | None = None,
) -> None:
    """Replay the leaves of a source up to the trusted checkpoint; one that is behind adds nothing.

    The work is committed now and then on the way, and not at the end: the caller does that.

    Args:
        replayer: what goes on.
        source: who has the leaves.
        trusted: up to where they were signed.
        progress: called with the size reached and the size wanted.
        watch: shown each authenticated part before it is replayed.

    Raises:
        VerificationError: the source's leaves do not lead to the checkpoint; nothing was replayed
            that it does not cover.
        ContradictionError: what was signed is not what the events lead to, with the evidence; or
            the log was caught before.
        UnavailableError: the source does not answer.
    """
    if replayer.caught:
        raise ContradictionError(
            f"the log {replayer.origin} was caught before", hint=f"see {replayer.caught}"
        )
    report = progress or _ignore
    checkpoint = Checkpoint(trusted.origin, trusted.size, trusted.root)
    committed = replayer.size
    for part in read_leaves(source, replayer.frontier, checkpoint):
        if watch is not None:
            watch(part)
        replayer.take(part)
        report(replayer.size, checkpoint.size)
        if replayer.difference is not None:
            if replayer.size > replayer.difference.last_version + 1:
                break  # another group follows, so where the false one ends is certain
        elif replayer.size - committed >= COMMIT_EVENTS:
            replayer.commit()
            committed = replayer.size
    else:
        replayer.finish()
        report(replayer.size, checkpoint.size)
    if replayer.difference is not None:
        raise ContradictionError(
            f"the log {replayer.origin} contradicts itself: {replayer.difference}",
            step=replayer.difference.tree,
            hint="stop trusting it, and keep the evidence",
            evidence=_encode_evidence(replayer, source, trusted),
        )


def _encode_evidence(replayer: Replayer, source: Source, trusted: Trusted) -> bytes:
    """Return the evidence of the difference: the events up to there, tied to the checkpoint.

    Raises:
        VerificationError: the hashes that the source has do not tie them; it is asked again later.
    """
    size = replayer.size

    def read(nodes: Sequence[Node]) -> Sequence[bytes]:
        return source.read_nodes(nodes, trusted.size)

    proof = prove_consistency(read, size, trusted.size)
    verify_consistency(size, replayer.frontier.root, trusted.size, trusted.root, proof)
    return new_replay(
        trusted.note,
        digests=replayer.files.read_digests(0, size),
        ends=tuple(replayer.files.read_ends()),
        history=replayer.false_history,
        consistency=proof,
        found=str(replayer.difference),
    ).encode()


def _ignore(_done: int, _total: int) -> None:
    pass
