"""Policies: the file as its specification says, and which checkpoints it accepts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import signers
from qed.errors import MalformedError, VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.note import (
    ED25519,
    ED25519_COSIGNATURE,
    Note,
    Signature,
    VerifierKey,
    format_note,
    format_verifier_key,
    parse_note,
)
from qed.signing.policy import (
    DEFINITION_LIMIT,
    POLICY_LIMIT_BYTES,
    Group,
    Policy,
    Witness,
    check_checkpoint,
    parse_policy,
    policy_of_key,
)

LOG = signers.signer("log.example/a")
LOG_KEY = format_verifier_key(LOG.verifier_key)
NOTE = sign_checkpoint(LOG, 300, signers.checkpoint(LOG.name, 300).root)
OLDER = {name: signers.Ed25519Witness(f"{name}.example") for name in ("X1", "X2", "X3", "Y1", "Y2")}
NEWER = signers.cosigner("Y3.example")
KEYS = {
    **{name: format_verifier_key(witness.verifier_key) for name, witness in OLDER.items()},
    "Y3": format_verifier_key(NEWER.verifier_key),
}
WITNESSES = "".join(f"witness {name} {key}\n" for name, key in KEYS.items())
EXAMPLE = f"""log {LOG_KEY}

{WITNESSES}
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigned(*names: str, time_s: int = 1_700_000_000) -> bytes:
    """Return the checkpoint with the cosignatures of these witnesses."""
    note = parse_note(NOTE)
    lines = [
        NEWER.cosign(signers.checkpoint(LOG.name, 300), time_s)
        if name == "Y3"
        else OLDER[name].cosign_text(note.text, time_s)
        for name in names
    ]
    return format_note(Note(note.text, (*note.signatures, *lines)))


def refused(policy: Policy, data: bytes) -> str:
    with pytest.raises(VerificationError) as caught:
        check_checkpoint(policy, data)
    return caught.value.step


