"""Policies (c2sp.org/tlog-policy): which logs are believed, and whose cosignatures they need.

```
log <verifier key> [<url>]
witness <name> <verifier key> [<url>]
group <name> all|any|<k> <name>...          at least k of these witnesses and groups
quorum <name>|none                          exactly once
```

A name is defined before it is used and is a member of one group at most, so no witness counts
twice. Names are octets that mean nothing outside of the file. The file is the reader's own, so what
is wrong with it is a `MalformedError` that names the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qed.errors import MalformedError, VerificationError
from qed.signing.checkpoint import Checkpoint, parse_checkpoint_text
from qed.signing.cosignature import CHECKS, timestamp_s
from qed.signing.note import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    Note,
    VerifierKey,
    parse_note,
    parse_verifier_key,
    verified_signatures,
)

POLICY_LIMIT_BYTES = 1 << 20
DEFINITION_LIMIT = 256  # of logs, of witnesses and of groups
NONE = "none"

_LOG_ALGORITHMS = frozenset({ED25519, ML_DSA_44_COSIGNATURE})
_WITNESS_ALGORITHMS = frozenset({ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE})
_ALLOWED = frozenset([0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)])
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_LOG_WORDS = (2, 3)
_WITNESS_WORDS = (3, 4)
_GROUP_WORDS_LEAST = 4
_QUORUM_WORDS = 2


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigner under the name that the policy gives him."""

    name: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and earlier groups, at least `threshold` of which have to agree."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a checkpoint needs: a listed log's signature, and the quorum's, when there is one.

    `quorum` is the name of a witness or group, None when nobody has to cosign.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str | None = None


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness whose cosignature was verified, and the newest time that he put to it."""

    witness: Witness
    timestamp_s: int


def policy_of_key(key: VerifierKey) -> Policy:
    """Return the policy that believes one log and asks no witness."""
    return Policy(logs=(key,))


def check_checkpoint(policy: Policy, data: bytes | str) -> tuple[Checkpoint, tuple[Cosigned, ...]]:
    """Return the checkpoint of a note that the policy accepts, and which witnesses cosigned it.

    Steps: (1) the note and its three lines parse; (2) the origin is a listed log's name; (3) the
    log's signature verifies; (4) so does each cosignature by a listed witness; (5) there are enough
    of them for the quorum. Times are reported, not judged.

    Raises: VerificationError; its step is "note", "origin", "signature" or "quorum".
    """
    # Step 1: the note and its three lines parse.
    note = parse_note(data)
    checkpoint = parse_checkpoint_text(note.text)
    # Step 2: the origin is a listed log's.
    keys = [key for key in policy.logs if key.name == checkpoint.origin]
    if not keys:
        known = ", ".join(sorted({key.name for key in policy.logs})) or "no log"
        raise VerificationError(
            f"the checkpoint is of the log {checkpoint.origin}; trusted: {known}", step="origin"
        )
    # Step 3: the log's signature verifies.
    verified_signatures(note, keys, CHECKS)
    # Step 4: so does each cosignature by a listed witness.
    cosigned = _check_witnesses(policy, note)
    # Step 5: there are enough of them.
    names = {one.witness.name for one in cosigned}
    if policy.quorum is not None and not _is_reached(policy, names):
        found = ", ".join(sorted(names)) or "nobody"
        raise VerificationError(
            f"the quorum {policy.quorum!r} is not reached: cosigned by {found}", step="quorum"
        )
    return checkpoint, cosigned


def _check_witnesses(policy: Policy, note: Note) -> tuple[Cosigned, ...]:
    cosigned = []
    for witness in policy.witnesses:
        mine = (witness.key.name, witness.key.key_id)
        times = [timestamp_s(one.data) for one in note.signatures if (one.name, one.key_id) == mine]
        if times:
            verified_signatures(note, [witness.key], CHECKS)
            cosigned.append(Cosigned(witness, max(times)))
    return tuple(cosigned)


def _is_reached(policy: Policy, names: set[str]) -> bool:
    """Say whether these witnesses reach the quorum; a group's members are defined before it."""
    agreed = set(names)
    for group in policy.groups:
        if sum(member in agreed for member in group.members) >= group.threshold:
            agreed.add(group.name)
    return policy.quorum in agreed


# The file


