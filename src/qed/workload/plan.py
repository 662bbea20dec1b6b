"""What a load is: its kind, how much of it, how fast, and what the log holds already. Pure.

Events are numbered: number n is the bytes `event n` (another prefix with `label`), as QED's
workload names them, so that a later run can ask for what an earlier one added. Source: SPEC 8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from qed.client.config import parse_endpoint
from qed.errors import MalformedError

ADD, BULK, DIGESTS = "add", "bulk", "digests"
MEMBERSHIP, INCREMENTAL = "membership", "incremental"
MIXED = "mixed"
SIMPLE_KINDS = (ADD, BULK, DIGESTS, MEMBERSHIP, INCREMENTAL)
KINDS = (*SIMPLE_KINDS, MIXED)
ADDING_KINDS = frozenset({ADD, BULK, DIGESTS})
GROUP_KINDS = frozenset({BULK, DIGESTS})

NOTHING, SAMPLE, EVERYTHING = "none", "sample", "all"
VERIFY = (NOTHING, SAMPLE, EVERYTHING)

DEFAULT_MIX = ((ADD, 1), (MEMBERSHIP, 4), (INCREMENTAL, 1))
DEFAULT_REQUESTS = 100_000

MAX_CONNECTIONS = 10_000
MAX_BULK = 200_000
MAX_NUMBER = 2**53  # of events and requests
MAX_RATE = 1_000_000.0
MAX_TIME_S = 30 * 24 * 3600.0
MAX_WEIGHT = 1000
MAX_LABEL_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """One load. Every field but `kind` has QED's default, or none.

    Raises:
        MalformedError: a value that cannot be meant; the sentence names the field.
    """

    kind: str
    """One of KINDS."""

    endpoints: Sequence[str] = ("http://localhost:8800",)
    """Data ports of one log; the connections are shared out over them in turn."""

    connections: int = 10
    """How many requests are under way at a time at most (QED's `--max-go-routines`)."""

    num_requests: int | None = None
    """How many events are sent or asked about, as QED counts: a bulk of 20 is 20. For `mixed`,
    requests. None is 100,000, or no bound where there is a duration."""

    duration_s: float | None = None
    """How long new requests are sent, the warm-up not counted; None until all are sent."""

    warmup_s: float = 0.0
    """How long requests are sent, and checked, before the measuring begins."""

    rate: float | None = None
    """Requests a second, sent whether or not the earlier ones are answered (an open loop); a
    latency then counts from when its request was due. None: each connection sends its next
    request when it has the answer to the last (a closed loop)."""

    bulk_size: int = 20
    """Events in one request of the kinds `bulk` and `digests`."""

    offset: int = 0
    """The number of the first event that is sent or asked about; for incremental proofs the first
    start version."""

    size: int | None = None
    """How many events the log holds already, numbered from `offset`. Adding goes on behind them,
    and an answer that one of them is absent is wrong. None: adding starts at `offset`; questions
    are about `num_requests` events, or as many as the log has, which may be absent."""

    incremental_delta: int = 1000
    """How many versions lie between the two of an incremental proof."""

    mix: Sequence[tuple[str, int]] = DEFAULT_MIX
    """For `mixed`: how many of each kind, in any proportion."""

    label: str = "event "
    """What stands before an event's number."""

    seed: int | None = None
    """Draw what is asked about at random, the same again for the same seed; None: in order."""

    verify: str = SAMPLE
    """Which proofs are verified in full: `none`, a `sample`, or `all`, at about 11 us a proof where
    the native verifier was built, else 250 us. The form of every answer, and whether it is to the
    question, is always checked."""

    alone: bool = False
    """Nobody else adds meanwhile: a version that no answer named is then a false claim."""

    insecure: bool = False
    """Take a server's certificate unchecked."""

    timeout_s: float = 30.0
    """How long an answer may take before its connection is given up and an error counted."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and put lists into their one form."""
        _require(self.kind in KINDS, f"kind is {self.kind!r}; it is one of {', '.join(KINDS)}")
        _require(self.verify in VERIFY, f"verify is {self.verify!r}; it is none, sample or all")
        _require(bool(self.endpoints), "endpoints is empty; a load needs at least one")
        self._set("endpoints", tuple(parse_endpoint(each) for each in self.endpoints))
        self._set("mix", _read_mix(self.mix))
        _check_number("connections", self.connections, 1, MAX_CONNECTIONS)
        _check_number("bulk_size", self.bulk_size, 1, MAX_BULK)
        _check_number("offset", self.offset, 0, MAX_NUMBER)
        _check_number("incremental_delta", self.incremental_delta, 0, MAX_NUMBER)
        _check_number("num_requests", self.num_requests, 1, MAX_NUMBER, optional=True)
        _check_number("size", self.size, 0, MAX_NUMBER, optional=True)
        _check_number("seed", self.seed, 0, 2**64 - 1, optional=True)
        _check_time("duration_s", self.duration_s, optional=True, positive=True)
        _check_time("warmup_s", self.warmup_s)
        _check_time("timeout_s", self.timeout_s, positive=True)
        _require(
            self.rate is None or 0 < self.rate <= MAX_RATE,
            f"rate is {self.rate}; it is more than 0 and at most {MAX_RATE:g} a second",
        )
        _require(
            len(self.label.encode("utf-8", "surrogateescape")) <= MAX_LABEL_BYTES,
            f"label is longer than {MAX_LABEL_BYTES} bytes",
        )
        if self.num_requests is None and self.duration_s is None:
            self._set("num_requests", DEFAULT_REQUESTS)

    def _set(self, name: str, value: object) -> None:
        """Set a field of a frozen value while it is being made."""
        object.__setattr__(self, name, value)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The simple kinds that are sent, in the order of SIMPLE_KINDS."""
        if self.kind != MIXED:
            return (self.kind,)
        wanted = {kind for kind, weight in self.mix if weight}
        return tuple(kind for kind in SIMPLE_KINDS if kind in wanted)

    @property
    def adds(self) -> bool:
        """Whether anything is added."""
        return not ADDING_KINDS.isdisjoint(self.kinds)

    @property
    def request_limit(self) -> int | None:
        """How many requests are sent at most; None is no bound."""
        if self.num_requests is None or self.kind not in GROUP_KINDS:
            return self.num_requests
        return -(-self.num_requests // self.bulk_size)


def event_of(label: bytes, number: int) -> bytes:
    """Return the bytes of a numbered event: the label and the number in decimal."""
    return b"%b%d" % (label, number)


def read_plan(values: Mapping[str, Any]) -> Plan:
    """Return the plan of a JSON object with the fields of `Plan`; all but `kind` may be missing.

    Raises:
        MalformedError: an unknown field, or as Plan does.
    """
    known = {field.name for field in fields(Plan)}
    unknown = sorted(set(values) - known)
    _require(not unknown, f"a plan has no field {', '.join(unknown)}")
    _require("kind" in values, "the plan's field kind is missing")
    try:
        return Plan(**values)
    except (TypeError, AttributeError, ValueError) as error:
        raise MalformedError(f"the plan does not parse: {error}") from error


def build_plan(plan: Plan) -> dict[str, Any]:
    """Return the JSON object that `read_plan` reads."""
    return asdict(plan)


def _read_mix(mix: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    pairs = tuple((kind, weight) for kind, weight in mix)
    for kind, weight in pairs:
        _require(kind in SIMPLE_KINDS, f"mix has {kind!r}; it has {', '.join(SIMPLE_KINDS)}")
        _check_number(f"mix of {kind}", weight, 0, MAX_WEIGHT)
    kinds = [kind for kind, _ in pairs]
    _require(len(kinds) == len(set(kinds)), "mix names a kind twice")
    _require(any(weight for _, weight in pairs), "mix has nothing in it")
    return pairs


def _check_number(
    name: str, value: int | None, low: int, high: int, *, optional: bool = False
) -> None:
    if value is None and optional:
        return
    good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _require(good, f"{name} is {value!r}; it is a number from {low} to {high}")


def _check_time(
    name: str, value: float | None, *, optional: bool = False, positive: bool = False
) -> None:
    if value is None and optional:
        return
    good = isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= MAX_TIME_S
    good = good and (not positive or bool(value))
    least = "more than 0" if positive else "0"
    _require(good, f"{name} is {value!r}; it is {least} to {MAX_TIME_S:g} seconds")


def _require(good: bool, sentence: str) -> None:  # noqa: FBT001 - what is asserted comes first
    if not good:
        raise MalformedError(sentence)
