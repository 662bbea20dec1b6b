"""Pins: which key a log has, and the newest checkpoint seen under it, in a file of one's own.

```
{"Format":"qed/pin/v1","Key":"<verifier key>","Checkpoint":"<signed note, or empty>"}
```

One line of JSON, 0600, written whole or not at all. The key is what everything else is believed by:
a log that shows another one later is not the log that was pinned. The checkpoint is the memory
against rollbacks between two calls: it only grows.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from qed import durable
from qed.client.config import parse_endpoint
from qed.client.trusted import Trusted
from qed.errors import LockedError, MalformedError, NotFoundError, VerificationError
from qed.signing.keys import is_private_key
from qed.signing.note import ED25519, VerifierKey, format_verifier_key, parse_verifier_key
from qed.trees.tiles import Node
from qed.wire.fields import read_exact, read_text
from qed.wire.json_text import format_text, parse_answer

if TYPE_CHECKING:
    from qed.client.feed import Source

FORMAT: Final = "qed/pin/v1"
MAX_PIN_BYTES: Final = 1024 * 1024
MAX_KEY_BYTES: Final = 16 * 1024

_KEY = re.compile(r"[^+]+\+[0-9a-f]{8}\+")
_LOCK_WAIT_S = 5.0  # whoever holds the lock writes one small file
_LOCK_PAUSE_S = 0.01
_PORTS = {"http": 80, "https": 443}
_KEY_HINT = "give the verifier key that the server printed at its start, or a file that holds it"
_PRIVATE_HINT = (
    "qed generate verifierkey prints the verifier key of a private key: --private-key-path, or"
    " --cosigner-key-path for a cosigner's"
)
_ASK_HINT = (
    "is this a log server? Give the log's key, which the server prints at its start: --key, or key="
    " of ClientConfig"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """What a pin file holds; `note` is empty before the first checkpoint."""

    key: VerifierKey
    note: bytes = b""


def read_key(text: str) -> VerifierKey:
    """Return a log's verifier key, given itself (`<name>+<hex>+<base64>`) or as a file of it.

    Raises:
        MalformedError: neither, a private key, or a key that speaks for no log.
        NotFoundError: it is no key, and no such file is there.
    """
    return _read_given_key(text, _parse_log_key)


def read_cosigner_key(text: str) -> VerifierKey:
    """Return any verifier key, a cosigner's too, given itself or as a file of it.

    Raises: as `read_key`, but for what the key speaks for.
    """
    return _read_given_key(text, parse_verifier_key)


def _read_given_key(text: str, parse: Callable[[str], VerifierKey]) -> VerifierKey:
    if _KEY.match(text):
        return parse(text)
    if is_private_key(text.encode("utf-8", "surrogateescape")):
        raise MalformedError("this is a private key: it is not shown here", hint=_PRIVATE_HINT)
    try:
        data = durable.read_file(Path(text), MAX_KEY_BYTES)
    except NotFoundError as error:
        raise NotFoundError(error.message, hint=_KEY_HINT) from error
    if is_private_key(data):
        raise MalformedError(
            f"{text} is a private key: what verifies is its public half", hint=_PRIVATE_HINT
        )
    try:
        return parse(data.decode("utf-8").strip())
    except UnicodeDecodeError:
        raise MalformedError(f"{text} holds no verifier key", hint=_KEY_HINT) from None
    except MalformedError as error:
        raise MalformedError(f"{text}: {error.message}", hint=error.hint or _KEY_HINT) from None


def _parse_log_key(text: str) -> VerifierKey:
    key = parse_verifier_key(text)
    if key.algorithm != ED25519:
        raise MalformedError(f"the key of {key.name} is a cosigner's: it speaks for no log")
    return key


def ask_key(source: Source) -> VerifierKey:
    """Return the key that a server says is its log's, which nothing but its word shows.

    Raises:
        VerificationError: it says none, or what is no log's verifier key; `step` is "key".
        UnavailableError: it does not answer.
    """
    try:
        said = source.info().get("verifier_key")
    except NotFoundError:
        said = None
    if not isinstance(said, str):
        raise VerificationError(
            f"{source.name} does not say which key the log has", step="key", hint=_ASK_HINT
        )
    try:
        return _parse_log_key(said)
    except MalformedError as error:
        raise VerificationError(
            f"{source.name} says what is no verifier key of a log: {error.message}",
            step="key",
            hint=_ASK_HINT,
        ) from error


def pin_name(endpoint: str) -> str:
    """Return the name of the file with the pin of the log that is served at an endpoint."""
    parts = urlsplit(parse_endpoint(endpoint))
    port = parts.port or _PORTS[parts.scheme]
    path = parts.path.strip("/").replace("/", "_")
    return f"{parts.hostname}_{port}{'_' if path else ''}{path}.json"


def format_pin(pin: Pin) -> bytes:
    """Return the bytes of a pin's file."""
    key, note = format_text(format_verifier_key(pin.key)), format_text(pin.note.decode("utf-8"))
    return f'{{"Format":"{FORMAT}","Key":{key},"Checkpoint":{note}}}\n'.encode("ascii")


