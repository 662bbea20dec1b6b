"""What every kind of evidence has: the frame of its file, and how its signed parts are judged.

One line of JSON: `Format`, `Kind`, `Origin` of the log that it is against, `Found` in free words,
`When` in unix seconds, then the fields of the kind. The words and the time are for a person; they
are signed by nobody and prove nothing. `docs/evidence.md` specifies the file byte by byte.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from qed.errors import MalformedError, VerificationError
from qed.signing.checkpoint import Checkpoint
from qed.signing.note import VerifierKey
from qed.signing.policy import check_checkpoint, policy_of_key
from qed.wire.fields import format_base64, read_digest, read_list, read_text
from qed.wire.json_text import format_text

FORMAT: Final = "qed/evidence/v1"
FRAME: Final = ("Format", "Kind", "Origin", "Found", "When")
MAX_FOUND_CHARS: Final = 4096
MAX_ORIGIN_CHARS: Final = 255

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finding:
    """What an evidence file shows, in a sentence.

    `signed` says that the log's own key signed all that the sentence rests on. Without it some part
    of it, which the sentence names, is the word of whoever wrote the file.
    """

    kind: str
    origin: str
    sentence: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """Against whose log, in which words, and when (unix seconds) the evidence was taken."""

    origin: str
    found: str
    when_s: int


@dataclass(frozen=True, slots=True)
class Evidence(ABC):
    """One file of evidence; each kind adds its fields."""

    kind: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    """The fields of the kind, in the order of the file."""

    frame: Frame

    @abstractmethod
    def format_fields(self) -> Sequence[str]:
        """Return the JSON of each of the kind's fields, in the order of `names`."""

    @classmethod
    @abstractmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields; MalformedError where one is not what it must be."""

    @abstractmethod
    def judge(self, key: VerifierKey) -> Finding:
        """Return what it shows under the key of its origin.

        Raises:
            VerificationError: it shows nothing; `step` names the part that does not hold.
        """

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        head = (
            f'{{"Format":"{FORMAT}","Kind":"{self.kind}","Origin":{format_text(self.frame.origin)}'
            f',"Found":{format_text(self.frame.found)},"When":{self.frame.when_s}'
        )
        fields = zip(self.names, self.format_fields(), strict=True)
        more = "".join(f',"{name}":{text}' for name, text in fields)
        return f"{head}{more}}}\n".encode("ascii")

    def found_that(self, sentence: str, *, signed: bool) -> Finding:
        """Return the finding of this evidence."""
        return Finding(self.kind, self.frame.origin, sentence, signed)


def format_hashes(values: Sequence[bytes]) -> str:
    """Return a list of byte strings as JSON, base64 each."""
    return "[" + ",".join(f'"{format_base64(value)}"' for value in values) + "]"


def read_hashes(value: object, name: str, at_most: int) -> tuple[bytes, ...]:
    """Return the digests of a list; MalformedError for more of them than there can be."""
    items = read_list(value, name)
    if len(items) > at_most:
        raise MalformedError(f"{name} has {len(items)} hashes, more than {at_most}")
    return tuple(read_digest(item, f"{name}[{at}]") for at, item in enumerate(items))


def format_bytes_as_text(data: bytes) -> str:
    """Return text that came as bytes (a note, a receipt) as a JSON text."""
    return format_text(data.decode("utf-8"))


def read_text_as_bytes(value: object, name: str) -> bytes:
    """Return the UTF-8 of a JSON text; MalformedError where it has none."""
    try:
        return read_text(value, name).encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError(f"{name} holds half a character") from None


def open_signed(note: bytes, key: VerifierKey, name: str) -> Checkpoint:
    """Return the checkpoint that the key signed; `name` is the field it stands in.

    Raises:
        VerificationError: it did not sign it, or the note does not parse.
    """
    try:
        return check_checkpoint(policy_of_key(key), note)[0]
    except VerificationError as error:
        raise VerificationError(f"{name}: {error.message}", step=name.lower()) from error


def shows_nothing(why: str) -> VerificationError:
    """Return the error of evidence whose parts hold and contradict nothing."""
    return VerificationError(f"the evidence shows nothing: {why}", step="evidence")
