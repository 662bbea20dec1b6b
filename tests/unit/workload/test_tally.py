"""Counts of a kind, and of all kinds together."""

from qed.workload.tally import Errors, Tally, total_of


def test_a_row_has_the_counts_and_the_times():
    tally = Tally("bulk")
    tally.record(0.001, 20)
    tally.record(0.003, 20)
    tally.errors += 1

    row = tally.row(2.0)

    assert (row.kind, row.requests, row.items, row.errors) == ("bulk", 2, 40, 1)
    assert (row.requests_per_s, row.items_per_s) == (1.0, 20.0)
    assert row.latency_ms == {
        "p50": 1.0,
        "p90": 3.0,
        "p99": 3.0,
        "p99.9": 3.0,
        "max": 3.0,
        "mean": 2.0,
    }


def test_a_total_has_everything():
    add, bulk = Tally("add"), Tally("bulk")
    add.record(0.001, 1)
    bulk.record(0.002, 20)
    bulk.errors = 3

    row = total_of("total", [add, bulk]).row(1.0)

    assert (row.requests, row.items, row.errors, row.latency_ms["max"]) == (2, 21, 3, 2.0)


def test_no_time_is_no_rate():
    assert Tally("add").row(0.0).requests_per_s == Tally("add").row(0.0).items_per_s == 0


def test_errors_are_counted_by_kind_and_the_first_is_kept():
    errors = Errors()
    errors.count("status 500", "the disk failed")
    errors.count("status 500", "it failed again")
    errors.count("lost", "gone")

    assert errors.counts == {"status 500": 2, "lost": 1}
    assert errors.first == "the disk failed"