def parse_pin(data: bytes) -> Pin:
    """Return the pin of a file; anything that `format_pin` does not write is a MalformedError."""
    fields = read_exact(
        parse_answer(data, max_bytes=MAX_PIN_BYTES), "the pin", ("Format", "Key", "Checkpoint")
    )
    if read_text(fields["Format"], "Format") != FORMAT:
        raise MalformedError(f"the file is no {FORMAT}")
    try:
        note = read_text(fields["Checkpoint"], "Checkpoint").encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError("Checkpoint holds half a character") from None
    pin = Pin(_parse_log_key(read_text(fields["Key"], "Key")), note)
    if format_pin(pin) != data:
        raise MalformedError("the file is not in its one form")
    return pin


def read_pin(path: Path) -> Pin | None:
    """Return the pin of a path, None when there is no such file; MalformedError for no pin."""
    try:
        data = durable.read_file(path, MAX_PIN_BYTES)
    except NotFoundError:
        return None
    try:
        return parse_pin(data)
    except MalformedError as error:
        raise MalformedError(
            f"{path} is no pin: {error.message}", hint="move it away to begin anew, and say --key"
        ) from error


def open_trusted(path: Path, pin: Pin) -> Trusted:
    """Return what a pin makes one trust; `path` is for the sentence.

    Raises:
        MalformedError: its checkpoint is not its key's: the file is not as it was written.
    """
    try:
        return Trusted(pin.key, pin.note or None)
    except VerificationError as error:
        raise MalformedError(
            f"{path} is no pin: its key did not sign its checkpoint ({error.message})",
            hint="bring it back from a copy, or move it away to begin anew",
        ) from error


def read_trusted(path: Path | None, key: VerifierKey | None) -> Trusted | None:
    """Return what is trusted by the pin of a path, else by a key that is given; None without both.

    Raises:
        MalformedError: the pin cannot be read.
        VerificationError: it is of another key than the one given.
    """
    pin = None if path is None else read_pin(path)
    if path is None or pin is None:
        return None if key is None else Trusted(key)
    if key is not None:
        check_key(path, pin, key)
    return open_trusted(path, pin)


def open_first(
    path: Path | None,
    key: VerifierKey | None,
    ask: Callable[[], VerifierKey],
    announce: Callable[[VerifierKey], None],
) -> Trusted:
    """Return what is trusted by pin or key, else by the key that is asked for: on first use.

    Args:
        path: of the pin; without one nothing is read or written.
        key: the one given, which must be the pin's. It is not written here: it may be mistyped.
        ask: returns the key that a server says, as `ask_key` does.
        announce: says to a person that this key is trusted on first use, and where it is pinned.

    Raises:
        LockedError, StorageError: the pin cannot be written.
        QedError: as `read_trusted`, or whatever `ask` raises.
    """
    known = read_trusted(path, key)
    if known is not None:
        return known
    trusted = Trusted(ask())
    if path is not None:
        # Stop here: the key is not pinned yet, and the next call trusts the server once more.
        keep_pin(path, trusted)
    announce(trusted.key)
    return trusted


def check_key(path: Path, pin: Pin, key: VerifierKey) -> None:
    """Return if the pin is of this key.

    Raises:
        VerificationError: it is of another one, and the hint says what to do.
    """
    if pin.key != key:
        raise VerificationError(
            f"{path} pins the key {format_verifier_key(pin.key)} of the log {pin.key.name}, not"
            f" {format_verifier_key(key)}",
            step="pin",
            hint="ask whoever runs the log, in another way, which key is right; to begin anew with"
            " another one move the pin away",
        )


def keep_pin(path: Path, trusted: Trusted) -> None:
    """Write what is trusted into the pin's file, durable; one that has more seen already stays.

    Raises:
        VerificationError: the file pins another key by now.
        ContradictionError: another process has seen another root of this size; with the evidence.
        LockedError: another process holds the directory for seconds.
        StorageError: it cannot be written.
    """
    durable.make_directory(path.parent, 0o700)
    with _locked(path.parent):
        there = read_pin(path)
        if there is not None:
            check_key(path, there, trusted.key)
            known = open_trusted(path, there)
            if known.size > trusted.size:
                return
            if known.size == trusted.size and trusted.note:
                known.compare(trusted.note, _read_no_nodes)  # another process may know another root
        data = format_pin(Pin(trusted.key, trusted.note))
        # Stop here: the pin is as it was before, and the next call verifies the same again.
        durable.write_file(path, data, 0o600)


def _read_no_nodes(nodes: Sequence[Node], size: int) -> NoReturn:
    raise AssertionError(f"two checkpoints of {size} leaves need no {len(nodes)} nodes")


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory against other processes that write pins."""
    deadline_s = time.monotonic() + _LOCK_WAIT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(durable.lock_directory(directory, exclusive=True))
                break
            except LockedError:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_LOCK_PAUSE_S)
        yield
