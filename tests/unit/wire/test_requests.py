"""Requests: read as Go reads them, refused where QED drops the connection or dies."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qed import wire
from qed.errors import MalformedError

DIGEST = bytes(range(32))
D64 = base64.b64encode(DIGEST).decode()
EVENTS = st.binary(min_size=1, max_size=50)
VERSIONS = st.none() | st.integers(0, 2**64 - 1)
DECODERS = [
    wire.decode_add,
    wire.decode_bulk,
    wire.decode_digests,
    wire.decode_membership_query,
    wire.decode_digest_query,
    wire.decode_incremental_query,
]


def test_requests_are_written_as_spec_5_says():
    assert wire.encode_add(b"event 0") == b'{"Event":"ZXZlbnQgMA=="}'
    assert wire.encode_bulk([b"a", b"b"]) == b'{"Events":["YQ==","Yg=="]}'
    assert wire.encode_membership_query(b"a", None) == b'{"Key":"YQ==","Version":null}'
    assert wire.encode_digest_query(DIGEST, 7) == f'{{"KeyDigest":"{D64}","Version":7}}'.encode()
    assert wire.encode_incremental_query(1, 2) == b'{"Start":1,"End":2}'
    assert wire.encode_digests([DIGEST, DIGEST]) == DIGEST * 2


@given(EVENTS, st.lists(EVENTS, min_size=1), VERSIONS, st.integers(0, 2**64 - 1))
def test_a_request_is_read_as_it_was_written(event, events, version, number):
    assert event == wire.decode_add(wire.encode_add(event))
    assert events == wire.decode_bulk(wire.encode_bulk(events))
    assert (event, version) == wire.decode_membership_query(
        wire.encode_membership_query(event, version)
    )
    assert (DIGEST, version) == wire.decode_digest_query(wire.encode_digest_query(DIGEST, version))
    assert (number, number) == wire.decode_incremental_query(
        wire.encode_incremental_query(number, number)
    )
    assert wire.decode_digests(wire.encode_digests([DIGEST, DIGEST])) == [DIGEST, DIGEST]


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ('{"event":"YQ=="}', b"a"),
        ('{"EVENT":"YQ=="}', b"a"),
        ('{"eVeNt":"YQ==","other":[{"Event":1}]}', b"a"),
        ('{"Event":"YQ==","n":1e999,"m":-0.5,"o":999999999999999999999999}', b"a"),
        ('{"Event":"YQ==","event":"Yg=="}', b"b"),
        ('{"Event":"YQ==","event":"Yg==","Event":"Yw=="}', b"c"),
        (' { "Event" : "Y\\nQ==\\r\\n" } ', b"a"),
        ('{"\\u0045vent":"YQ=="}', b"a"),
    ],
)
def test_an_add_is_read_as_go_reads_it(body, event):
    assert event == wire.decode_add(body.encode())


def test_letter_case_goes_as_far_as_go_takes_it():
    """Go folds the Kelvin sign into K and the long s into S, and no ligature into two letters."""
    assert wire.decode_membership_query('{"\u212aey":"YQ=="}'.encode()) == (b"a", None)
    assert wire.decode_bulk('{"event\u017f":["YQ=="]}'.encode()) == [b"a"]
    with pytest.raises(MalformedError, match="missing"):
        wire.decode_incremental_query('{"\ufb06art":1,"End":2}'.encode())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{", "the body is not JSON"),
        ("[]", "the body is not a JSON object"),
        ("null", "the body is not a JSON object"),
        ("{}", "the field Event is missing"),
        ('{"Event":null}', "the field Event is missing"),
        ('{"Event":""}', "Event is empty"),
        ('{"Event":"a"}', "Event is not standard base64"),
        ('{"Event":"YQ"}', "Event is not standard base64"),
        ('{"Event":"Y_-="}', "Event is not standard base64"),
        ('{"Event":1}', "Event is not a text"),
        ('{"Event":["YQ=="]}', "Event is not a text"),
        ('{"Event":"YQ=="}{}', "the body is not JSON"),
        ('{"Event":"\\ud800"}', "Event is not standard base64"),
        ("[" * 100_000, "nested"),
    ],
)
def test_an_add_that_is_none_is_refused_with_a_sentence(body, sentence):
    with pytest.raises(MalformedError, match=sentence):
        wire.decode_add(body.encode())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{}", "the field Events is missing"),
        ('{"Events":null}', "the field Events is missing"),
        ('{"Events":[]}', "Events is empty"),
        ('{"Events":"YQ=="}', "Events is not a list"),
        ('{"Events":["YQ==",""]}', r"Events\[1\] is empty"),
        ('{"Events":["YQ==",null]}', r"Events\[1\] is missing"),
        ('{"Events":["YQ==",1]}', r"Events\[1\] is not a text"),
        ('{"Events":["YQ==","!"]}', r"Events\[1\] is not standard base64"),
    ],
)
def test_a_bulk_that_is_none_is_refused_with_a_sentence(body, sentence):
    """The empty one kills a node of QED for good."""
    with pytest.raises(MalformedError, match=sentence):
        wire.decode_bulk(body.encode())


@pytest.mark.parametrize("size", [0, 31, 33, 63])
def test_raw_digests_fill_the_body(size):
    with pytest.raises(MalformedError, match=f"the body has {size} bytes"):
        wire.decode_digests(bytes(size))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_digest_that_is_not_32_bytes_is_refused(size):
    text = base64.b64encode(bytes(size)).decode()
    with pytest.raises(MalformedError, match=f"KeyDigest has {size} bytes"):
        wire.decode_digest_query(f'{{"KeyDigest":"{text}"}}'.encode())


NO_VERSIONS = ["-1", "-0", "1.0", "1e3", "true", '"1"', "[]", str(2**64), "9" * 10_000]


@pytest.mark.parametrize("number", NO_VERSIONS, ids=range(len(NO_VERSIONS)))
def test_a_version_that_is_no_u64_is_refused(number):
    for decode, body in (
        (wire.decode_digest_query, f'{{"KeyDigest":"{D64}","Version":{number}}}'),
        (wire.decode_membership_query, f'{{"Key":"YQ==","Version":{number}}}'),
        (wire.decode_incremental_query, f'{{"Start":{number},"End":1}}'),
        (wire.decode_incremental_query, f'{{"Start":1,"End":{number}}}'),
    ):
        with pytest.raises(MalformedError, match="is not an integer") as caught:
            decode(body.encode())
        assert len(str(caught.value)) < 100


def test_no_version_means_the_current_one():
    assert wire.decode_digest_query(f'{{"keydigest":"{D64}"}}'.encode()) == (DIGEST, None)
    assert wire.decode_membership_query(b'{"key":"YQ==","version":null}') == (b"a", None)


def test_a_missing_bound_is_refused_and_not_taken_for_zero():
    for body in ("{}", '{"Start":1}', '{"End":1}', '{"Strat":1,"End":1}', '{"Start":null,"End":1}'):
        with pytest.raises(MalformedError, match="is missing"):
            wire.decode_incremental_query(body.encode())


def test_start_above_end_is_for_the_log_to_refuse():
    assert wire.decode_incremental_query(b'{"End":1,"Start":2}') == (2, 1)


@settings(deadline=None)
@given(
    st.binary(max_size=100)
    | st.from_regex(r'\{"(Event|Events|Key|KeyDigest|Start)":.{0,20}\}').map(str.encode)
)
def test_any_body_is_read_or_malformed(body):
    for decode in DECODERS:
        try:
            decode(body)
        except MalformedError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["Event", "Events", "Key", "KeyDigest", "Version", "Start", "End"]),
        JSON_VALUES,
    )
)
def test_any_object_is_read_or_malformed(value):
    for decode in DECODERS:
        try:
            decode(json.dumps(value).encode())
        except MalformedError as error:
            assert len(str(error)) < 200  # noqa: PT017 (either outcome is right)
