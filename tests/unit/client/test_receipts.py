"""The ten steps over receipts: the true ones pass, all others are refused by the right step."""

import base64
import time
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from publishing import ORIGIN, PublishedLog, make_key
from qed.client.evidence import verify_evidence
from qed.client.receipt_text import format_receipt
from qed.client.receipts import (
    MAP_NOT_PROVEN,
    TIME_NOT_PROVEN,
    encode_leaf,
    verify_receipt,
    verify_under_key,
)
from qed.errors import ContradictionError, MalformedError, QedError, VerificationError
from qed.signing.checkpoint import read_checkpoint, sign_checkpoint
from qed.signing.cosignature import Cosigner
from qed.signing.note import NoteSigner, format_verifier_key
from qed.signing.policy import Policy, Witness, policy_of_key
from qed.trees import snapshot_log
from qed.trees.tiles import prove_inclusion
from qed.trees.values import Snapshot
from receipt_log import (
    ABSENT_EVENT,
    EVENTS,
    beside,
    changed_receipts,
    extra_of,
    flips,
    make_receipt,
    one_of_each,
    receipt,
    small_log,
    with_extra,
)

LOG = small_log()
POLICY = policy_of_key(LOG.key)
OF_EACH = one_of_each(LOG)
KIND = {name: name.partition(" ")[0] for name in OF_EACH}
EVENT = sha256(EVENTS[2]).digest()


def refuse(data: bytes, *steps: str, **question: object) -> None:
    with pytest.raises(VerificationError) as raised:
        verify_receipt(data, **{"policy": POLICY, **question})
    assert raised.value.step in steps, raised.value


@pytest.mark.parametrize("name", OF_EACH)
def test_a_true_receipt_proves_what_it_says(name):
    digest, data = OF_EACH[name]

    found = verify_receipt(data, policy=POLICY, digest=digest, kind=KIND[name])

    assert (found.kind, found.origin, found.digest) == (KIND[name], ORIGIN, digest)
    assert (found.size, found.root) == (7, read_checkpoint(LOG.note).root)
    assert found.version == (None if KIND[name] == "absent" else 2)
    assert found.current == (2 if name == "logged" else 6)
    assert found.snapshot == LOG.snapshots[found.current]


@pytest.mark.parametrize("name", OF_EACH)
def test_what_is_not_asked_is_returned(name):
    digest, data = OF_EACH[name]

    found = verify_under_key(data, LOG.key)

    assert (found.kind, found.digest) == (KIND[name], digest)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 9, 300])
def test_receipts_of_logs_of_other_sizes(size):
    log = PublishedLog()
    log.fill(size)
    policy = policy_of_key(log.key)
    for version in {0, size // 2, size - 1}:
        digest = log.snapshots[version].event_digest
        for kind in ("logged", "newest"):
            data = receipt(log, kind, digest)
            assert verify_receipt(data, policy=policy, digest=digest, kind=kind).version == version
    digest = sha256(ABSENT_EVENT).digest()
    data = receipt(log, "absent", digest)
    assert verify_receipt(data, policy=policy, digest=digest, kind="absent").current == size - 1


def test_newest_tells_an_older_version_from_the_newest_one():
    log = small_log(4)
    log.add(EVENTS[1])
    policy, digest = policy_of_key(log.key), sha256(EVENTS[1]).digest()

    older = verify_receipt(receipt(log, "logged", digest, version=1), policy=policy, digest=digest)
    newest = verify_receipt(receipt(log, "newest", digest), policy=policy, digest=digest)

    assert (older.version, newest.version) == (1, 4)


def test_what_is_not_proven_is_said():
    assert verify_under_key(OF_EACH["logged"][1], LOG.key).not_proven == (TIME_NOT_PROVEN,)
    for name in ("newest", "absent"):
        found = verify_under_key(OF_EACH[name][1], LOG.key)
        assert found.not_proven == (MAP_NOT_PROVEN, TIME_NOT_PROVEN)


@pytest.mark.parametrize("name", OF_EACH)
def test_the_question_must_be_the_one_that_is_answered(name):
    _, data = OF_EACH[name]

    refuse(data, "event-digest", digest=sha256(b"another event").digest())
    for kind in {"logged", "newest", "absent"} - {KIND[name]}:
        refuse(data, "kind", kind=kind)


def test_a_question_that_is_none_is_the_callers_mistake():
    with pytest.raises(MalformedError, match="32 bytes"):
        verify_receipt(OF_EACH["logged"][1], policy=POLICY, digest=b"short")
    with pytest.raises(MalformedError, match="none of"):
        verify_receipt(OF_EACH["logged"][1], policy=POLICY, kind="lodged")


@pytest.mark.parametrize("name", OF_EACH)
def test_every_changed_number_digest_and_hash_is_refused(name):
    digest, _ = OF_EACH[name]
    true = make_receipt(LOG, KIND[name], digest)
    seen = set()
    for what, changed in changed_receipts(true):
        with pytest.raises(VerificationError) as raised:
            verify_receipt(format_receipt(changed), policy=POLICY, digest=digest)
        seen.add(raised.value.step)
        assert raised.value.step, what
    assert seen == {"inclusion", "numbers", "receipt"}


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_EACH)
def test_every_byte_flipped_is_refused(name):
    digest, data = OF_EACH[name]
    for place, mask, flipped in flips(data, (0x01, 0x20, 0x80)):
        with pytest.raises(QedError) as raised:
            verify_receipt(flipped, policy=POLICY, digest=digest, kind=KIND[name])
        assert raised.value.code == "verification", (place, mask, raised.value)


