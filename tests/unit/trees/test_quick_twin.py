"""Flat proofs judged: the native verifier and the readable one agree on every change of them.

Each test runs on both where the native one was built. What `verify` refuses in its own tests is
turned over to the native verifier there, by `both_verifiers`.
"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flat_texts
from laws import digests, logs
from pure_log import PureLog, event_digests, flip_bit
from qed.trees import hyper, quick_twin
from qed.trees.paths import flatten_incremental, flatten_membership
from qed.trees.values import NO_VERSION, FlatIncremental, FlatMembership
from qed.trees.verify import Root

DIGESTS = event_digests(20)


@pytest.fixture(
    scope="module", params=flat_texts.implementations("qed.trees._verifier", "qed.trees.quick_twin")
)
def quick(request):
    return request.param()


def claim(log: PureLog, digest: bytes, version: int | None = None):
    """Return an honest claim, as a client would make it that has every snapshot."""
    proof = log.membership(digest, version)
    as_of = min(proof.query_version, proof.current_version)
    history = log.history_root(as_of if proof.exists else proof.current_version)
    flat = flatten_membership(proof)
    assert flat is not None
    return flat, digest, version, log.hyper_root(proof.current_version), history


def honest_claims():
    """Return claims of both kinds of absence and of presence, in logs of several shapes."""
    near = [flip_bit(DIGESTS[2], bit) for bit in (0, 7, 100, 231, 232, 255)]
    groups = ([DIGESTS[:1]], [DIGESTS[:3], DIGESTS[2:9], near], [DIGESTS], [near, DIGESTS[:2]])
    asked = []
    for one in groups:
        log = PureLog()
        for group in one:
            log.add(group)
        last = len(log.snapshots) - 1
        wanted = [DIGESTS[0], one[-1][-1], flip_bit(DIGESTS[0], 3), flip_bit(DIGESTS[0], 254)]
        asked += [claim(log, digest) for digest in wanted]
        asked += [claim(log, digest, last + 5) for digest in wanted]
        asked.append(claim(log, one[0][0], last))
    return asked


HONEST = honest_claims()


def judged(quick, asked):
    """Return the verdict about one claim, the same from both calls and as the readable one's."""
    verdict = quick.verify_membership(*asked)
    assert quick.verify_memberships([asked]) == [verdict]
    assert verdict == quick_twin.verify_membership(*asked), asked
    return verdict


def test_honest_claims(quick):
    assert len(HONEST) > 30
    assert {asked[0].exists for asked in HONEST} == {True, False}
    assert any(asked[0].leaf_digest for asked in HONEST)
    assert all(judged(quick, asked) for asked in HONEST)
    assert quick.verify_memberships(HONEST) == [True] * len(HONEST)


