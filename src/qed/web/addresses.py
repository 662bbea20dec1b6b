"""Addresses as people write them: parsed, bound, and written for those who are to connect."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from qed.errors import ConflictError, MalformedError, NotFoundError

MAX_PORT = 65_535
_MAX_HOST_LENGTH = 255
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # to recognise them, not to bind


@dataclass(frozen=True, slots=True)
class Address:
    """A host, as a name or a number and without brackets, and a port."""

    host: str
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Return whether it stands for every interface, so that nobody can connect to it."""
        return self.host in _WILDCARDS

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, flag: str) -> Address:
    """Parse `host:port`, `[v6]:port` or `:port`; the error names the flag it was given with."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if (
        not colon
        or not port.isascii()
        or not port.isdigit()
        or len(port) > len(str(MAX_PORT))
        or int(port) > MAX_PORT
        or (":" in host) != bracketed
        or len(host) > _MAX_HOST_LENGTH
        or any(character.isspace() or character in "/@?#[]" for character in host)
    ):
        raise MalformedError(
            f"{flag} {text!r} is not an address",
            hint="write host:port, for example 127.0.0.1:8800 or [::1]:8800",
        )
    return Address(host, int(port))


def bind(address: Address, flag: str) -> socket.socket:
    """Return a socket that is bound and does not listen yet, or say why it cannot be had.

    Port 0 lets the system choose; `bound_address` then tells which. A name is resolved, its first
    IPv4 address is taken before any other, as Go does.
    """
    family, where = _resolve(address, flag)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != ""))
        listener.bind(where)
        listener.setblocking(False)  # noqa: FBT003  # the standard library's only form
    except OSError as error:
        listener.close()
        raise bind_error(error, address, flag) from error
    return listener


def bind_error(error: OSError, address: Address, flag: str) -> ConflictError:
    """Return the sentence for an address that could not be taken (by bind, or later by listen)."""
    if error.errno == errno.EADDRINUSE:
        return ConflictError(
            f"the address {address} is in use by another process",
            hint=f"stop that process, or choose another address with {flag}",
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ConflictError(f"cannot listen on {address}: {reason}", hint=f"see {flag}")


def _resolve(address: Address, flag: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    if address.host == "":  # Go's `:port`: both families where the machine has both
        if socket.has_dualstack_ipv6():
            return socket.AF_INET6, ("::", address.port)
        return socket.AF_INET, ("", address.port)
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFoundError(
            f"the host {address.host!r} of {flag} has no address on this machine",
            hint="check the name, or write a number such as 127.0.0.1",
        ) from error
    found.sort(key=lambda row: row[0] != socket.AF_INET)
    family, _, _, _, where = found[0]
    return family, (str(where[0]), int(where[1]))


def bound_address(address: Address, listener: socket.socket) -> Address:
    """Return the address with the port that it really has."""
    return Address(address.host, int(listener.getsockname()[1]))


def advertised_address(bound: Address, advertise: str, flag: str) -> Address:
    """Return what clients are told to connect to; never a wildcard.

    `advertise` is what the operator said: `host`, `host:port` or nothing. With nothing, the bound
    address as it was written stands, and behind a wildcard the machine's own name.
    """
    if advertise:
        whole = advertise.rpartition("]")[2] if advertise.startswith("[") else advertise
        text = advertise if ":" in whole else f"{advertise}:{bound.port}"
        told = parse_address(text, flag)
        if told.is_wildcard:
            raise MalformedError(
                f"{flag} {advertise!r} stands for every interface: no client can connect to it",
                hint="name the host that clients reach this server by",
            )
        return Address(told.host, told.port or bound.port)
    if bound.is_wildcard:
        return Address(socket.gethostname(), bound.port)
    return bound