@pytest.mark.parametrize("name", OF_EACH)
def test_every_cut_is_refused(name):
    digest, data = OF_EACH[name]
    for length in range(0, len(data), 7):
        refuse(data[:length], "receipt", "note", digest=digest)
    refuse(data + b"\n", "note")
    refuse(data + data, "note")


# What somebody would try


def test_a_receipt_of_another_log_with_the_same_name():
    other = small_log(seed=2)
    assert other.signer.name == ORIGIN

    for name, (digest, data) in one_of_each(other).items():
        refuse(data, "signature", digest=digest, kind=KIND[name])


def test_a_log_that_is_not_known():
    other = small_log(origin="qed-other")

    refuse(receipt(other, "logged", EVENT), "origin")
    refuse(OF_EACH["logged"][1], "origin", policy=Policy(()))


def test_each_of_several_logs_is_known_by_its_own_key():
    other = small_log(origin="qed-other", seed=2)
    both = Policy((LOG.key, other.key))

    assert verify_receipt(receipt(other, "logged", EVENT), policy=both).origin == "qed-other"
    assert verify_receipt(OF_EACH["logged"][1], policy=both).origin == ORIGIN
    # One log's key under the other's name signs nothing.
    forged = sign_checkpoint(NoteSigner(make_key(2), ORIGIN), 7, read_checkpoint(LOG.note).root)
    refuse(OF_EACH["logged"][1].replace(LOG.note, forged), "signature", policy=both)


def test_an_index_beyond_the_size():
    log = small_log(7)
    later = small_log(9)
    for kind, event in (("logged", EVENTS[8]), ("newest", EVENTS[2]), ("absent", ABSENT_EVENT)):
        digest = sha256(event).digest()
        ahead = make_receipt(later, kind, digest)
        refuse(format_receipt(replace(ahead, note=log.note)), "numbers", digest=digest)


def test_another_version_as_c():
    later = small_log(9)
    for kind, event in (("newest", EVENTS[2]), ("absent", ABSENT_EVENT)):
        digest = sha256(event).digest()
        old, new = make_receipt(LOG, kind, digest), make_receipt(later, kind, digest)
        older_leaf = make_receipt(later, "logged", digest=later.snapshots[6].event_digest)
        # The old answer under its true leaf and a newer checkpoint is true, as of its c.
        fine = replace(new, snapshot=old.snapshot, answer=old.answer, index=6, path=older_leaf.path)
        found = verify_receipt(format_receipt(fine), policy=POLICY, digest=digest, kind=kind)
        assert (found.current, found.size) == (6, 9)
        # But it is not as of version 8.
        refuse(format_receipt(replace(new, answer=old.answer)), "numbers", digest=digest)
        said = replace(old.answer, current_version=8, query_version=8)
        refuse(format_receipt(replace(new, answer=said)), "hyper-root", "numbers", digest=digest)
        asked = replace(new.answer, query_version=9)
        refuse(format_receipt(replace(new, answer=asked)), "numbers", digest=digest)
        asked = replace(new.answer, query_version=3)
        refuse(format_receipt(replace(new, answer=asked)), "numbers", digest=digest)


def test_an_answer_about_another_key():
    for kind in ("newest", "absent"):
        digest = sha256(EVENTS[2] if kind == "newest" else ABSENT_EVENT).digest()
        other = sha256(EVENTS[3] if kind == "newest" else b"absent too").digest()
        true = make_receipt(LOG, kind, digest)
        swapped = replace(true, answer=LOG.log.membership(other))
        refuse(format_receipt(swapped), "event-digest", digest=digest)
        renamed = replace(true, answer=replace(swapped.answer, key_digest=digest))
        refuse(format_receipt(renamed), "hyper-path", digest=digest)


