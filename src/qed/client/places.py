"""Bytes by their path, from a server or from a directory: one place, one request at a time.

What comes from here is bounded and whole, and nothing else is known of it: reading it is for
`feed`. A place belongs to one thread. Over HTTP there is one connection, which is kept; one that
the other side has closed meanwhile is opened again. Every request has one deadline over all of it,
so that an answer that drips ends in time. Proxies and passwords are not taken from the environment,
and redirections are not followed.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from qed import durable
from qed.client.calls import Request, Response
from qed.client.config import create_tls_context, parse_endpoint
from qed.client.pipelining import AT_ONCE, exchange
from qed.errors import (
    ConflictError,
    NotFoundError,
    RequestError,
    UnreachableError,
    VerificationError,
)
from qed.version import VERSION

_OK, _NOT_FOUND = 200, 404


class Place(Protocol):
    """Answers requests; `name` is how people call it."""

    name: str

    def send(self, request: Request, timeout_s: float) -> Response:
        """Return the whole answer, whatever its status.

        Raises:
            UnreachableError: nobody answered, or not as a whole within the time; 0 is no bound.
            VerificationError: the answer is longer than the request allows.
        """

    def close(self) -> None:
        """Let go of what is open; the next request opens it again."""


def open_place(name: str, *, dial_timeout_s: float, insecure: bool) -> Place:
    """Return the place of a name: `http://` and `https://` are servers, all else is a directory.

    Nothing is resolved or opened yet.

    Raises:
        MalformedError: an address that is none.
        NotFoundError: no such directory.
    """
    if name.startswith(("http://", "https://")):
        return ServerPlace(name, dial_timeout_s=dial_timeout_s, insecure=insecure)
    return DirectoryPlace(Path(name))


class ServerPlace:
    """A server, with what its paths begin with."""

    def __init__(self, url: str, *, dial_timeout_s: float, insecure: bool) -> None:
        """Know the address; `dial_timeout_s` bounds the opening of a connection, 0 does not."""
        self.name = parse_endpoint(url)
        parts = urlsplit(self.name)
        self._prefix = parts.path
        self._netloc = parts.netloc
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port
        self._dial_timeout_s = dial_timeout_s
        self._insecure = insecure
        self._connection: _Connection | None = None

    def send(self, request: Request, timeout_s: float) -> Response:
        """Return the whole answer of the server; see `Place.send`.

        A `GET` whose kept connection turns out to be closed is sent again over a new one.
        """
        deadline_s = time.monotonic() + timeout_s if timeout_s else None
        kept = self._usable()
        try:
            return self._exchange(request, deadline_s)
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError) as error:
            if not kept or request.method not in {"GET", "HEAD"}:
                self._refuse(request, error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._refuse(request, error)
        try:
            return self._exchange(request, deadline_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._refuse(request, error)

    def send_many(self, requests: Sequence[Request], timeout_s: float) -> list[Response]:
        """Return the answers in order, several requests being on the way at a time.

        For requests that may be made twice: where the server is unusual about one, it and those
        behind it are sent again, one by one. `timeout_s` bounds `pipelining.AT_ONCE` of them.
        Raises: as `send`.
        """
        answers: list[Response] = []
        while len(answers) < len(requests):
            some = requests[len(answers) : len(answers) + AT_ONCE]
            answered = self._exchange_many(some, timeout_s)
            answers += answered
            if len(answered) < len(some):
                answers += [self.send(request, timeout_s) for request in some[len(answered) :]]
        return answers

    def _exchange_many(self, requests: Sequence[Request], timeout_s: float) -> list[Response]:
        """Send requests at once; the connection is kept when all are answered."""
        deadline_s = time.monotonic() + timeout_s if timeout_s else None
        whole = [replace(request, path=self._prefix + request.path) for request in requests]
        self._usable()
        answers: list[Response] = []
        try:
            connection = self._open(deadline_s)
            answers = exchange(connection.sock, self._netloc, whole, deadline_s)
        except (OSError, ValueError) as error:
            self._refuse(requests[0], error)
        finally:
            if len(answers) < len(requests):
                self.close()
        return answers

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _usable(self) -> bool:
        """Return whether a kept connection is there that nobody has closed or written to."""
        kept = self._connection
        if kept is None or kept.sock is None:
            return False
        poll = select.poll()
        poll.register(kept.sock.fileno(), select.POLLIN)
        if poll.poll(0):  # nothing was asked: the end of it, or bytes that belong to no answer
            self.close()
            return False
        return True

    def _exchange(self, request: Request, deadline_s: float | None) -> Response:
        """Send and read. Whatever is raised, the connection is closed behind it."""
        try:
            connection = self._open(deadline_s)
            connection.deadline_s = deadline_s
            connection.sock.settimeout(_left_s(deadline_s))
            headers = {"user-agent": f"qed/{VERSION}", "accept-encoding": "identity"}
            connection.request(
                request.method,
                self._prefix + request.path,
                body=request.body or None,
                headers=headers | dict(request.headers),
            )
            answer = connection.getresponse()
            body = self._read_body(request, answer)
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, names, body)

    def _read_body(self, request: Request, answer: http.client.HTTPResponse) -> bytes:
        if answer.length is None and not answer.chunked:
            # Its end would be the connection's, and half an answer looked like a whole one.
            raise http.client.HTTPException("the answer does not say how long it is")
        body = answer.read(request.max_answer_bytes + 1)
        if len(body) > request.max_answer_bytes:
            where = f"{request.method} {self.name}{request.path}"
            raise VerificationError(
                f"{where} was answered with more than {request.max_answer_bytes} bytes",
                step="answer",
            )
        if answer.length:
            raise http.client.IncompleteRead(body, answer.length)
        return body

    def _open(self, deadline_s: float | None) -> _Connection:
        if self._connection is None:
            bounds = [bound for bound in (self._dial_timeout_s, _left_s(deadline_s)) if bound]
            timeout_s = min(bounds) if bounds else None
            settings: dict[str, Any] = {"timeout": timeout_s}
            kind = _Connection
            if self._scheme == "https":
                kind = _TlsConnection
                settings["context"] = create_tls_context(insecure=self._insecure, scheme="https")
            connection = kind(self._host, self._port, **settings)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                raise _NotConnectedError(error) from error
            self._connection = connection
        return self._connection

    def _refuse(self, request: Request, error: Exception) -> NoReturn:
        said = str(error) or type(error).__name__
        if isinstance(error, _NotConnectedError):
            raise UnreachableError(f"cannot connect to {self.name}: {said}") from error
        where = f"{request.method} {self.name}{request.path}"
        raise UnreachableError(f"{where} was not answered: {said}") from error


class DirectoryPlace:
    """A directory with a file at each path, as a static mirror has them."""

    def __init__(self, path: Path) -> None:
        """Know the directory, which must be there."""
        if not durable.is_directory(path):
            raise NotFoundError(
                f"there is no directory {path}",
                hint="a server is written http://<host>:<port> or https://<host>:<port>",
            )
        self.name = str(path)
        self._path = path

    def send(self, request: Request, timeout_s: float) -> Response:
        """Return the file of a path as an answer; what stands behind `?` is passed over."""
        del timeout_s
        if request.method != "GET":
            raise RequestError(f"{self.name} is a directory: nothing can be sent there")
        parts = request.path.partition("?")[0].removeprefix("/").split("/")
        path = self._path.joinpath(*parts)
        with durable.storage_errors("look at", path):
            is_there = not {"", ".", ".."} & set(parts) and path.is_file()
        if not is_there:
            return Response(_NOT_FOUND, {}, b"")
        try:
            return Response(_OK, {}, durable.read_file(path, request.max_answer_bytes))
        except NotFoundError:
            return Response(_NOT_FOUND, {}, b"")
        except ConflictError as error:
            raise VerificationError(error.message, step="answer") from error

    def close(self) -> None:
        """Nothing is open."""


class _NotConnectedError(OSError):
    """No connection could be opened, so nothing was sent."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause) or type(cause).__name__)


class _Connection(http.client.HTTPConnection):
    """A connection whose answers are read against one deadline."""

    deadline_s: float | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.response_class = self._read_response  # type: ignore[assignment]

    def _read_response(self, sock: socket.socket, **settings: Any) -> http.client.HTTPResponse:
        answer = http.client.HTTPResponse(sock, **settings)
        raw = answer.fp.detach()
        answer.fp = io.BufferedReader(_TimedReader(raw, sock, self.deadline_s))
        return answer


class _TlsConnection(http.client.HTTPSConnection, _Connection):
    """The same over TLS."""


class _TimedReader(io.RawIOBase):
    """Reads what a socket has within the time that is left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline_s: float | None) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline_s = deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left_s(self._deadline_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _left_s(deadline_s: float | None) -> float | None:
    """Return the seconds until a deadline, None without one; one that is over is an OSError."""
    if deadline_s is None:
        return None
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("it was not whole in time")
    return left_s
