"""What is believed of a log only grows, and only by what is signed and proven."""

from hashlib import sha256

import pytest

from publishing import ORIGIN, PublishedLog
from qed.client.evidence import verify_evidence
from qed.client.trusted import Trusted
from qed.errors import ContradictionError, NotFoundError, VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.note import NoteSigner
from qed.signing.policy import policy_of_key
from qed.trees import tiles, verify_log


def never(nodes, size):
    raise AssertionError(f"nothing is to be read, not {nodes} of {size}")


@pytest.fixture(name="log")
def log_of_three_sizes():
    """Sizes 3, 300 and 700 were published."""
    log = PublishedLog()
    log.add(b"a", b"b", b"c")
    log.add(*[b"second %d" % n for n in range(297)])
    log.add(*[b"third %d" % n for n in range(400)])
    return log


def forked(log, at):
    """Return a log that has the first versions and goes on differently, under the same key."""
    other = PublishedLog()
    for leaf in log.leaves[:at]:
        other.log.add([leaf[20:52]])
        other._append(other.log.snapshots[-1])
    other.add(*[b"other %d" % n for n in range(800 - at)])
    return other


def test_nothing_is_trusted_at_first_but_the_key(log):
    trusted = Trusted(log.key)

    assert (trusted.key, trusted.origin) == (log.key, ORIGIN)
    assert (trusted.size, trusted.root, trusted.note) == (0, sha256(b"").digest(), b"")


def test_the_first_checkpoint_is_taken_on_its_signature(log):
    trusted = Trusted(log.key)

    found = trusted.compare(log.notes[1], never)

    assert (found.size, trusted.size, trusted.note) == (300, 300, log.notes[1])
    assert trusted.root == found.root
    again = Trusted(log.key, trusted.note)
    assert (again.size, again.root, again.note) == (300, found.root, trusted.note)


def test_a_larger_one_takes_its_place_when_it_begins_with_it(log):
    trusted = Trusted(log.key, log.notes[0])
    for note, size in ((log.notes[1], 300), (log.notes[2], 700)):
        assert trusted.compare(note, log.read_nodes).size == size
        assert (trusted.size, trusted.note) == (size, note)


def test_equal_and_smaller_ones_are_compared_and_not_taken_over(log):
    trusted = Trusted(log.key, log.notes[2])

    assert trusted.compare(log.notes[2], never).size == 700
    for note, size in ((log.notes[0], 3), (log.notes[1], 300)):
        assert trusted.compare(note, log.read_nodes).size == size
        assert (trusted.size, trusted.note) == (700, log.notes[2])


def test_an_empty_log_is_no_error():
    log = PublishedLog()
    log.publish()
    trusted = Trusted(log.key)

    assert trusted.compare(log.note, never).size == 0
    assert trusted.note == log.note
    log.add(b"a")
    assert trusted.compare(log.note, log.read_nodes).size == 1
    assert trusted.compare(log.notes[0], log.read_nodes).size == 0


@pytest.mark.parametrize("old", [1, 2, 3, 100, 256, 300, 512])
def test_a_fork_is_a_contradiction_and_nothing_is_taken_over(log, old):
    fork = forked(log, old - 1)
    note = sign_checkpoint(log.signer, old, root_of(log, old))
    trusted = Trusted(log.key, note)

    with pytest.raises(ContradictionError) as caught:
        trusted.compare(fork.note, fork.read_nodes)

    assert caught.value.step == "consistency"
    assert (trusted.size, trusted.note) == (old, note)
    assert shows(caught.value.evidence, log.key)
    grown = Trusted(log.key, fork.note)
    with pytest.raises(ContradictionError) as caught:
        grown.compare(note, fork.read_nodes)
    assert grown.note == fork.note
    assert shows(caught.value.evidence, log.key)


def shows(evidence, key):
    """Whether anybody with the key alone sees a contradiction in it."""
    return verify_evidence(evidence, policy_of_key(key)).signed


def root_of(log, size):
    return tiles.compute_root(lambda nodes: log.read_nodes(nodes, size), size)


def test_two_roots_of_one_size_are_a_contradiction(log):
    other = sign_checkpoint(log.signer, 700, b"\1" * 32)
    trusted = Trusted(log.key, log.note)

    with pytest.raises(ContradictionError, match="two roots of 700") as caught:
        trusted.compare(other, never)
    assert shows(caught.value.evidence, log.key)
    assert trusted.note == log.note
    with pytest.raises(VerificationError, match="no leaves"):
        Trusted(log.key).compare(sign_checkpoint(log.signer, 0, b"\1" * 32), never)


