"""What a load came to: counts, times and percentiles, for programs and for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qed.errors import QedError, UnavailableError, VerificationError

_BUSY_SHARE = 0.85  # of one core: above, the generator is the limit and not the server
_COLUMNS = ("", "requests", "items", "errors", "seconds", "requests/s", "items/s")
_TIMES = ("p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms")


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request, or all of them, within the measuring window."""

    kind: str
    requests: int
    """Requests that were answered as they should be."""

    items: int
    """Events that these added, or proofs that they brought."""

    errors: int
    """Requests that failed; none of them is in the figures beside it."""

    seconds: float
    """From the beginning of the window to the last answer."""

    latency_ms: Mapping[str, float]
    """`p50`, `p90`, `p99`, `p99.9`, `max` and `mean`."""

    @property
    def requests_per_s(self) -> float:
        """Answered requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def items_per_s(self) -> float:
        """Events or proofs a second."""
        return self.items / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, in the warm-up and after the window too."""

    answers: int = 0
    """Answers that were whole, of the right form and to the question."""

    absent: int = 0
    """Membership answers that said "it is not there"."""

    proofs_verified: int = 0
    """Proofs that were verified in full."""

    against_snapshots: int = 0
    """Of these, those whose roots all came with the acknowledgement of an addition of this run;
    the others were held against each other: all answers about a version imply the same root."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a load came to.

    `total` and `rows` (one a kind; a single kind has one row) count the measuring window only,
    everything else the whole run.
    """

    kind: str
    total: Row
    rows: Sequence[Row]
    generator_cpu_us: float
    """CPU of this process, in the window, for each request: user and system, checks included."""

    generator_share: float
    """The same as a share of one core; near 1 the generator was the limit."""

    generator_late_ms: float
    """Open loop: by how much this process itself began requests late, on average, although a
    connection was free. It is part of the latencies."""

    refused: int = 0
    """Answers of 503 or 429: nothing was done. A closed loop makes the request again."""

    errors: Mapping[str, int] = field(default_factory=dict)
    """What went wrong, and how often."""

    first_error: str = ""
    """The sentence of the first of them."""

    unsent: int = 0
    """Open loop: requests that were due and could not be sent before the end, since every
    connection was waiting. Their wait until the end is in the latencies."""

    events_added: int = 0
    """Events that were acknowledged, the warm-up included."""

    events_unknown: int = 0
    """Events that were sent and not acknowledged: they may be in the log."""

    events_by_others: int = 0
    """Versions that the log has got since the start and that no answer named."""

    next_number: int = 0
    """The number of the first event that was not sent: `offset + size` of the next plan."""

    first_version: int | None = None
    """The lowest version that was acknowledged."""

    last_version: int | None = None
    """The highest version that was acknowledged."""

    checked: Checked = Checked()
    window_s: tuple[float, float] = (0.0, 0.0)
    """Beginning and end of the window on CLOCK_MONOTONIC, to set other measurements beside it."""

    interrupted: bool = False
    """It was stopped (Ctrl-C) before its end."""

    failure: QedError | None = None
    """Why it ended before its time, a false claim (VerificationError) first of all."""

    @property
    def error(self) -> QedError | None:
        """What the caller should raise: `failure`, or that requests failed; None when all is well.

        An answer of 503 to which a repetition followed is no error.
        """
        if self.failure is not None:
            return self.failure
        failed = sum(self.errors.values())
        if failed:
            return UnavailableError(
                f"{failed} of {failed + self.checked.answers} requests failed: {self.first_error}"
            )
        return None