def test_a_presence_is_no_absence():
    present = make_receipt(LOG, "newest", EVENT)

    refuse(format_receipt(replace(present, kind="absent")), "kind", digest=EVENT)
    absent = make_receipt(LOG, "absent", beside(EVENTS[3]))
    refuse(format_receipt(replace(absent, kind="newest")), "kind", digest=beside(EVENTS[3]))


def test_an_absence_whose_leaf_leaves_out_its_history():
    digest = beside(EVENTS[3])
    true = make_receipt(LOG, "absent", digest)
    assert true.answer.hyper_leaf is not None
    none = replace(true.answer, hyper_leaf=None)
    refuse(format_receipt(replace(true, answer=none)), "hyper-root", "hyper-path", digest=digest)
    empty = replace(true.answer, hyper_leaf=replace(true.answer.hyper_leaf, history={}))
    refuse(format_receipt(replace(true, answer=empty)), "history-path", digest=digest)
    extra = extra_of(format_receipt(true))
    start = extra.index(b',"History":{', extra.index(b'"HyperLeaf"'))
    cut = extra[:start] + b"}}}"
    refuse(with_extra(format_receipt(true), cut), "receipt", digest=digest)


def test_a_present_event_called_absent_by_its_own_leaf():
    """The leaf's hash holds no key: only its history says whose it is."""
    true = make_receipt(LOG, "newest", EVENT)
    other = make_receipt(LOG, "absent", beside(EVENTS[2])).answer
    forged = replace(
        true.answer,
        exists=False,
        history=None,
        actual_version=6,
        hyper_leaf=replace(other.hyper_leaf, key_digest=beside(EVENTS[2])),
    )
    refuse(
        format_receipt(replace(true, kind="absent", answer=forged)), "history-root", digest=EVENT
    )


def test_a_path_with_an_empty_sibling():
    """With values of any length one version's root would verify as another's."""
    true = make_receipt(LOG, "logged", EVENT)
    lines = format_receipt(true).split(b"\n")
    for line in (b"=", b"AA==", base64.b64encode(b"")):
        refuse(b"\n".join([*lines[:3], line, *lines[4:]]), "receipt", "note")
    answer = make_receipt(LOG, "newest", EVENT).answer
    position = next(iter(answer.hyper))
    extra = extra_of(OF_EACH["newest"][1])
    value = base64.b64encode(answer.hyper[position])
    refuse(with_extra(OF_EACH["newest"][1], extra.replace(value, b"")), "receipt", digest=EVENT)


def test_a_leaf_that_says_another_version_than_its_place():
    """Only the log itself can sign such a tree; then the leaf proves neither version."""
    log = PublishedLog()
    for event in EVENTS[:3]:
        log.add(event, publish=False)
    log._append(log.snapshots[1])
    log.publish()
    true = make_receipt(log, "logged", log.snapshots[1].event_digest)
    path = prove_inclusion(lambda nodes: log.read_nodes(nodes, 4), 3, 4)

    refuse(format_receipt(replace(true, index=3, path=tuple(path))), "numbers")


def test_who_cosigned_is_said_with_the_time():
    cosigner = Cosigner("witness.example", MLDSA44PrivateKey.generate())
    key = cosigner.verifier_key
    note = sign_checkpoint(
        LOG.signer, 7, read_checkpoint(LOG.note).root, cosigner=cosigner, now_s=1_700_000_000
    )
    data = format_receipt(replace(make_receipt(LOG, "newest", EVENT), note=note))
    policy = Policy((LOG.key,), (Witness("w", key),), (), "w")

    found = verify_receipt(data, policy=policy, digest=EVENT)

    assert [(one.witness.name, one.timestamp_s) for one in found.cosigned] == [("w", 1_700_000_000)]
    assert found.not_proven == (MAP_NOT_PROVEN,)
    refuse(OF_EACH["newest"][1], "quorum", policy=policy)
    changed = note.replace(b"witness.example ", b"witness.example AAAA", 1)
    refuse(data.replace(note, changed), "note", "quorum", "signature", policy=policy)


def test_a_note_with_extension_lines():
    text = LOG.note.decode().replace("\n\n", "\nmore\n\n").encode()

    refuse(OF_EACH["logged"][1].replace(LOG.note, text), "note")