def malformed(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(MalformedError) as caught:
        parse_policy(data)
    return caught.value.message


def test_the_specifications_example() -> None:
    policy = parse_policy(EXAMPLE.encode())
    assert policy.logs == (LOG.verifier_key,)
    assert [witness.name for witness in policy.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    assert policy.groups == (
        Group("X-witnesses", 2, ("X1", "X2", "X3")),
        Group("Y-witnesses", 1, ("Y1", "Y2", "Y3")),
        Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
    )
    assert policy.quorum == "X-and-Y"


@pytest.mark.parametrize("names", [("X1", "X2", "Y1"), ("X3", "Y3", "X1"), tuple(KEYS)])
def test_enough_witnesses(names) -> None:
    checkpoint, found = check_checkpoint(parse_policy(EXAMPLE.encode()), cosigned(*names))
    assert (checkpoint.origin, checkpoint.size) == (LOG.name, 300)
    assert {one.witness.name for one in found} == set(names)
    assert {one.timestamp_s for one in found} == {1_700_000_000}


@pytest.mark.parametrize(
    "names", [(), ("X1",), ("X1", "X2"), ("X1", "Y1", "Y3"), ("X1", "X1", "Y1")]
)
def test_too_few_witnesses(names) -> None:
    assert refused(parse_policy(EXAMPLE.encode()), cosigned(*names)) == "quorum"


def test_the_newest_of_two_times_counts() -> None:
    first, second = parse_note(cosigned("X1", time_s=5)), parse_note(cosigned("X1", time_s=9))
    both = format_note(Note(first.text, (*second.signatures, first.signatures[1])))
    policy = parse_policy(f"log {LOG_KEY}\nwitness w {KEYS['X1']}\nquorum w\n".encode())
    assert [one.timestamp_s for one in check_checkpoint(policy, both)[1]] == [9]


@pytest.mark.parametrize("name", ["X1", "Y3"])
def test_a_false_cosignature_by_a_listed_witness_rejects_the_note(name) -> None:
    note = parse_note(cosigned("X1", "X2", "Y1", "Y3"))
    lines = [
        Signature(one.name, one.key_id, one.data[:-1] + bytes([one.data[-1] ^ 1]))
        if one.name == f"{name}.example"
        else one
        for one in note.signatures
    ]
    data = format_note(Note(note.text, tuple(lines)))
    assert refused(parse_policy(EXAMPLE.encode()), data) == "signature"
    unlisted = parse_policy(f"log {LOG_KEY}\nquorum none\n".encode())
    assert check_checkpoint(unlisted, data)[1] == ()


def test_the_log_has_to_sign_whoever_cosigns() -> None:
    note = parse_note(cosigned("X1", "X2", "Y1"))
    policy = parse_policy(EXAMPLE.encode())
    assert refused(policy, format_note(Note(note.text, note.signatures[1:]))) == "signature"
    other = sign_checkpoint(signers.signer("log.example/b"), 300, bytes(32))
    assert refused(policy, other) == "origin"
    assert refused(policy, b"no note") == "note"
    assert refused(parse_policy(b"quorum none\n"), NOTE) == "origin"


def test_a_policy_of_one_key_asks_nobody_else() -> None:
    policy = policy_of_key(LOG.verifier_key)
    assert (
        policy
        == Policy((LOG.verifier_key,))
        == parse_policy(f"log {LOG_KEY}\nquorum none\n".encode())
    )
    assert check_checkpoint(policy, cosigned("X1"))[1] == ()


def test_a_log_may_be_known_by_its_ml_dsa_key() -> None:
    """Its line is a cosignature under the origin's own name."""
    cosigner = signers.cosigner(LOG.name)
    data = sign_checkpoint(
        LOG, 300, signers.checkpoint(LOG.name, 300).root, cosigner=cosigner, now_s=7
    )
    policy = policy_of_key(cosigner.verifier_key)
    assert check_checkpoint(policy, data)[0].size == 300
    assert refused(policy, NOTE) == "signature"


def test_any_of_several_logs_is_believed() -> None:
    other = signers.signer("log.example/b")
    text = f"log {LOG_KEY}\nlog {format_verifier_key(other.verifier_key)} https://b.example/\n"
    policy = parse_policy(f"{text}quorum none\n".encode())
    assert check_checkpoint(policy, NOTE)[0].origin == LOG.name
    data = sign_checkpoint(other, 3, bytes(32))
    assert check_checkpoint(policy, data)[0].origin == other.name


def test_space_comments_and_octets() -> None:
    text = (
        f"  \t\n# a comment \xe9\n\t # another\n\tlog \t {LOG_KEY} \t https://log.example/ \n"
        f"witness caf\xe9 {KEYS['X1']}\twhatever\nquorum  caf\xe9\t\n# end\n"
    ).encode("latin-1")
    policy = parse_policy(text)
    assert policy.witnesses[0].key.name == "X1.example"
    assert check_checkpoint(policy, cosigned("X1"))[0].size == 300


def test_names_are_octets() -> None:
    """A Kelvin sign is another name than the letter K, and no octet is lost."""
    text = f"witness K {KEYS['X1']}\nquorum \u212a\n"
    assert "not defined" in malformed(text)
    two = (
        b"witness \xe9 "
        + KEYS["X1"].encode()
        + b"\nwitness \xe8 "
        + KEYS["X2"].encode()
        + b"\nquorum \xe9\n"
    )
    assert len({witness.name for witness in parse_policy(two).witnesses}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not end"),
        ("quorum none", "does not end"),
        ("\n", "no quorum"),
        ("quorum none\nquorum none\n", "line 2 of the policy: there is a quorum line already"),
        ("quorum w\n", "'w' is not defined"),
        ("quorum\n", "not `quorum"),
        ("quorum none none\n", "not `quorum"),
        ("Quorum none\n", "'Quorum' is not log"),
        ("threshold 3\n", "is not log"),
        ("quorum none\r\n", "control characters"),
        ("quorum\x0bnone\n", "control characters"),
        ("quorum none\x00\n", "control characters"),
        ("# \x7f\nquorum none\n", "line 1 of the policy: control characters"),
        ("log\n", "not `log"),
        (f"log {LOG_KEY} a b\n", "not `log"),
        ("log x\n", "not a verifier key"),
        (f"log {KEYS['X1']}\n", "not a key that signs for a log"),
        (f"log {LOG_KEY}\nlog {LOG_KEY}\n", "line 2 of the policy: the public key"),
        (f"witness w\n{LOG_KEY}\n", "not `witness"),
        (f"witness w {LOG_KEY}\n", "not a key that cosigns"),
        (f"witness w {KEYS['X1']} a b\n", "not `witness"),
        (f"witness none {KEYS['X1']}\n", "the name 'none' is taken"),
        (f"witness w {KEYS['X1']}\nwitness w {KEYS['X2']}\n", "the name 'w' is taken"),
        (f"witness v {KEYS['X1']}\nwitness w {KEYS['X1']}\n", "has a line already"),
        (f"{WITNESSES}group g all\n", "not `group"),
        (f"{WITNESSES}group g all none\n", "none is not a member"),
        (f"{WITNESSES}group g all g\n", "'g' is not defined"),
        (f"{WITNESSES}group g all h\ngroup h all X1\n", "'h' is not defined"),
        (f"{WITNESSES}group X1 all X2\n", "the name 'X1' is taken"),
        (f"{WITNESSES}group none all X2\n", "the name 'none' is taken"),
        (f"{WITNESSES}group g any X1 X1\n", "member of a group already"),
        (f"{WITNESSES}group g any X1\ngroup h any X1\n", "member of a group already"),
        (f"{WITNESSES}group g 0 X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g 2 X1\n", "2 of 1 members"),
        (f"{WITNESSES}group g +1 X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g 01 X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g -1 X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g 1.0 X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g \u0661 X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g ALL X1\n", "not all, any or a number"),
        (f"{WITNESSES}group g 99999 X1\n", "not all, any or a number"),
        (f"{WITNESSES}quorum g\ngroup g all X1\n", "'g' is not defined"),
    ],
)
def test_what_is_no_policy(text, message) -> None:
    assert message in malformed(text)


def test_one_public_key_has_one_line_whatever_it_is_called() -> None:
    """Else one witness would count twice, or a log would be a witness of itself."""
    public = OLDER["X1"].verifier_key.public
    renamed = format_verifier_key(VerifierKey("else.example", ED25519_COSIGNATURE, public))
    assert "has a line" in malformed(f"witness v {KEYS['X1']}\nwitness w {renamed}\n")
    log = format_verifier_key(VerifierKey("else.example", ED25519, public))
    assert "has a line" in malformed(f"witness v {KEYS['X1']}\nlog {log}\n")
    assert "has a line" in malformed(f"log {log}\nwitness v {KEYS['X1']}\n")


def test_limits() -> None:
    comment = b"#" + b"x" * (POLICY_LIMIT_BYTES - len(b"#\nquorum none\n")) + b"\nquorum none\n"
    assert parse_policy(comment) == Policy(())
    assert "at most" in malformed(b"#" + comment)

    keys = [
        format_verifier_key(VerifierKey("w.example", ED25519_COSIGNATURE, i.to_bytes(32, "big")))
        for i in range(DEFINITION_LIMIT + 1)
    ]
    lines = [f"witness w{i} {key}\n" for i, key in enumerate(keys)]
    groups = [f"group g{i} any w{i}\n" for i in range(DEFINITION_LIMIT)]
    policy = parse_policy(f"{''.join(lines[:-1] + groups)}quorum g0\n".encode())
    assert len(policy.witnesses) == len(policy.groups) == DEFINITION_LIMIT
    assert "more than 256 witnesses" in malformed("".join(lines))
    assert "more than 256 groups" in malformed("".join([*lines[:-1], *groups, "group h any g0\n"]))
    logs = "".join(
        f"log {format_verifier_key(VerifierKey('l', ED25519, i.to_bytes(32, 'big')))}\n"
        for i in range(DEFINITION_LIMIT + 1)
    )
    assert "more than 256 logs" in malformed(logs)


def test_a_witness_is_found_by_name_and_key_id() -> None:
    policy = Policy((LOG.verifier_key,), (Witness("w", OLDER["X1"].verifier_key),), (), "w")
    assert refused(policy, cosigned("X2")) == "quorum"
    assert check_checkpoint(policy, cosigned("X1"))[1][0].witness.name == "w"


WORDS = st.sampled_from(
    [
        *("log", "witness", "group", "quorum", "none", "all", "any", "1", "2", "w", "v", "g", "#"),
        *(LOG_KEY, KEYS["X1"], KEYS["Y3"], "\n", "\n", "\n", "\t", "\r", "é"),
    ]
)


@given(st.lists(WORDS, max_size=20).map(" ".join).map(str.encode) | st.binary(max_size=100))
def test_whatever_is_in_a_file_is_a_policy_or_none(data) -> None:
    try:
        policy = parse_policy(data)
    except MalformedError:
        return
    names = {witness.name for witness in policy.witnesses} | {one.name for one in policy.groups}
    assert policy.quorum is None or policy.quorum in names
