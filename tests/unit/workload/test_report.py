"""What a result says to people and to programs."""

import dataclasses
import json

import pytest

from qed.errors import NotProvenError, UnavailableError, VerificationError
from qed.workload.report import Checked, Result, Row, document_of, format_result

TIMES = {"p50": 1.25, "p90": 2.0, "p99": 3.0, "p99.9": 4.0, "max": 5.0, "mean": 1.5}
ROW = Row("add", 1000, 1000, 0, 2.0, TIMES)
RESULT = Result(
    kind="add",
    total=ROW,
    rows=[ROW],
    generator_cpu_us=17.8,
    generator_share=0.2,
    generator_late_ms=0.0,
    events_added=1000,
    next_number=1000,
    first_version=0,
    last_version=999,
    checked=Checked(1100, 0, 120, 100),
)


def with_fields(**fields):
    return dataclasses.replace(RESULT, **fields)


def test_the_table_has_the_counts_and_the_percentiles():
    text = format_result(RESULT)

    lines = text.splitlines()
    assert lines[0].split() == ["requests", "items", "errors", "seconds", "requests/s", "items/s"]
    assert lines[1].split() == ["add", "1,000", "1,000", "0", "2.00", "500", "500"]
    assert lines[4].split() == ["add", "1.25", "2.00", "3.00", "4.00", "5.00"]
    assert "load generator: 17.8 us CPU a request, 20% of a core" in lines
    assert "checked: 1,100 answers; 120 proofs verified in full, 100 of them against" in text
    assert "versions 0 to 999; the next event is number 1000" in text
    assert all(line == line.rstrip() for line in lines)


def test_a_mix_has_a_row_for_each_kind():
    total = dataclasses.replace(ROW, kind="total")
    other = dataclasses.replace(ROW, kind="membership", requests=0)

    text = format_result(with_fields(total=total, rows=[ROW, other]))

    firsts = [line.split()[0] for line in text.splitlines() if line.split()]
    assert firsts.count("add") == firsts.count("membership") == firsts.count("total") == 2


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"generator_share": 0.9}, "it was the limit"),
        ({"generator_late_ms": 0.5}, "0.50 ms late on average"),
        ({"refused": 3}, "refused: 3 times"),
        ({"errors": {"status 500": 2}, "first_error": "broken"}, "errors: status 500 2; the first"),
        ({"unsent": 7}, "unsent: 7 requests were due"),
        ({"events_unknown": 4}, "unknown: 4 events"),
        ({"events_by_others": 5}, "others: 5 versions"),
        ({"interrupted": True}, "interrupted"),
        ({"failure": VerificationError("no")}, "WRONG"),
        ({"checked": Checked(10, 2)}, "absent: 2 of the events"),
        ({"checked": Checked(10)}, "no proof was verified in full"),
    ],
)
def test_what_happened_is_said_and_only_then(fields, line):
    assert line in format_result(with_fields(**fields))
    if line != "no proof was verified in full":
        assert line not in format_result(RESULT)


def test_the_document_is_json_and_has_it_all():
    document = json.loads(json.dumps(document_of(RESULT)))

    assert document["RequestsPerS"] == document["Kinds"]["add"]["RequestsPerS"] == 500.0
    assert document["LatencyMs"]["p99.9"] == 4.0
    assert document["Checked"]["ProofsVerified"] == 120
    assert document["NextNumber"] == 1000


def test_all_is_well_where_nothing_failed():
    assert RESULT.error is None
    assert with_fields(refused=5).error is None


def test_requests_that_failed_are_an_error():
    error = with_fields(errors={"status 500": 2, "lost": 1}, first_error="broken").error

    assert isinstance(error, UnavailableError)
    assert error.message == "3 of 1103 requests failed: broken"


@pytest.mark.parametrize("failure", [VerificationError("no"), NotProvenError("no")])
def test_what_ended_it_comes_first(failure):
    assert with_fields(errors={"lost": 1}, failure=failure).error is failure


def test_a_window_without_time_has_no_rate():
    row = dataclasses.replace(ROW, seconds=0.0)

    assert row.requests_per_s == row.items_per_s == 0
