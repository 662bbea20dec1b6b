"""Notifiers: the form follows from the address, and a refusal is told apart from silence."""

import io
import json
from pathlib import Path

import pytest

from qed.agents.alerts import Alert
from qed.agents.notifiers import (
    StdoutNotifier,
    StoreNotifier,
    WebhookNotifier,
    format_line,
    open_notifier,
)
from qed.errors import BusyError, MalformedError, UnavailableError, UnreachableError
from scripted_server import answer, scripted

ALERT = Alert("rollback", "http://a:8800", "went back\nto 7", Path("/var/lib/evidence.json"))


def test_the_form_follows_from_the_address():
    assert isinstance(open_notifier("stdout"), StdoutNotifier)
    assert isinstance(open_notifier("http://store:8888/alert"), StoreNotifier)
    assert isinstance(open_notifier("https://store:8888/qed/alert"), StoreNotifier)
    assert isinstance(open_notifier("http://hook:80/alerts"), WebhookNotifier)
    assert isinstance(open_notifier("http://hook:80/"), WebhookNotifier)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "stderr",
        "store:8888/alert",
        "ftp://store/alert",
        "http:///alert",
        "http://a:x/alert",
        "http://user@store/alert",
        "http://store/al ert",
        "http://store/alert#x",
        "http://" + "a" * 3000,
        "http://store/\n",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(MalformedError):
        open_notifier(address)


@pytest.mark.parametrize("address", ["http://store:8888", "store:8888/alert", "sdtout"])
def test_a_mistyped_address_is_told_the_forms_there_are(address):
    """Alerts posted to a store's root would be refused there for ever, and nobody told."""
    with pytest.raises(MalformedError, match="the notifier") as refused:
        open_notifier(address)
    assert address in refused.value.message
    assert "/alert" in refused.value.hint
    assert "stdout" in refused.value.hint


def test_a_secret_in_the_query_is_sent_and_not_shown():
    notifier = open_notifier("http://hook:8080/in?token=secret")
    assert notifier.name == "http://hook:8080/in"
    assert notifier._address.path == "/in?token=secret"


def test_one_line_says_everything():
    assert format_line(ALERT) == (
        "rollback: http://a:8800: went back to 7. Next: " + ALERT.next_step + "."
        " Evidence: /var/lib/evidence.json"
    )


def test_standard_output_gets_a_line():
    stream = io.StringIO()
    StdoutNotifier(stream).deliver(ALERT, 1.0)
    assert stream.getvalue() == format_line(ALERT) + "\n"


def test_a_closed_standard_output_is_no_end_of_the_agent():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(UnreachableError):
        StdoutNotifier(stream).deliver(ALERT, 1.0)


def test_a_store_gets_text():
    with scripted(answer(200)) as server:
        open_notifier(f"{server.endpoint}/alert").deliver(ALERT, 1.0)
    head, body = server.heard[0]
    assert head.startswith("POST /alert HTTP/1.1\r\n")
    assert "text/plain" in head
    assert body.decode() == format_line(ALERT)


def test_a_webhook_gets_a_document_that_is_the_same_the_second_time():
    with scripted(answer(204), answer(200)) as server:
        hook = open_notifier(f"{server.endpoint}/in/qed?token=secret")
        hook.deliver(ALERT, 12.5)
        hook.deliver(ALERT, 12.5)
    heads, bodies = zip(*server.heard, strict=True)
    assert heads[0].startswith("POST /in/qed?token=secret HTTP/1.1\r\n")
    assert bodies[0] == bodies[1]
    assert json.loads(bodies[0]) == {
        "Kind": "rollback",
        "Subject": "http://a:8800",
        "Text": "went back\nto 7",
        "NextStep": ALERT.next_step,
        "Evidence": "/var/lib/evidence.json",
        "When": 12.5,
    }


@pytest.mark.parametrize(
    ("status", "error"), [(400, MalformedError), (500, UnavailableError), (429, BusyError)]
)
def test_a_refusal_is_an_error_with_the_reason(status, error):
    refusal = answer(status, b"not today\n", content_type="text/plain")
    with scripted(refusal) as server, pytest.raises(error, match="not today"):
        open_notifier(f"{server.endpoint}/alert").deliver(ALERT, 1.0)


def test_nobody_there_is_an_error():
    with scripted() as server:
        endpoint = server.endpoint
    with pytest.raises(UnreachableError):
        open_notifier(f"{endpoint}/alert").deliver(ALERT, 1.0)
