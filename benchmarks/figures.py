"""What a benchmark hands back, and the tables that are made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_COLUMNS = ("events", "items/s", "us", "hashes", "CPU us", "syncs/s", "of disk", "p50 ms", "p99 ms")
_WIDTHS = (12, 11, 9, 9, 8, 8, 8, 8, 8)


@dataclass(frozen=True, slots=True)
class Floor:
    """What the project asks of a figure, and what was measured."""

    what: str
    measured: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the measurement is on the right side of the limit."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        """Return it as the table shows it."""
        sign = "at least" if self.at_least else "at most"
        verdict = "met" if self.met else "NOT MET"
        measured = _number(self.measured)
        return f"{self.what} {sign} {_number(self.limit)}: {measured}, {verdict}"


def at_least(what: str, measured: float, limit: float) -> Floor:
    """Return a floor for something of which more is better."""
    return Floor(what, measured, limit, at_least=True)


def at_most(what: str, measured: float, limit: float) -> Floor:
    """Return a floor for something of which less is better."""
    return Floor(what, measured, limit, at_least=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table. What does not apply is None.

    `events` is the size of the log, `bare_hashes_per_s` and `bare_syncs_per_s` what the machine did
    alone in the same run: two-block hashes as the kernel makes them, and syncs of 32 KiB.
    """

    benchmark: str
    what: str
    events: int
    items_per_s: float
    bare_hashes_per_s: float | None = None
    bare_syncs_per_s: float | None = None
    cpu_us: float | None = None
    syncs_per_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    more: dict[str, float] = field(default_factory=dict)
    floors: tuple[Floor, ...] = ()

    @property
    def hashes(self) -> float | None:
        """The time of an item in bare hashes."""
        return self.bare_hashes_per_s and self.bare_hashes_per_s / self.items_per_s

    @property
    def of_disk(self) -> float | None:
        """The syncs a second as a share of the disk's own rate."""
        if self.bare_syncs_per_s is None or self.syncs_per_s is None:
            return None
        return self.syncs_per_s / self.bare_syncs_per_s

    def with_floors(self, *floors: Floor) -> Figure:
        """Return the figure with what is asked of it."""
        return dataclasses.replace(self, floors=(*self.floors, *floors))

    def with_more(self, **more: float) -> Figure:
        """Return the figure with more to say below its line."""
        return dataclasses.replace(self, more={**self.more, **more})


def median(figures: Sequence[Figure]) -> Figure:
    """Return the run with the median rate, how far the others lie apart noted in it."""
    ordered = sorted(figures, key=lambda figure: figure.items_per_s)
    middle = ordered[len(ordered) // 2]
    if len(ordered) == 1:
        return middle
    spread = (ordered[-1].items_per_s - ordered[0].items_per_s) / middle.items_per_s
    return middle.with_more(**{"spread %": 100 * spread})


def repeat(runs: int, measure: Callable[[], Figure]) -> Figure:
    """Measure some times and return the median run."""
    return median([measure() for _ in range(runs)])


def table(figures: Iterable[Figure]) -> str:
    """Return the figures for a person, each benchmark under its name, its floors below a line."""
    lines: list[str] = []
    benchmark = ""
    for each in figures:
        if each.benchmark != benchmark:
            benchmark = each.benchmark
            heads = "".join(f"{c:>{w}}" for c, w in zip(_COLUMNS, _WIDTHS, strict=True))
            lines += ["", f"{benchmark:44}{heads}"]
        lines.append(_line(each))
        if each.more:
            lines.append("    " + " · ".join(f"{k} {_number(v)}" for k, v in each.more.items()))
        lines += [f"    floor: {floor}" for floor in each.floors]
    return "\n".join(lines)


def growth(figures: Iterable[Figure]) -> str:
    """Return how the time of an item grows from the smallest log to the largest, line by line."""
    rows: dict[tuple[str, str], list[Figure]] = {}
    for each in figures:
        rows.setdefault((each.benchmark, each.what), []).append(each)
    lines = ["", "growth: the time of an item by the size of the log, against the smallest"]
    for (benchmark, what), row in rows.items():
        if len(row) == 1:
            continue
        first = row[0].items_per_s
        steps = [f"{_exponent(f.events)} {first / f.items_per_s:.2f}" for f in row]
        lines.append(f"  {f'{benchmark}: {what}':56}" + "  ".join(steps))
    return "\n".join(lines) if len(lines) > 2 else ""


def verdict(figures: Iterable[Figure]) -> str:
    """Return one line: how many floors were met, and those that were not."""
    floors = [(figure, floor) for figure in figures for floor in figure.floors]
    missed = [
        f"  {figure.benchmark}: {figure.what}: {floor}" for figure, floor in floors if not floor.met
    ]
    head = f"{len(floors) - len(missed)} of {len(floors)} floors met"
    return "\n".join(["", head, *missed])


def document(figure: Figure) -> dict[str, Any]:
    """Return the figure as a JSON object."""
    derived = {"hashes": figure.hashes, "of_disk": figure.of_disk}
    floors = [{**dataclasses.asdict(floor), "met": floor.met} for floor in figure.floors]
    return {**dataclasses.asdict(figure), **derived, "floors": floors}


def _line(each: Figure) -> str:
    cells = (
        f"{each.events:,}",
        _number(each.items_per_s),
        _number(1e6 / each.items_per_s),
        _number(each.hashes),
        _number(each.cpu_us),
        _number(each.syncs_per_s),
        "-" if each.of_disk is None else f"{each.of_disk:.0%}",
        _number(each.p50_ms),
        _number(each.p99_ms),
    )
    row = "".join(f"{c:>{w}}" for c, w in zip(cells, _WIDTHS, strict=True))
    return f"  {each.what:42}{row}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _exponent(events: int) -> str:
    power = len(str(events)) - 1
    return f"10^{power}" if events == 10**power else f"{events:,}"
