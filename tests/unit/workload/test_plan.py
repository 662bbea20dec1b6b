"""Plans: what can be meant, QED's defaults, and there and back through JSON."""

import json

import pytest

from qed.errors import MalformedError
from qed.workload.plan import KINDS, Plan, build_plan, event_of, read_plan


def test_the_defaults_are_qeds():
    plan = Plan("add")

    assert plan.endpoints == ("http://localhost:8800",)
    assert (plan.num_requests, plan.bulk_size, plan.offset) == (100_000, 20, 0)
    assert (plan.incremental_delta, plan.connections, plan.insecure) == (1000, 10, False)


def test_a_duration_takes_the_bound_from_the_number():
    assert Plan("add", duration_s=1.0).num_requests is None
    assert Plan("add", duration_s=1.0, num_requests=5).num_requests == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "add"},
        {"kind": "mixed", "mix": (("add", 1), ("membership", 3)), "seed": 7, "rate": 10.5},
        {"kind": "membership", "endpoints": ["https://a:1", "http://b"], "size": 9, "alone": True},
    ],
)
def test_a_plan_survives_json(fields):
    plan = read_plan(fields)

    assert read_plan(json.loads(json.dumps(build_plan(plan)))) == plan


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "kind"),
        ({"kind": "adds"}, "kind"),
        ({"kind": "add", "knd": 1}, "knd"),
        ({"kind": "add", "connections": 0}, "connections"),
        ({"kind": "add", "connections": True}, "connections"),
        ({"kind": "add", "connections": "8"}, "connections"),
        ({"kind": "add", "num_requests": 0}, "num_requests"),
        ({"kind": "add", "offset": -1}, "offset"),
        ({"kind": "add", "size": -1}, "size"),
        ({"kind": "add", "bulk_size": 0}, "bulk_size"),
        ({"kind": "add", "incremental_delta": -1}, "incremental_delta"),
        ({"kind": "add", "rate": 0}, "rate"),
        ({"kind": "add", "rate": float("nan")}, "rate"),
        ({"kind": "add", "rate": float("inf")}, "rate"),
        ({"kind": "add", "duration_s": 0}, "duration_s"),
        ({"kind": "add", "duration_s": float("inf")}, "duration_s"),
        ({"kind": "add", "warmup_s": -1}, "warmup_s"),
        ({"kind": "add", "timeout_s": 0}, "timeout_s"),
        ({"kind": "add", "seed": -1}, "seed"),
        ({"kind": "add", "label": "x" * 2000}, "label"),
        ({"kind": "add", "verify": "some"}, "verify"),
        ({"kind": "add", "endpoints": []}, "endpoints"),
        ({"kind": "add", "endpoints": ["localhost:8800"]}, "scheme"),
        ({"kind": "mixed", "mix": []}, "mix"),
        ({"kind": "mixed", "mix": [["add", 0]]}, "mix"),
        ({"kind": "mixed", "mix": [["mixed", 1]]}, "mix"),
        ({"kind": "mixed", "mix": [["add", 1], ["add", 2]]}, "mix"),
        ({"kind": "mixed", "mix": [["add"]]}, "parse"),
        ({"kind": "mixed", "mix": [["add", -1]]}, "mix"),
        ({"kind": "add", "rate": "fast"}, "parse"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, named):
    with pytest.raises(MalformedError, match=named):
        read_plan(fields)


def test_which_kinds_are_sent():
    assert Plan("bulk").kinds == ("bulk",)
    mixed = Plan("mixed", mix=[("membership", 1), ("add", 2), ("bulk", 0)])
    assert mixed.kinds == ("add", "membership")
    assert [kind for kind in KINDS if Plan(kind).adds] == ["add", "bulk", "digests", "mixed"]
    assert not Plan("mixed", mix=[("membership", 1)], size=1).adds


@pytest.mark.parametrize(
    ("kind", "requests"), [("add", 101), ("bulk", 6), ("digests", 6), ("mixed", 101)]
)
def test_a_bulk_counts_its_events(kind, requests):
    assert Plan(kind, num_requests=101, bulk_size=20).request_limit == requests


def test_events_are_named_as_qed_names_them():
    assert event_of(b"event ", 7) == b"event 7"