def test_a_note_with_65_signatures():
    line = LOG.note.split(b"\n\n")[1]
    other = line.replace(ORIGIN.encode(), b"other")
    many = LOG.note + other * 63
    data = OF_EACH["logged"][1]

    assert verify_under_key(data.replace(LOG.note, many), LOG.key).size == 7
    refuse(data.replace(LOG.note, many + other), "note")


def test_huge_numbers_in_the_note():
    for size in (2**63, 2**64 - 1, 2**64, 10**40):
        note = LOG.note.replace(b"\n7\n", b"\n%d\n" % size)
        refuse(OF_EACH["logged"][1].replace(LOG.note, note), "note", "signature")
    # Signed by the log itself: a tree of that size has another path.
    for size in (2**63, 2**64 - 1):
        note = sign_checkpoint(LOG.signer, size, read_checkpoint(LOG.note).root)
        refuse(OF_EACH["logged"][1].replace(LOG.note, note), "inclusion")


def test_a_bad_signature_by_a_known_key_rejects_beside_a_good_one():
    line = LOG.note.split(b"\n\n")[1]
    bad = line[:-8] + b"AAAAA==\n"
    forged = sign_checkpoint(LOG.signer, 7, bytes(32)).split(b"\n\n")[1]

    for more in (forged, bad):
        refuse(OF_EACH["logged"][1].replace(LOG.note, LOG.note + more), "signature", "note")


def test_the_roots_of_the_trees_are_no_root_of_the_snapshot_log():
    true = make_receipt(LOG, "logged", EVENT)
    for root in (true.snapshot.history_digest, true.snapshot.hyper_digest):
        note = sign_checkpoint(LOG.signer, 7, root)
        refuse(format_receipt(replace(true, note=note)), "inclusion")


# Known checkpoints


def test_a_known_checkpoint_that_agrees_or_says_nothing():
    other = small_log(origin="qed-other", seed=2)
    both = Policy((LOG.key, other.key))
    for known in ([], [LOG.note], [small_log(3).note], [other.note, small_log(9).note]):
        assert verify_receipt(OF_EACH["logged"][1], policy=both, known=known).size == 7


def test_a_known_checkpoint_that_is_excluded_is_a_contradiction_with_evidence():
    liar = PublishedLog()
    for event in (*EVENTS[:6], b"another event"):
        liar.add(event, publish=False)
    liar.publish()
    digest, data = one_of_each(liar)["logged"]

    assert verify_receipt(data, policy=POLICY, digest=digest).size == 7
    with pytest.raises(ContradictionError, match="two roots for size 7") as raised:
        verify_receipt(data, policy=POLICY, digest=digest, known=[LOG.note])

    finding = verify_evidence(raised.value.evidence, POLICY)
    assert (finding.kind, finding.signed, finding.origin) == ("equivocation", True, ORIGIN)


def test_a_known_checkpoint_that_nobody_signed_is_no_knowledge():
    forged = sign_checkpoint(NoteSigner(make_key(2), ORIGIN), 7, bytes(32))

    refuse(OF_EACH["logged"][1], "signature", known=[forged])
    refuse(OF_EACH["logged"][1], "note", known=[b"nothing"])


# Costs and twins


def test_the_leaf_is_the_one_that_the_log_makes():
    leaf = Snapshot(2**64 - 2, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)

    assert encode_leaf(leaf) == snapshot_log.encode_leaf(
        leaf.version, leaf.event_digest, leaf.history_digest, leaf.hyper_digest
    )


def test_a_small_file_takes_no_long_time():
    deep = b"[" * 30_000 + b"]" * 30_000
    many = b'{"A":' + b"[1," * 20_000 + b"1" + b"]" * 20_000 + b"}"
    names = b"{" + b",".join(b'"%d":1' % n for n in range(10_000)) + b"}"
    data = OF_EACH["newest"][1]
    line = LOG.note.split(b"\n\n")[1].replace(ORIGIN.encode(), b"other")
    files = [
        *(with_extra(data, extra) for extra in (deep, many, names, b'"' * 90_000)),
        data.replace(b"index 6", b"index " + b"6" * 90_000),
        data.replace(LOG.note, LOG.note + line * 63),
        data.replace(LOG.note, LOG.note + line * 600),
        b"\n" * 90_000,
    ]
    for file in files:
        began = time.perf_counter()
        with pytest.raises(VerificationError):
            verify_receipt(file, policy=POLICY, digest=EVENTS[0].ljust(32))
        assert time.perf_counter() - began < 0.2


def test_a_key_is_given_as_people_pass_it_on():
    assert format_verifier_key(LOG.key).startswith(f"{ORIGIN}+")