def bent(value):
    """Return other values for a field: near ones, impossible ones, other shapes."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, bytes):
        other = [value[:-1], value[1:], value + b"\0", b"", value[32:], value[:-32], value + value]
        flips = [flip_at(value, at) for at in range(0, len(value), 13)]
        swapped = value[32:64] + value[:32] + value[64:]
        return [None, *other, *flips, swapped, bytes(32), bytes(len(value))]
    if isinstance(value, int):
        near = [value - 1, value + 1, 0, 2 * value + 1, value ^ 1, value + 64]
        return [None, *near, NO_VERSION - 1, NO_VERSION, NO_VERSION + 1, -1, 2**63, 2**70]
    return [0, 3, NO_VERSION, bytes(32), bytes(64), b""]


def flip_at(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1 :]


def bent_roots(root):
    if root is None:
        return [Root(0, bytes(32))]
    versions = [value for value in bent(root.version) if value is not None]
    values = [value for value in bent(root.digest) if value is not None]
    return [
        *(Root(version, root.digest) for version in versions),
        *(Root(root.version, value) for value in values),
    ]


def changed(asked):
    """Yield a claim with one part changed, whatever it says then."""
    flat, digest, version, hyper, history = asked
    for name, value in zip(FlatMembership._fields, flat, strict=True):
        for other in bent(value):
            if other is not None or name in ("history", "leaf_digest", "leaf_version"):
                yield flat._replace(**{name: other}), digest, version, hyper, history
    yield flat._replace(leaf_digest=None, leaf_version=None, leaf_history=None), *asked[1:]
    for other in [*bent(digest)[1:], DIGESTS[1]]:
        yield flat, other, version, hyper, history
        yield flat._replace(key_digest=other), other, version, hyper, history
    for number in [*bent(0 if version is None else version), flat.current_version]:
        yield flat, digest, number, hyper, history
        if number is not None:
            yield flat._replace(query_version=number), digest, number, hyper, history
    for root in bent_roots(hyper):
        yield flat, digest, version, root, history
        yield flat, digest, version, root, Root(root.version, history.digest)
    for root in [None, *bent_roots(history)]:
        yield flat, digest, version, hyper, root


def test_each_change_of_a_claim_is_judged_as_by_the_readable_verifier(quick):
    """A change that is none, or that changes nothing that is asked, is still right."""
    yes = no = 0
    for asked in HONEST:
        for other in changed(asked):
            if judged(quick, other):
                yes += 1
            else:
                no += 1
    assert no > 5000
    assert 0 < yes < no / 10


def test_two_changes_at_once(quick):
    for asked in HONEST[1::6]:
        flat, digest, version, hyper, history = asked
        for (one, a), (other, b) in product(enumerate(flat), repeat=2):
            if one < other:
                for x, y in product(bent(a)[1:4], bent(b)[1:4]):
                    fields = list(flat)
                    fields[one], fields[other] = x, y
                    judged(quick, (FlatMembership(*fields), digest, version, hyper, history))


@given(logs, digests, st.none() | st.integers(0, 40), st.data())
def test_any_log_any_question_any_change(quick, groups, digest, version, data):
    log = PureLog()
    for group in groups:
        log.add(group)
    wanted = data.draw(st.sampled_from([digest, groups[0][0], groups[-1][-1]]))
    current = len(log.snapshots) - 1
    if (hyper.get(log.tree, wanted) or 0) > (current if version is None else min(version, current)):
        return  # the server answers 412: no proof
    asked = claim(log, wanted, version)
    assert judged(quick, asked)
    name = data.draw(st.sampled_from(["hyper", "history", "leaf_history", "key_digest"]))
    value = getattr(asked[0], name)
    if value:
        bit = data.draw(st.integers(0, 8 * len(value) - 1))
        at = bit // 8
        other = value[:at] + bytes([value[at] ^ 1 << bit % 8]) + value[at + 1 :]
        assert not judged(quick, (asked[0]._replace(**{name: other}), *asked[1:]))


@given(flat_texts.flat_memberships(), digests, st.none() | flat_texts.versions)
def test_made_up_proofs(quick, flat, digest, version):
    for wanted in (digest, flat.key_digest):
        for number in (version, flat.query_version):
            hyper, history = Root(flat.current_version, digest), Root(flat.actual_version, digest)
            assert not judged(quick, (flat, wanted, number, hyper, history))


def test_many_claims_at_once_are_judged_one_by_one(quick):
    """Right and wrong ones mixed, more than are climbed together, in every rotation."""
    several = [other for asked in HONEST[::5] for other in list(changed(asked))[::23]]
    mixed = [asked for pair in zip(several, HONEST * 9, strict=False) for asked in pair]
    wanted = [quick_twin.verify_membership(*asked) for asked in mixed]
    assert 20 < wanted.count(True) < len(wanted)
    for first in range(20):
        rotated = mixed[first:] + mixed[:first]
        assert quick.verify_memberships(rotated) == wanted[first:] + wanted[:first]
        assert quick.verify_memberships(rotated[:first]) == wanted[first : 2 * first]
    assert quick.verify_memberships([]) == []


def increments():
    """Return honest increments of one log, with their roots."""
    log = PureLog()
    log.add(DIGESTS)
    for start, end in product(range(20), repeat=2):
        if start <= end:
            flat = flatten_incremental(log.incremental(start, end))
            assert flat is not None
            yield flat, log.history_root(start), log.history_root(end)


def judged_increment(quick, asked):
    verdict = quick.verify_incremental(*asked)
    assert verdict == quick_twin.verify_incremental(*asked), asked
    return verdict


def test_each_change_of_an_increment_is_judged_as_by_the_readable_verifier(quick):
    yes = no = 0
    for number, (flat, start, end) in enumerate(increments()):
        assert judged_increment(quick, (flat, start, end))
        others = [
            *(flat._replace(start=value) for value in bent(flat.start)[1:]),
            *(flat._replace(end=value) for value in bent(flat.end)[1:]),
            *(flat._replace(hashes=value) for value in bent(flat.hashes)[1:]),
        ]
        asked = [(other, start, end) for other in others]
        if number % 5 == 0:
            asked += [(flat, root, end) for root in bent_roots(start)]
            asked += [(flat, start, root) for root in bent_roots(end)]
            asked += [(flat._replace(start=root.version), root, end) for root in bent_roots(start)]
            asked += [(flat._replace(end=root.version), start, root) for root in bent_roots(end)]
        verdicts = [judged_increment(quick, one) for one in asked]
        yes, no = yes + verdicts.count(True), no + verdicts.count(False)
    assert no > 3000
    assert yes < no / 10


@given(flat_texts.flat_incrementals(), digests)
def test_made_up_increments(quick, flat, digest):
    start, end = Root(flat.start, digest), Root(flat.end, digest)

    assert judged_increment(quick, (flat, start, end)) == (flat.hashes == digest)


def test_what_is_no_claim_is_not_known():
    """Exact types alone: a subclass could say one thing now and another later."""
    quick = flat_texts.native("qed.trees._verifier")

    class Other(FlatMembership):
        pass

    class OtherBytes(bytes):
        pass

    flat, digest, version, hyper, history = asked = HONEST[0]
    for odd in (
        (Other(*flat), *asked[1:]),
        (tuple(flat), *asked[1:]),
        (flat._replace(exists=1), *asked[1:]),
        (flat._replace(actual_version=False), *asked[1:]),
        (flat._replace(hyper=bytearray(flat.hyper)), *asked[1:]),
        (flat._replace(hyper=OtherBytes(flat.hyper)), *asked[1:]),
        (flat, OtherBytes(digest), version, hyper, history),
        (flat, digest, True, hyper, history),
        (flat, digest, version, (hyper.version, hyper.digest), history),
        (None, None, None, None, None),
    ):
        assert quick.verify_membership(*odd) is False
        assert quick.verify_memberships([odd]) == [False]
    assert quick.verify_memberships([None, 1, [*asked], (*asked, 1), asked]) == [
        *[False] * 4,
        True,
    ]
    with pytest.raises(TypeError):
        quick.verify_memberships(None)
    increment = next(increments())
    assert quick.verify_incremental(tuple(increment[0]), *increment[1:]) is False
    assert quick.verify_incremental(increment[0], None, increment[2]) is False
    assert quick.verify_incremental(FlatIncremental(0, 0, None), *increment[1:]) is False
