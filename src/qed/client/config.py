"""Every setting of a client, and how an endpoint is written."""

from __future__ import annotations

import ipaddress
import math
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from qed.errors import MalformedError

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
_PATH = re.compile(r"[A-Za-z0-9/._~-]*\Z")
_MAX_HOST_CHARS = 253
_MAX_ENDPOINT_CHARS = 2048


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """What a client may be told; each field is the flag of `qed client` of the same name.

    Endpoints are kept as `parse_endpoint` returns them. A time of 0 means "no bound".

    Raises:
        MalformedError: an endpoint is not one, there is none, or a number is out of range.
    """

    endpoints: Sequence[str] = ("http://127.0.0.1:8800",)
    """The data ports to start from, in the order in which they are tried."""

    management_endpoint: str = "http://127.0.0.1:8700"
    """The management port; backups only. The flag `--endpoint` of `qed backup`."""

    snapshot_store_url: str = "http://127.0.0.1:8888"
    """Where published snapshots are read: a snapshot store, or the log server's own data port. Its
    name is not resolved before something is asked of it."""

    key: str = ""
    """The log's verifier key, or a file that holds it. Empty: the pin's, or the one that the server
    shows at the first use, which is said."""

    pin: str = ""
    """The file that remembers the key and the newest checkpoint seen. Empty: they are remembered
    for the client's life only."""

    api_key: str = ""
    """Sent as the header `Api-Key` unless empty."""

    insecure: bool = False
    """Whether a TLS certificate that nobody vouches for is taken."""

    timeout_s: float = 10.0
    """Bound of one exchange: for the answer to be here as a whole. The blocking client bounds each
    read of its headers, and the whole from there on."""

    dial_timeout_s: float = 5.0
    """Bound of opening a TCP connection."""

    handshake_timeout_s: float = 5.0
    """Bound of the TLS handshake. Dialling and handshake of an `https` endpoint each get the
    larger of the two bounds, since the HTTP library knows one for both."""

    max_retries: int = 0
    """How often a call is made again; only when that cannot do its work twice."""

    enable_topology_discovery: bool = True
    """Whether `GET /info/shards` decides where calls go."""

    enable_health_checks: bool = True
    """Whether an address must answer `HEAD /healthcheck` before a call goes there."""

    health_check_interval_s: float = 60.0
    """How long a topology and a health check are believed."""

    health_check_timeout_s: float = 2.0
    """Bound of one health check."""

    attempt_to_revive_endpoints: bool = False
    """Whether a call tries all endpoints once more when none of them answers."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and put endpoints into their one form."""
        if isinstance(self.endpoints, str) or not self.endpoints:
            raise MalformedError("a client needs a list of at least one endpoint")
        endpoints = tuple(parse_endpoint(endpoint) for endpoint in self.endpoints)
        # The way to set a field of a frozen value while it is being made.
        object.__setattr__(self, "endpoints", endpoints)
        object.__setattr__(self, "management_endpoint", parse_endpoint(self.management_endpoint))
        object.__setattr__(self, "snapshot_store_url", parse_endpoint(self.snapshot_store_url))
        for name in (
            "timeout_s",
            "dial_timeout_s",
            "handshake_timeout_s",
            "health_check_interval_s",
            "health_check_timeout_s",
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise MalformedError(f"{name} is {value}; it must be 0 or a number of seconds")
        if self.max_retries < 0:
            raise MalformedError(f"max_retries is {self.max_retries}; it must be 0 or more")
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise MalformedError("the API key has characters that no HTTP header can carry")


def parse_endpoint(text: str) -> str:
    """Return `<scheme>://<host>[:<port>][/<path>]` in lower case up to the path, no `/` at the end.

    Nothing is resolved. Source: SPEC 8, which wants an endpoint without scheme refused.

    Raises:
        MalformedError: no `http` or `https`, no host or one that no name server could hold, a port
            out of range, a user, a query or a fragment.
    """
    shown = repr(text[:128])
    try:
        # urlsplit drops line breaks and tabs silently; here they are refused.
        if len(text) > _MAX_ENDPOINT_CHARS or not text.isascii() or not text.isprintable():
            raise ValueError("it has characters that no endpoint has")  # noqa: TRY301 (the same answer)
        parts = urlsplit(text)
        port = parts.port
        host = _parse_host(parts)
    except ValueError as error:
        raise MalformedError(f"{shown} is not an endpoint: {error}") from None
    if parts.scheme not in {"http", "https"} or "://" not in text:
        raise MalformedError(
            f"the endpoint {shown} has no scheme",
            hint="write it as http://<host>:<port> or https://<host>:<port>",
        )
    more = set("@%") & set(parts.netloc) or set("?#") & set(text)
    if more or _PATH.match(parts.path) is None:
        raise MalformedError(f"the endpoint {shown} has more than scheme, host, port and path")
    place = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def create_tls_context(*, insecure: bool, scheme: str) -> ssl.SSLContext:
    """Return how the certificates of a server are checked; for `http`, one that is never used.

    The certificates of the system are trusted, or those that `SSL_CERT_FILE` names.
    Cost: reading them, about 20 ms, and only for `https`.
    """
    if scheme == "http" or insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # what --insecure asks for
        return context
    return ssl.create_default_context()


def _parse_host(parts: SplitResult) -> str:
    """Return the host as a URL writes it, brackets around an IPv6 address, or raise ValueError."""
    host = parts.hostname or ""
    if "[" in parts.netloc:
        return f"[{ipaddress.IPv6Address(host)}]"
    if parts.scheme in {"http", "https"} and (
        len(host) > _MAX_HOST_CHARS
        or any(_LABEL.match(label) is None for label in host.removesuffix(".").split("."))
    ):
        raise ValueError(f"{host[:128]!r} is not the name of a host")
    return host
