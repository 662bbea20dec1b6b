"""Requests read the short way: never what the exact reader refuses, never otherwise than it.

Each test runs on both implementations where the native one was built, and what they read, or leave
to the exact reader, is the same.
"""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flat_texts
from qed import wire
from qed.errors import QedError
from qed.wire import flat_twin

MAX_EVENTS = 399_999


@pytest.fixture(
    scope="module", params=flat_texts.implementations("qed.wire._text", "qed.wire.flat_twin")
)
def text(request):
    return request.param()


def exactly(reader, body):
    """Return what the exact reader makes of a body, None where it refuses it."""
    try:
        return reader(body)
    except QedError:
        return None


def hashed(event):
    return None if event is None else sha256(event).digest()


def hashed_all(events):
    return None if events is None else b"".join(sha256(event).digest() for event in events)


# name -> (the short way, the exact one)
READERS = {
    "add": (
        lambda text, body: text.digest_add(body),
        lambda body: hashed(exactly(wire.decode_add, body)),
    ),
    "bulk": (
        lambda text, body: text.digest_bulk(body, MAX_EVENTS),
        lambda body: hashed_all(exactly(wire.decode_bulk, body)),
    ),
    "digest query": (
        lambda text, body: text.read_digest_query(body),
        lambda body: exactly(wire.decode_digest_query, body),
    ),
    "membership query": (
        lambda text, body: text.read_membership_query(body),
        lambda body: exactly(wire.decode_membership_query, body),
    ),
    "incremental query": (
        lambda text, body: text.read_incremental_query(body),
        lambda body: exactly(wire.decode_incremental_query, body),
    ),
}

EVENTS = [b"a", b"bc", b"def", b"\x00" * 16, bytes(range(48)), b"event" * 99]
DIGEST = sha256(b"event").digest()
USUAL = {
    "add": [wire.encode_add(event) for event in EVENTS],
    "bulk": [wire.encode_bulk(EVENTS[:n]) for n in (1, 2, 3, 6)],
    "digest query": [wire.encode_digest_query(DIGEST, n) for n in (None, 0, 7, 10**19, 2**64 - 1)],
    "membership query": [wire.encode_membership_query(b"event", n) for n in (None, 0, 2**64 - 1)],
    "incremental query": [
        wire.encode_incremental_query(*pair) for pair in ((0, 0), (3, 2**64 - 1), (9, 1))
    ],
}
SPACED = {
    "add": [b' \n\t\r{ "Event" \n:\t"YQ=="\r} \n'],
    "bulk": [b' { "Events" : [ "YQ==" , "YmM="\n,"ZGVm" ] } '],
    "digest query": [
        b'{ "KeyDigest" : "%b" }' % flat_twin.b2a_base64(DIGEST, newline=False),
        b' {"KeyDigest": "%b", "Version": null } ' % flat_twin.b2a_base64(DIGEST, newline=False),
    ],
    "membership query": [b'{"Key": "YQ==", "Version": 5}\n', b'{"Key":"YQ=="}'],
    "incremental query": [b'{ "Start" : 1 , "End" : 2 }\n'],
}
CASES = [(name, body) for name in READERS for body in [*USUAL[name], *SPACED[name]]]


@pytest.mark.parametrize(("name", "body"), CASES)
def test_the_usual_spelling_is_read(text, name, body):
    short, exact = READERS[name]

    assert short(text, body) is not None
    assert short(text, body) == exact(body)


