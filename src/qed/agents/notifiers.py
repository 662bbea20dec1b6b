"""Who is told of alerts, and in which form: a store's `/alert`, a webhook, standard output.

The form follows from the address: a URL whose path ends in `/alert` is a store's and gets one line
of text (SPEC 7), any other URL gets a JSON document, the word `stdout` is standard output.
"""

from __future__ import annotations

import json
import sys
from typing import TextIO
from urllib.parse import urlsplit

from qed.agents.alerts import Alert
from qed.agents.outbox import Notifier
from qed.client.config import parse_endpoint
from qed.client.feed import open_source
from qed.client.refusals import read_refusal
from qed.errors import MalformedError, UnreachableError

STDOUT = "stdout"
TIMEOUT_S = 10.0

_MAX_URL_CHARS = 2048
_FORMS = (
    "a store is written http://<host>:<port>/alert, a webhook as its full URL (at its root:"
    " http://<host>/), and standard output is stdout"
)


def open_notifier(
    address: str, *, timeout_s: float = TIMEOUT_S, insecure: bool = False
) -> Notifier:
    """Return the notifier of an address; nothing is resolved or opened yet.

    Raises:
        MalformedError: neither `stdout` nor a URL with http or https and a path. Without one it
            is a store whose `/alert` was forgotten, which takes no alert anywhere else.
    """
    if address == STDOUT:
        return StdoutNotifier()
    url = HttpAddress(address, timeout_s=timeout_s, insecure=insecure)
    if url.path.partition("?")[0].endswith("/alert"):
        return StoreNotifier(url)
    return WebhookNotifier(url)


class HttpAddress:
    """A full URL that bodies are posted to; belongs to one thread.

    `name` leaves out what stands behind `?`: it may be somebody's secret.
    """

    def __init__(self, url: str, *, timeout_s: float, insecure: bool) -> None:
        """Know the address; MalformedError for one that is none."""
        try:
            if len(url) > _MAX_URL_CHARS or not url.isascii() or not url.isprintable():
                raise ValueError("it has characters that no URL has")  # noqa: TRY301 (the same answer)
            parts = urlsplit(url)
        except ValueError as error:
            raise MalformedError(f"{url[:128]!r} is not a URL: {error}") from None
        if " " in url or parts.fragment:
            raise MalformedError(f"{url[:128]!r} is not a URL that something can be sent to")
        if not parts.netloc:
            raise MalformedError(f"the notifier {url[:128]!r} is not a URL", hint=_FORMS)
        if not parts.path:
            raise MalformedError(f"the notifier {url[:128]!r} has no path", hint=_FORMS)
        base = parse_endpoint(f"{parts.scheme}://{parts.netloc}")
        path = parts.path
        self.name = base + path
        self.path = f"{path}?{parts.query}" if parts.query else path
        self._source = open_source(base, timeout_s=timeout_s, insecure=insecure)

    def post(self, body: bytes, content_type: str) -> None:
        """Send a body.

        Raises:
            RequestError: it was refused.
            UnavailableError: it was not taken now, or nobody answered.
        """
        with self._source:  # alerts are rare: no connection is kept for the next one
            answer = self._source.post(self.path, body, content_type)
        if not 200 <= answer.status < 300:  # noqa: PLR2004  # any 2xx: it was taken
            raise read_refusal(answer, f"POST {self.name}")


class StoreNotifier:
    """The `/alert` of a snapshot store, ours or QED's: one line of text."""

    def __init__(self, address: HttpAddress) -> None:
        """Tell this address."""
        self.name = address.name
        self._address = address

    def deliver(self, alert: Alert, told_s: float) -> None:
        """Post the alert; see `Notifier.deliver`."""
        del told_s  # a store writes down when it came
        self._address.post(format_line(alert).encode(), "text/plain; charset=utf-8")


class WebhookNotifier:
    """Any address that takes JSON."""

    def __init__(self, address: HttpAddress) -> None:
        """Tell this address."""
        self.name = address.name
        self._address = address

    def deliver(self, alert: Alert, told_s: float) -> None:
        """Post the alert; see `Notifier.deliver`."""
        self._address.post(json.dumps(describe(alert, told_s)).encode(), "application/json")


class StdoutNotifier:
    """Standard output: one line an alert."""

    name = STDOUT

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to standard output, or to a stream that is given."""
        self._stream = stream

    def deliver(self, alert: Alert, told_s: float) -> None:
        """Print the alert; UnreachableError when nobody reads any more."""
        del told_s
        stream = self._stream or sys.stdout
        try:
            stream.write(f"{format_line(alert)}\n")
            stream.flush()
        except (OSError, ValueError) as error:
            raise UnreachableError(f"standard output takes nothing: {error}") from error


def format_line(alert: Alert) -> str:
    """Return an alert as one line: kind, subject, what was found, what to do, where it is shown."""
    line = f"{alert.kind}: {alert.subject}: {alert.text}. Next: {alert.next_step}."
    if alert.evidence is not None:
        line += f" Evidence: {alert.evidence}"
    return " ".join(line.split())


def describe(alert: Alert, told_s: float) -> dict[str, str | float]:
    """Return an alert as a document; the same alert delivered twice is the same document."""
    return {
        "Kind": alert.kind,
        "Subject": alert.subject,
        "Text": alert.text,
        "NextStep": alert.next_step,
        "Evidence": str(alert.evidence or ""),
        "When": told_s,
    }