def format_result(result: Result) -> str:
    """Return the table and its remarks, for a person."""
    shown = [result.total] if len(result.rows) == 1 else [*result.rows, result.total]
    lines = [
        "".join([f"{_COLUMNS[0]:12}", *(f"{name:>12}" for name in _COLUMNS[1:])]),
        *(_format_counts(row) for row in shown),
        "",
        "".join([f"{'':12}", *(f"{name:>12}" for name in _TIMES)]),
        *(_format_times(row) for row in shown),
        "",
        *_remarks(result),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def document_of(result: Result) -> dict[str, Any]:
    """Return the JSON document of a result."""
    return {
        "Kind": result.kind,
        **_row_fields(result.total),
        "Kinds": {row.kind: _row_fields(row) for row in result.rows},
        "GeneratorCpuUs": round(result.generator_cpu_us, 2),
        "GeneratorShare": round(result.generator_share, 4),
        "GeneratorLateMs": round(result.generator_late_ms, 3),
        "Refused": result.refused,
        "ErrorsByKind": dict(result.errors),
        "FirstError": result.first_error,
        "Unsent": result.unsent,
        "EventsAdded": result.events_added,
        "EventsUnknown": result.events_unknown,
        "EventsByOthers": result.events_by_others,
        "NextNumber": result.next_number,
        "FirstVersion": result.first_version,
        "LastVersion": result.last_version,
        "Checked": {
            "Answers": result.checked.answers,
            "Absent": result.checked.absent,
            "ProofsVerified": result.checked.proofs_verified,
            "AgainstSnapshots": result.checked.against_snapshots,
        },
        "WindowBeganS": result.window_s[0],
        "WindowEndedS": result.window_s[1],
        "Interrupted": result.interrupted,
    }


def _row_fields(row: Row) -> dict[str, Any]:
    return {
        "Requests": row.requests,
        "Items": row.items,
        "Errors": row.errors,
        "Seconds": round(row.seconds, 6),
        "RequestsPerS": round(row.requests_per_s, 2),
        "ItemsPerS": round(row.items_per_s, 2),
        "LatencyMs": dict(row.latency_ms),
    }


def _format_counts(row: Row) -> str:
    counts = (f"{row.requests:,}", f"{row.items:,}", f"{row.errors:,}", f"{row.seconds:,.2f}")
    rates = (_format_rate(row.requests_per_s), _format_rate(row.items_per_s))
    return "".join([f"{row.kind:12}", *(f"{cell:>12}" for cell in (*counts, *rates))])


def _format_times(row: Row) -> str:
    names = ("p50", "p90", "p99", "p99.9", "max")
    cells = (f"{row.latency_ms[name]:,.2f}" if row.requests else "-" for name in names)
    return "".join([f"{row.kind:12}", *(f"{cell:>12}" for cell in cells)])


def _format_rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:,.1f}"  # noqa: PLR2004 - three digits


def _remarks(result: Result) -> list[str]:
    """Return the lines below the table, only those that have something to say."""
    checked = result.checked
    lines = [f"checked: {checked.answers:,} answers; {_verified(checked)}"]
    if checked.absent:
        lines.append(f"absent: {checked.absent:,} of the events asked about are not in the log")
    if result.events_added:
        lines.append(
            f"added: {result.events_added:,} events, versions {result.first_version}"
            f" to {result.last_version}; the next event is number {result.next_number}"
        )
    if result.events_unknown:
        lines.append(f"unknown: {result.events_unknown:,} events were sent and not acknowledged")
    if result.events_by_others:
        lines.append(f"others: {result.events_by_others:,} versions were named in no answer")
    if result.refused:
        lines.append(f"refused: {result.refused:,} times the server asked to come again later")
    if result.errors:
        counts = ", ".join(f"{name} {count:,}" for name, count in result.errors.items())
        lines.append(f"errors: {counts}; the first: {result.first_error}")
    if result.unsent:
        lines.append(
            f"unsent: {result.unsent:,} requests were due and found no free connection;"
            " their wait until the end is counted"
        )
    lines.append(_generator(result))
    if result.interrupted:
        lines.append("interrupted: this is what was measured until then")
    if isinstance(result.failure, VerificationError):
        lines.append("WRONG: the server's answer is false")
    return lines


def _verified(checked: Checked) -> str:
    if not checked.proofs_verified:
        return "no proof was verified in full"
    return (
        f"{checked.proofs_verified:,} proofs verified in full,"
        f" {checked.against_snapshots:,} of them against snapshots of this run"
    )


def _generator(result: Result) -> str:
    line = (
        f"load generator: {result.generator_cpu_us:,.1f} us CPU a request,"
        f" {result.generator_share:.0%} of a core"
    )
    if result.generator_late_ms:
        line += f", {result.generator_late_ms:.2f} ms late on average"
    if result.generator_share >= _BUSY_SHARE:
        line += "; it was the limit: run several, or on another machine"
    return line