UNUSUAL = {
    "add": [
        b"",
        b"{}",
        b"null",
        b'{"Event":null}',
        b'{"Event":""}',
        b'{"Event":"YQ=="',
        b'{"Event":"YQ=="}}',
        b'{"Event":"YQ=="},',
        b'{"Event":"YQ==",}',
        b'{"event":"YQ=="}',
        b'{"Event ":"YQ=="}',
        b'{"Events":"YQ=="}',
        b'{"Event":"YQ==","Event":"YmM="}',
        b'{"Event":"YQ==","Other":1}',
        b'{"Event":"YQ\\u003d="}',
        b'{"Event":"Y\\nQ=="}',
        b'{"Event":"YQ"}',
        b'{"Event":"YQ="}',
        b'{"Event":"YR=="}',
        b'{"Event":"YWJ="}',
        b'{"Event":"YQ==YQ=="}',
        b'{"Event":"===="}',
        b'{"Event":"Y==="}',
        b'{"Event":"Y-_Z"}',
        b'{"Event":"YQ\x00="}',
        b'{"Event":"Y\xc3\xa9Q"}',
        b'\xef\xbb\xbf{"Event":"YQ=="}',
        b'\x0c{"Event":"YQ=="}',
        b'{"Event":"YQ=="}\x00',
        b'{"Event":["YQ=="]}',
        b'["Event","YQ=="]',
    ],
    "bulk": [
        b'{"Events":[]}',
        b'{"Events":null}',
        b'{"Events":[""]}',
        b'{"Events":["YQ==",]}',
        b'{"Events":[,"YQ=="]}',
        b'{"Events":["YQ==" "YQ=="]}',
        b'{"Events":["YQ=="],"Events":["YQ=="]}',
        b'{"Events":["YQ=="],"YQ==":["YQ=="]}',
        b'{"Events":["YQ==","YR=="]}',
        b'{"Events":["YQ==",null]}',
        b'{"Events":["YQ==",[]]}',
        b'{"Events":["YQ=="]',
        b'{"Events":["YQ==","',
        b'{"Events":["YQ==","YQ=="',
        b'{"Events":"YQ=="}',
        b'{"Events"["YQ=="]}',
    ],
    "digest query": [
        b'{"KeyDigest":"YQ=="}',
        b'{"KeyDigest":null,"Version":1}',
        USUAL["digest query"][0].replace(b"null", b"01"),
        USUAL["digest query"][0].replace(b"null", b"-0"),
        USUAL["digest query"][0].replace(b"null", b"1.0"),
        USUAL["digest query"][0].replace(b"null", b"1e3"),
        USUAL["digest query"][0].replace(b"null", b"true"),
        USUAL["digest query"][0].replace(b"null", b'"1"'),
        USUAL["digest query"][0].replace(b"null", b"18446744073709551616"),
        USUAL["digest query"][0].replace(b"null", b"99999999999999999999"),
        USUAL["digest query"][0].replace(b"null", b"100000000000000000000"),
        USUAL["digest query"][0].replace(b"null", b"nulll"),
        USUAL["digest query"][0].replace(b"null", b""),
    ],
    "membership query": [b'{"Key":"","Version":1}', b'{"Version":1,"Key":"YQ=="}'],
    "incremental query": [
        b'{"Start":1}',
        b'{"Start":1,"End":null}',
        b'{"End":1,"Start":0}',
        b'{"Start":1,"End":18446744073709551616}',
        b'{"Start":00,"End":1}',
        b'{"Start":+1,"End":1}',
        b'{"Start":,"End":1}',
    ],
}


@pytest.mark.parametrize(
    ("name", "body"), [(name, body) for name, all_of in UNUSUAL.items() for body in all_of]
)
def test_anything_else_is_left_to_the_exact_reader(text, name, body):
    assert READERS[name][0](text, body) is None


def mutate(body: bytes, source: random.Random) -> bytes:
    """Change a body in one to three places, mostly by what has a meaning in it."""
    pieces = [
        *(bytes([byte]) for byte in b'"{}[]:,= \t\r\n\\/+-.0192aZ\x00\x7f\xc3'),
        *(b"==", b"null", b"true", b'","', b'"Event"', b"\\u0041", b'"YQ=="', b"\r\n"),
        *(b'"Version":1', b"18446744073709551616", b"\xe2\x80\xa8", b',"x":1'),
    ]
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(body) + 1)
        stop = at + source.choice([0, 0, 1, 1, 2, 4, 9])
        match source.randrange(5):
            case 0:
                body = body[:at] + body[stop:]
            case 1:
                body = body[:at] + body[at:stop] * 2 + body[stop:]
            case 2:
                body = body[:at] + bytes([source.randrange(256)]) + body[at + 1 :]
            case _:
                body = body[:at] + source.choice(pieces) + body[stop:]
    return body


def check_mutations(text, count: int, seed: int) -> int:
    """Compare the short way with the exact one and with the twin; return how many were read."""
    source = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    read = 0
    for _ in range(count):
        name, body = source.choice(CASES)
        short, exact = READERS[name]
        other = mutate(body, source)
        found = short(text, other)
        assert found == short(flat_twin, other), other
        if found is not None:
            read += 1
            assert found == exact(other), other
    return read


@given(st.integers(0, 2**32))
def test_a_changed_body_is_read_as_the_exact_reader_does_or_not_at_all(text, seed):
    check_mutations(text, 60, seed)


def test_changed_bodies_reach_both_verdicts(text):
    assert 50 < check_mutations(text, 1500, 1) < 1450


def test_a_large_event(text):
    for size in (1, 700, 800, 20_000, 1_000_003):
        event = flat_texts.hashes(size // 32 + 1, size)[:size]
        body = wire.encode_add(event)
        assert text.digest_add(body) == sha256(event).digest()
        assert text.read_membership_query(wire.encode_membership_query(event, 3)) == (event, 3)
        assert text.digest_add(body[:-2] + b"A" + body[-2:]) is None


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 1000])
def test_a_large_bulk(text, count):
    events = [b"%d" % n * (n % 50 + 1) for n in range(count)]
    body = wire.encode_bulk(events)

    assert text.digest_bulk(body, count) == hashed_all(events)
    assert text.digest_bulk(body, count - 1) is None
    assert text.digest_bulk(body[:-3] + b"," + body[-3:], count) is None


def test_what_the_exact_reader_refuses_for_its_number_of_values(text):
    body = wire.encode_bulk([b"a"] * (MAX_EVENTS + 1))

    assert text.digest_bulk(body, MAX_EVENTS) is None
    assert exactly(wire.decode_bulk, body) is None
    body = wire.encode_bulk([b"a"] * MAX_EVENTS)
    assert text.digest_bulk(body, MAX_EVENTS) == hashed(b"a") * MAX_EVENTS
    assert exactly(wire.decode_bulk, body) is not None