def parse_policy(data: bytes) -> Policy:
    """Return the policy that a file says; MalformedError, with the line, when it says none.

    Source: c2sp.org/tlog-policy, "Policy file syntax and structure".
    """
    if len(data) > POLICY_LIMIT_BYTES:
        raise MalformedError(f"a policy has at most {POLICY_LIMIT_BYTES} bytes")
    if not data.endswith(b"\n"):
        raise MalformedError("the policy's last line does not end: a cut file would look like it")
    reader = _Reader()
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            reader.read_line(line)
        except MalformedError as error:
            raise MalformedError(
                f"line {number} of the policy: {error.message}", hint=error.hint
            ) from error
    return reader.policy()


class _Reader:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.names: set[str] = {NONE}
        self.members: set[str] = set()
        self.quorums: list[str] = []

    def policy(self) -> Policy:
        """Return all of it, once every line was read."""
        if not self.quorums:
            raise MalformedError("the policy has no quorum line", hint="`quorum none` asks nobody")
        quorum = None if self.quorums == [NONE] else self.quorums[0]
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), quorum)

    def read_line(self, line: bytes) -> None:
        """Take over one line; an empty one or a comment says nothing."""
        _require(set(line) <= _ALLOWED, "control characters other than a tab are not allowed")
        # Octets stay what they are: those that are no UTF-8 become characters of their own.
        words = [
            word for word in re.split("[ \t]+", line.decode("utf-8", "surrogateescape")) if word
        ]
        if not words or words[0].startswith("#"):
            return
        readers = {
            "log": self._read_log,
            "witness": self._read_witness,
            "group": self._read_group,
            "quorum": self._read_quorum,
        }
        _require(words[0] in readers, f"{words[0]!r} is not log, witness, group or quorum")
        readers[words[0]](words)

    def _read_log(self, words: list[str]) -> None:
        _require(len(words) in _LOG_WORDS, "it is not `log <verifier key> [<url>]`")
        key = parse_verifier_key(words[1])
        _require(key.algorithm in _LOG_ALGORITHMS, "this is not a key that signs for a log")
        self._check_new_key(key)
        _require(len(self.logs) < DEFINITION_LIMIT, f"more than {DEFINITION_LIMIT} logs")
        self.logs.append(key)

    def _read_witness(self, words: list[str]) -> None:
        _require(len(words) in _WITNESS_WORDS, "it is not `witness <name> <verifier key> [<url>]`")
        key = parse_verifier_key(words[2])
        _require(key.algorithm in _WITNESS_ALGORITHMS, "this is not a key that cosigns")
        self._check_new_key(key)
        _require(len(self.witnesses) < DEFINITION_LIMIT, f"more than {DEFINITION_LIMIT} witnesses")
        self._define(words[1])
        self.witnesses.append(Witness(words[1], key))

    def _read_group(self, words: list[str]) -> None:
        _require(len(words) >= _GROUP_WORDS_LEAST, "it is not `group <name> all|any|<k> <name>...`")
        _, name, rule, *members = words
        for member in members:
            _require(member != NONE, "none is not a member of any group")
            _require(member in self.names, f"{member!r} is not defined on an earlier line")
            _require(member not in self.members, f"{member!r} is a member of a group already")
            self.members.add(member)
        _require(len(self.groups) < DEFINITION_LIMIT, f"more than {DEFINITION_LIMIT} groups")
        threshold = {"all": len(members), "any": 1}.get(rule)
        if threshold is None:
            _require(
                _THRESHOLD.fullmatch(rule) is not None, f"{rule!r} is not all, any or a number"
            )
            threshold = int(rule)
        _require(threshold <= len(members), f"{threshold} of {len(members)} members cannot agree")
        self._define(name)
        self.groups.append(Group(name, threshold, tuple(members)))

    def _read_quorum(self, words: list[str]) -> None:
        _require(len(words) == _QUORUM_WORDS, "it is not `quorum <name>`")
        _require(not self.quorums, "there is a quorum line already")
        _require(words[1] in self.names, f"{words[1]!r} is not defined on an earlier line")
        self.quorums.append(words[1])

    def _define(self, name: str) -> None:
        _require(name not in self.names, f"the name {name!r} is taken")
        self.names.add(name)

    def _check_new_key(self, key: VerifierKey) -> None:
        """Refuse a public key that has a line: also a log's as a witness, who would be himself."""
        known = {one.public for one in self.logs} | {one.key.public for one in self.witnesses}
        _require(key.public not in known, f"the public key of {key.name} has a line already")


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise MalformedError(message)
