"""Leaves that follow on, cut into batches for a store: whole groups, and no more than fits.

Groups are not published as such. One ends where the hyper digest changes, and at a checkpoint,
whose size is a group end (SPEC 1 and 10). So the last run of equal hyper digests waits for the leaf
after it, or for the end. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qed.agents.leaves import Part, join_parts

BATCH_LEAVES = 32_768


def cut_batches(
    parts: Iterable[Part], stop: int, batch_leaves: int = BATCH_LEAVES
) -> Iterator[Part]:
    """Yield the leaves of parts that follow on, up to `stop`, a checkpoint's size, as batches.

    A batch has at most `batch_leaves`, unless a single group has more: groups are never cut. A
    batch is yielded as soon as it is full, or no more parts come. Memory: one batch, one group and
    one part.
    """
    held: list[Part] = []
    for part in parts:
        held.append(part)
        if part.stop < stop and part.stop - held[0].first_version <= batch_leaves:
            continue
        whole: Part | None = join_parts(held)
        while whole is not None and (cut := _first_cut(whole, stop, batch_leaves)):
            batch, whole = (whole, None) if cut == whole.stop else whole.split(cut)
            yield batch
        held = [] if whole is None else [whole]


def _first_cut(whole: Part, stop: int, batch_leaves: int) -> int:
    """Return the version before which to cut, 0 when more leaves are needed to know one."""
    first, end = whole.first_version, whole.stop
    limit = first + batch_leaves
    if end == stop and end <= limit:
        return end
    if end <= limit:
        return 0
    ends = whole.hyper_digests
    # The last group end within the limit, else the first one beyond it.
    for version in range(limit, first, -1):
        if ends[version - first] != ends[version - first - 1]:
            return version
    for version in range(limit + 1, end):
        if ends[version - first] != ends[version - first - 1]:
            return version
    return end if end == stop else 0
