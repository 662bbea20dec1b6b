"""Two plots out of a run of the benchmarks: throughput and memory against the size of the log.

python benchmarks/run.py --large --json >docs/performance/results.json
python benchmarks/plots.py docs/performance/results.json docs/performance
"""

from __future__ import annotations

import html
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figure = dict[str, Any]
Points = list[tuple[float, float]]

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 40, 50
COLOURS = ("#1b6ca8", "#c8553d", "#2e8b57", "#8a5fa8", "#b8860b", "#4a4a4a", "#d1478c")
MIB = 1024 * 1024

THROUGHPUT = (
    ("kernel", "a group of 1,000, both trees", "kernel: both trees"),
    ("engine", "durable append, groups of 1,000", "engine: durable append"),
    ("engine", "check: every root again", "check"),
    ("lifecycle", "open after a clean stop", "open"),
    ("http", "digests, 1,000 a body, 4 connections", "HTTP: digests"),
    ("http", "single adds, 64 connections", "HTTP: single adds"),
    ("http", "membership proofs, 16 connections", "HTTP: membership proofs"),
)
MEMORY = (
    ("http", "filled by digests, 1,000 a body", "server MiB", "server, resident"),
    ("engine", "durable append, groups of 1,000", "memory MiB", "engine, resident"),
    ("engine", "durable append, groups of 1,000", "trees MiB", "both trees"),
    ("kernel", "both trees built at once, no root between", "hyper MiB", "hyper tree"),
    ("kernel", "both trees built at once, no root between", "history MiB", "history tree"),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis between two powers of ten."""

    low: int
    high: int
    start: float
    stop: float

    @classmethod
    def over(cls, values: list[float], start: float, stop: float) -> Axis:
        """Return the axis that holds some values."""
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(low, max(high, low + 1), start, stop)

    def at(self, value: float) -> float:
        """Return the place of a value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the powers of ten, and how they are written."""
        return [(10.0**power, _power(power)) for power in range(self.low, self.high + 1)]


def plot(title: str, vertical: str, lines: dict[str, Points]) -> str:
    """Return an SVG picture: events of the log to the right, both axes logarithmic."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    across = Axis.over([x for points in lines.values() for x, _ in points], LEFT, right)
    up = Axis.over([y for points in lines.values() for _, y in points], bottom, TOP)
    namespace = "http://www.w3.org/2000/svg"
    parts = [
        f'<svg xmlns="{namespace}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, title, size=15),
        _text(LEFT + (right - LEFT) / 2, HEIGHT - 12, "events in the log", anchor="middle"),
        _text(12, TOP - 6, vertical),
    ]
    for value, label in across.ticks():
        parts.append(_rule(across.at(value), bottom, across.at(value), TOP))
        parts.append(_text(across.at(value), bottom + 18, label, anchor="middle"))
    for value, label in up.ticks():
        parts.append(_rule(LEFT, up.at(value), right, up.at(value)))
        parts.append(_text(LEFT - 8, up.at(value) + 4, label, anchor="end"))
    for number, points in enumerate(lines.values()):
        places = [(across.at(x), up.at(y)) for x, y in points]
        parts += _line(places, COLOURS[number % len(COLOURS)])
    parts += _legend(list(lines), right + 20)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(places: Points, colour: str) -> list[str]:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    return [f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _legend(names: list[str], left: float) -> list[str]:
    parts = []
    for number, name in enumerate(names):
        y = TOP + 14 + 22 * number
        parts.append(
            f'<circle cx="{left}" cy="{y}" r="5" fill="{COLOURS[number % len(COLOURS)]}"/>'
        )
        parts.append(_text(left + 12, y + 4, name))
    return parts


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} fill="#222">{html.escape(text)}</text>'


def _power(power: int) -> str:
    small = {0: "1", 1: "10", 2: "100", 3: "1,000"}
    return small.get(power) or "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(power))


def series(figures: list[Figure], name: str, what: str, value: Callable[[Figure], float]) -> Points:
    """Return a value of one line of the tables at each size of the log."""
    rows = [each for each in figures if (each["benchmark"], each["what"]) == (name, what)]
    return [(each["events"], value(each)) for each in rows]


def main() -> None:
    """Read the results, write both plots."""
    results, directory = Path(sys.argv[1]), Path(sys.argv[2])
    figures: list[Figure] = json.loads(results.read_text())["figures"]
    throughput = {
        label: series(figures, name, what, lambda figure: float(figure["items_per_s"]))
        for name, what, label in THROUGHPUT
    }
    memory = {
        label: series(figures, name, what, lambda figure, key=key: float(figure["more"][key]))  # type: ignore[misc]
        for name, what, key, label in MEMORY
    }
    for file, title, vertical, lines in (
        ("throughput.svg", "Throughput against size", "a second", throughput),
        ("memory.svg", "Memory against size", "MiB", memory),
    ):
        filled = {name: points for name, points in lines.items() if points}
        (directory / file).write_text(plot(title, vertical, filled))


if __name__ == "__main__":
    main()