@pytest.mark.parametrize("first", [1, 2])
def test_hashes_that_prove_nothing_are_the_sources_fault_alone(log, first):
    """Nothing signed is contradicted, so nobody but the source is to be blamed."""

    def lie(nodes, size):
        return [bytes(32) for _ in log.read_nodes(nodes, size)]

    known, other = (log.notes[1], log.notes[2])[:: 1 if first == 1 else -1]
    trusted = Trusted(log.key, known)
    with pytest.raises(VerificationError, match="do not link") as caught:
        trusted.compare(other, lie)
    assert not isinstance(caught.value, ContradictionError)
    assert trusted.note == known


def test_every_hash_of_a_proof_matters(log):
    asked = []

    def count(nodes, size):
        asked.append(list(nodes))
        return log.read_nodes(nodes, size)

    Trusted(log.key, log.notes[1]).compare(log.notes[2], count)
    assert len(asked) == 1
    for at in range(len(asked[0])):

        def lie(nodes, size, at=at):
            hashes = log.read_nodes(nodes, size)
            if nodes == asked[0]:
                hashes[at] = bytes(32)
            return hashes

        with pytest.raises(VerificationError):
            Trusted(log.key, log.notes[1]).compare(log.notes[2], lie)


def test_what_the_reader_raises_leaves_all_as_it_was(log):
    def absent(*_):
        raise NotFoundError("no such tile")

    trusted = Trusted(log.key, log.notes[0])
    with pytest.raises(NotFoundError):
        trusted.compare(log.notes[2], absent)
    assert trusted.note == log.notes[0]


def test_another_key_another_origin_and_no_note_are_refused(log):
    trusted = Trusted(log.key, log.notes[0])
    other_key = PublishedLog(seed=2)
    other_key.add(b"a", b"b", b"c", b"d")
    other_name = NoteSigner(log.signer.key, "another")
    notes = {
        "signature": other_key.note,
        "origin": sign_checkpoint(other_name, 9, b"\1" * 32),
        "note": b"no note",
    }
    for step, note in notes.items():
        for judge in (
            trusted.read,
            lambda note: trusted.compare(note, never),
            lambda note: Trusted(log.key, note),
        ):
            with pytest.raises(VerificationError) as caught:
                judge(note)
            assert caught.value.step == step
    assert trusted.note == log.notes[0]


def test_reading_a_note_trusts_nothing_new(log):
    trusted = Trusted(log.key, log.notes[0])
    assert trusted.read(log.notes[2]).size == 700
    assert trusted.size == 3


def test_a_leaf_under_the_root_is_a_snapshot(log):
    trusted = Trusted(log.key, log.note)
    for version in (0, 255, 256, 511, 699):
        path = trusted.prove(log.read_nodes, log.leaves[version], version)
        snapshot = trusted.authenticate(log.leaves[version], version, path)
        assert snapshot == log.snapshots[version]


def test_no_other_leaf_is_believed(log):
    trusted = Trusted(log.key, log.note)
    path = trusted.prove(log.read_nodes, log.leaves[5], 5)
    changed = bytearray(log.leaves[5])
    changed[-1] ^= 1
    for leaf, index, proof in (
        (bytes(changed), 5, path),
        (log.leaves[6], 5, path),
        (log.leaves[5], 6, path),
        (log.leaves[5], 5, path[:-1]),
        (log.leaves[5], 5, [*path, path[0]]),
        (log.leaves[5], 5, path[::-1]),
        (b"", 5, path),
        (log.leaves[5][:-1], 5, path),
    ):
        with pytest.raises(VerificationError):
            trusted.authenticate(leaf, index, proof)


def test_nothing_beyond_the_checkpoint_is_believed(log):
    trusted = Trusted(log.key, log.notes[0])
    with pytest.raises(VerificationError):
        trusted.prove(log.read_nodes, log.leaves[3], 3)
    with pytest.raises(VerificationError):
        trusted.authenticate(log.leaves[3], 3, [])
    with pytest.raises(VerificationError):
        trusted.prove(lambda nodes, _: [bytes(32) for _ in nodes], log.leaves[1], 1)
    with pytest.raises(VerificationError):
        Trusted(log.key).authenticate(log.leaves[0], 0, [])
    assert Trusted(log.key).root == verify_log.EMPTY_ROOT


def test_a_leaf_that_the_log_signed_in_another_place_is_not_believed(log):
    """The root would lead to it; the version in it is not the one that was asked for."""
    leaf = log.leaves[5]
    lone = sign_checkpoint(log.signer, 1, verify_log.hash_leaf(leaf))
    trusted = Trusted(log.key, lone)
    with pytest.raises(VerificationError, match="says that it is of version 5"):
        trusted.authenticate(leaf, 0, [])
