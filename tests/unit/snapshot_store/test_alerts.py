"""Alerts: numbered, bounded, never dropped."""

import pytest

from qed.errors import BusyError, MalformedError, NotFoundError, TooLargeError
from qed.snapshot_store import rows
from qed.snapshot_store.alerts import MAX_ALERT_BYTES, Alerts
from qed.snapshot_store.rows import Alert


def post(alerts, database, body):
    database.commit([alerts.plan_posted(body)])
    alerts.accept(own=False)


def raise_own(alerts, database, text):
    database.commit([alerts.plan_own(text)])
    alerts.accept(own=True)


def test_they_are_listed_in_their_order_with_time_and_source(database):
    alerts = Alerts(database, now_s=iter([1.5, 2.5, 3.5]).__next__)
    post(alerts, database, b"one")
    raise_own(alerts, database, "two")
    post(alerts, database, b"one")
    expected = [Alert(0, False, 1, "one"), Alert(1, True, 2, "two"), Alert(2, False, 3, "one")]  # noqa: FBT003
    assert alerts.listed() == Alerts(database).listed() == expected
    again = Alerts(database)
    assert (again.own, again.posted) == (alerts.own, alerts.posted) == (1, 2)


def test_one_that_was_planned_and_not_written_takes_no_number(database):
    alerts = Alerts(database)
    alerts.plan_posted(b"lost")
    post(alerts, database, b"kept")
    assert [(alert.number, alert.text) for alert in alerts.listed()] == [(0, "kept")]


def test_what_is_no_alert_is_refused(database):
    alerts = Alerts(database)
    for body in (b"", b" \n", b"\xff"):
        with pytest.raises(MalformedError):
            alerts.plan_posted(body)
    with pytest.raises(TooLargeError):
        alerts.plan_posted(b"x" * (MAX_ALERT_BYTES + 1))
    alerts.plan_posted(b"x" * MAX_ALERT_BYTES)


def test_at_the_bound_new_ones_are_refused_and_old_ones_stay(database):
    alerts = Alerts(database, max_alerts=2)
    post(alerts, database, b"one")
    raise_own(alerts, database, "mine")
    post(alerts, database, b"two")
    with pytest.raises(BusyError, match="keeps 2 posted alerts already, and drops none"):
        alerts.plan_posted(b"three")
    raise_own(alerts, database, "mine again")
    assert [alert.text for alert in alerts.listed()] == ["one", "mine", "two", "mine again"]


def test_an_own_alert_is_cut_to_the_bound_between_characters(database):
    alerts = Alerts(database)
    raise_own(alerts, database, "é" * MAX_ALERT_BYTES)
    (alert,) = alerts.listed()
    assert alert.text == "é" * (MAX_ALERT_BYTES // 2)


def test_evidence_is_found_by_its_name_alone(database):
    database.commit([rows.encode_evidence("a-1.json", b"{}")])
    alerts = Alerts(database)
    assert alerts.evidence_names() == ["a-1.json"]
    assert alerts.evidence("a-1.json") == b"{}"
    for name in ("", "a-1", "../a-1.json", "\udcff", "é"):
        with pytest.raises(NotFoundError):
            alerts.evidence(name)
