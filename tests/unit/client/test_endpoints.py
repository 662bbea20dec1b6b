"""Where calls go and when they go again; nothing is sent here."""

from dataclasses import replace

import pytest

from qed import errors, wire
from qed.client import calls
from qed.client.calls import Response
from qed.client.config import ClientConfig
from qed.client.endpoints import (
    Endpoints,
    Pause,
    Send,
    leader_endpoint,
    no_answer,
    not_sent,
    oversized,
    too_slow,
)
from qed.trees.values import Snapshot

A, B = "http://a:1", "http://b:2"
TOPOLOGY = wire.Shards("a", "b", "http", {"a": wire.Shard("a", "a:1"), "b": wire.Shard("b", "b:2")})
SHARDS = Response(200, {}, wire.encode_shards(TOPOLOGY))
HEALTHY = Response(204)
ADD = calls.build_add(b"event 0")
ADDED = Snapshot(
    0,
    bytes.fromhex("5beeaf427ee0bfcd1a7b6f63010f2745110cf23ae088b859275cd0aad369561b"),
    b"\1" * 32,
    b"\2" * 32,
)
CREATED = Response(201, {}, wire.encode_snapshot(ADDED))
INFO = calls.build_info()
INFO_ANSWER = Response(200, {}, b'{"node_id":"a"}')
BUSY = Response(
    503,
    {"content-type": "application/problem+json", "retry-after": "2"},
    b'{"code":"busy","detail":"full"}',
)
STOPPING = Response(503, {"content-type": "text/plain"}, b"going down\n")
FAILED = Response(500, {"content-type": "text/plain"}, b"oh\n")
PLAIN = ClientConfig(endpoints=[A], enable_topology_discovery=False, enable_health_checks=False)
REFUSED, LOST = "refused", "lost"


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


def play(steps, *outcomes):
    """Answer each step with the next outcome; return what was done and what came of it."""
    done, outcome, outcomes = [], None, list(outcomes)
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Pause):
                done.append(step.duration_s)
                outcome = None
                continue
            done.append(f"{step.request.method} {step.url}")
            outcome = outcomes.pop(0)
            if outcome == REFUSED:
                outcome = not_sent(step, OSError("connection refused"))
            elif outcome == LOST:
                outcome = no_answer(step, OSError("reset"))
            elif outcome == "large":
                outcome = oversized(step)
            elif outcome == "slow":
                outcome = too_slow(step)
    except StopIteration as stop:
        result = stop.value
    except errors.QedError as error:
        result = error
    assert outcomes == []
    return done, result


def endpoints(clock=None, **fields):
    return Endpoints(replace(PLAIN, **fields), clock or Clock())


FULL = {"endpoints": [A], "enable_topology_discovery": True, "enable_health_checks": True}
FIRST_CALL = [f"GET {A}/info/shards", f"HEAD {B}/healthcheck", f"POST {B}/events"]


def test_a_call_goes_where_the_topology_says_once_that_answers():
    done, result = play(endpoints(**FULL).exchange(ADD), SHARDS, HEALTHY, CREATED)

    assert done == FIRST_CALL
    assert result == ADDED


def test_what_is_known_is_believed_for_the_interval():
    clock = Clock()
    known = endpoints(clock, **FULL)
    play(known.exchange(ADD), SHARDS, HEALTHY, CREATED)
    clock.now_s += 59.9
    assert play(known.exchange(ADD), CREATED)[0] == [f"POST {B}/events"]
    clock.now_s += 0.2
    assert play(known.exchange(ADD), SHARDS, HEALTHY, CREATED)[0] == FIRST_CALL


def test_each_look_can_be_switched_off():
    only_topology = endpoints(enable_topology_discovery=True)
    only_health = endpoints(enable_health_checks=True)

    assert play(endpoints().exchange(ADD), CREATED)[0] == [f"POST {A}/events"]
    assert play(only_topology.exchange(ADD), SHARDS, CREATED)[0] == [FIRST_CALL[0], FIRST_CALL[2]]
    assert play(only_health.exchange(ADD), HEALTHY, CREATED)[0] == [
        f"HEAD {A}/healthcheck",
        f"POST {A}/events",
    ]


@pytest.mark.parametrize(
    "dead",
    [REFUSED, LOST, "slow", "large", FAILED, STOPPING, Response(404), Response(200, {}, b"<html>")],
)
def test_the_next_endpoint_is_asked_when_one_does_not_answer(dead):
    known = endpoints(**FULL | {"endpoints": [A, B]})
    done, result = play(known.exchange(ADD), dead, SHARDS, HEALTHY, CREATED)

    assert done == [FIRST_CALL[0], f"GET {B}/info/shards", *FIRST_CALL[1:]]
    assert result == ADDED


def test_an_unhealthy_leader_is_not_called():
    done, result = play(endpoints(**FULL).exchange(ADD), SHARDS, Response(500))

    assert done == FIRST_CALL[:2]
    assert isinstance(result, errors.UnavailableError)
    assert "healthcheck" in str(result)


def test_all_dead_endpoints_are_named():
    done, result = play(
        endpoints(endpoints=[A, B], enable_health_checks=True).exchange(ADD), REFUSED, REFUSED
    )

    assert len(done) == 2
    assert isinstance(result, errors.UnreachableError)
    assert A in str(result)
    assert B in str(result)


def test_one_dead_endpoint_gives_its_own_error():
    _, result = play(endpoints(**FULL).exchange(ADD), STOPPING)

    assert str(result) == "going down"


def test_all_endpoints_are_tried_once_more_when_that_is_asked_for():
    known = endpoints(**FULL | {"attempt_to_revive_endpoints": True})
    done, result = play(known.exchange(ADD), REFUSED, SHARDS, HEALTHY, CREATED)

    assert done == [FIRST_CALL[0], *FIRST_CALL]
    assert result == ADDED


def test_a_dead_server_is_looked_for_again_by_the_next_call():
    known = endpoints(**FULL)
    play(known.exchange(ADD), SHARDS, HEALTHY, REFUSED)

    assert play(known.exchange(ADD), SHARDS, HEALTHY, CREATED)[0] == FIRST_CALL


def test_a_busy_server_is_not_looked_for_again():
    known = endpoints(**FULL)
    play(known.exchange(ADD), SHARDS, HEALTHY, BUSY)

    assert play(known.exchange(ADD), CREATED)[0] == [FIRST_CALL[2]]


def test_nothing_is_repeated_by_default():
    for outcome, kind in (
        (REFUSED, errors.UnreachableError),
        (LOST, errors.UnreachableError),
        ("slow", errors.UnreachableError),
        (BUSY, errors.BusyError),
        (STOPPING, errors.UnavailableError),
        (FAILED, errors.UnavailableError),
    ):
        for call in (ADD, INFO):
            done, result = play(endpoints().exchange(call), outcome)
            assert len(done) == 1
            assert type(result) is kind


@pytest.mark.parametrize("outcome", [REFUSED, STOPPING], ids=["refused", "503"])
def test_an_addition_is_repeated_where_nothing_was_done(outcome):
    done, result = play(endpoints(max_retries=2).exchange(ADD), outcome, outcome, CREATED)

    assert done == [f"POST {A}/events", 0.1, f"POST {A}/events", 0.2, f"POST {A}/events"]
    assert result == ADDED


@pytest.mark.parametrize("outcome", [LOST, "slow", FAILED, Response(502), Response(504)])
def test_an_addition_whose_outcome_is_unknown_is_never_repeated(outcome):
    """The first one may be in the log; a second would be there twice."""
    done, result = play(endpoints(max_retries=5).exchange(ADD), outcome)

    assert done == [f"POST {A}/events"]
    assert isinstance(result, errors.UnavailableError)


@pytest.mark.parametrize("outcome", [REFUSED, LOST, "slow", FAILED, STOPPING])
def test_a_query_is_repeated_whatever_became_of_it(outcome):
    done, result = play(endpoints(max_retries=1).exchange(INFO), outcome, INFO_ANSWER)

    assert len(done) == 3
    assert result == {"node_id": "a"}


@pytest.mark.parametrize("outcome", [Response(400), Response(412), Response(413), Response(301)])
def test_a_refusal_is_never_repeated(outcome):
    for call in (ADD, INFO):
        done, result = play(endpoints(max_retries=5).exchange(call), outcome)
        assert len(done) == 1
        assert isinstance(result, errors.RequestError)


@pytest.mark.parametrize("call", [ADD, INFO])
def test_an_answer_above_its_bound_is_a_false_claim_and_never_asked_for_again(call):
    done, result = play(endpoints(max_retries=5).exchange(call), "large")

    assert len(done) == 1
    assert (type(result), result.step) == (errors.VerificationError, "answer")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"\xff"])
def test_a_topology_that_does_not_parse_is_a_false_claim(body):
    done, result = play(endpoints(max_retries=5, **FULL).exchange(ADD), Response(200, {}, body))

    assert done == [f"GET {A}/info/shards"]
    assert (type(result), result.step) == (errors.VerificationError, "answer")
    assert f"GET {A}/info/shards does not parse" in result.message
    assert "data port" in result.hint


def test_retries_end():
    done, result = play(endpoints(max_retries=2).exchange(INFO), LOST, LOST, LOST)

    assert len([step for step in done if isinstance(step, str)]) == 3
    assert isinstance(result, errors.UnreachableError)


def test_pauses_grow_to_a_bound_and_heed_the_server():
    done, _ = play(endpoints(max_retries=8).exchange(INFO), *[LOST] * 9)
    assert [step for step in done if isinstance(step, float)] == [
        0.1,
        0.2,
        0.4,
        0.8,
        1.6,
        3.2,
        5,
        5,
    ]
    for asked, pause_s in (
        ("2", 2.0),
        ("3600", 5.0),
        ("-1", 0.1),
        ("1e9", 0.1),
        ("", 0.1),
        ("²", 0.1),
    ):
        busy = replace(BUSY, headers={**BUSY.headers, "retry-after": asked})
        assert play(endpoints(max_retries=1).exchange(INFO), busy, INFO_ANSWER)[0][1] == pause_s


def test_a_repetition_looks_for_the_leader_again():
    known = endpoints(**FULL | {"max_retries": 1})
    done, _ = play(known.exchange(ADD), SHARDS, HEALTHY, REFUSED, SHARDS, HEALTHY, CREATED)

    assert done == [*FIRST_CALL, 0.1, *FIRST_CALL]


def test_looking_for_a_leader_again_cannot_add_twice():
    known = endpoints(**FULL | {"max_retries": 1})
    done, result = play(known.exchange(ADD), LOST, SHARDS, HEALTHY, CREATED)

    assert done == [FIRST_CALL[0], 0.1, *FIRST_CALL]
    assert result == ADDED


def test_the_status_of_an_answer_must_be_the_one_expected():
    """A follower of QED answers an addition with 200 and an empty snapshot."""
    for said in (Response(200, {}, b"{}"), Response(202, CREATED.headers, CREATED.body)):
        _, result = play(endpoints().exchange(ADD), said)
        assert isinstance(result, errors.RequestError)
        assert f"answered {said.status}" in str(result)


def test_the_management_port_is_called_without_a_look():
    known = endpoints(**FULL | {"management_endpoint": "http://m:3"})
    done, result = play(known.exchange_management(calls.build_backups()), Response(200, {}, b"[]"))

    assert done == ["GET http://m:3/backups"]
    assert result == []


def test_a_deletion_and_a_backup_are_not_repeated_after_an_unknown_outcome():
    for call in (calls.build_create_backup(), calls.build_delete_backup(1)):
        done, _ = play(endpoints(max_retries=3).exchange_management(call), LOST)
        assert len(done) == 1


def bounds(step):
    assert isinstance(step, Send)
    return step.timeout_s, step.connect_timeout_s


@pytest.mark.parametrize(
    ("call", "status", "hint"),
    [
        (ADD, 201, "it may have been done all the same: look first"),
        (calls.build_membership(event=b"event 0"), 200, ""),
    ],
)
def test_an_answer_that_does_not_parse_is_a_false_claim(call, status, hint):
    _, result = play(Endpoints(PLAIN).exchange(call), Response(status, {}, b'{"Exists":1}'))

    assert isinstance(result, errors.VerificationError)
    assert (result.step, result.hint) == ("answer", hint)
    assert "does not parse" in result.message


def test_each_step_has_its_bounds():
    times = {"timeout_s": 10, "dial_timeout_s": 5, "health_check_timeout_s": 2}
    steps = endpoints(**FULL | times | {"handshake_timeout_s": 7}).exchange(ADD)

    assert bounds(next(steps)) == (10, 5)
    assert bounds(steps.send(SHARDS)) == (2, 2)
    assert bounds(steps.send(HEALTHY)) == (10, 5)


@pytest.mark.parametrize(
    ("endpoint", "times", "want"),
    [
        ("https://a", (10, 5, 7), (10, 7)),
        ("https://a", (10, 5, 0), (10, 10)),
        ("https://a", (0, 5, 0), (None, None)),
        ("http://a", (0, 5, 0), (None, 5)),
        ("http://a", (10, 0, 3), (10, 10)),
        ("http://a", (3, 5, 5), (3, 3)),
    ],
)
def test_a_time_of_zero_is_no_bound(endpoint, times, want):
    names = ("timeout_s", "dial_timeout_s", "handshake_timeout_s")
    known = endpoints(endpoints=[endpoint], **dict(zip(names, times, strict=True)))

    assert want == bounds(next(known.exchange(ADD)))


def test_the_leader_is_where_scheme_and_address_say():
    assert leader_endpoint(A, TOPOLOGY) == B
    assert leader_endpoint("https://a", replace(TOPOLOGY, uri_scheme="https")) == "https://b:2"
    assert leader_endpoint(A, replace(TOPOLOGY, uri_scheme="https")) == "https://b:2"


def test_a_topology_cannot_lead_out_of_tls():
    with pytest.raises(errors.VerificationError, match="leave TLS"):
        leader_endpoint("https://a", TOPOLOGY)


@pytest.mark.parametrize("address", ["", "user@b:2", "b:2?x", "b:x", "b c", "0.0.0.0:99999"])
def test_an_address_that_is_none_fails_the_endpoint(address):
    nodes = {"b": wire.Shard("b", address)}
    body = wire.encode_shards(replace(TOPOLOGY, shards=nodes))
    done, result = play(endpoints(**FULL).exchange(ADD), Response(200, {}, body))

    assert len(done) == 1
    assert isinstance(result, errors.VerificationError)
    assert "names no address of the leader" in result.message


def test_outcomes_say_what_happened_where():
    step = Send(A, replace(ADD.request, max_answer_bytes=9), 10, 5)

    for outcome, sent, words in (
        (not_sent(step, OSError("refused")), False, f"cannot connect to {A}: refused"),
        (no_answer(step, OSError()), True, f"POST {A}/events was not answered: OSError"),
        (too_slow(step), True, f"POST {A}/events was not answered: it was not whole after 10 s"),
        (oversized(step), True, f"POST {A}/events was answered with more than 9 bytes"),
    ):
        assert outcome.sent is sent
        assert words == str(outcome.error)
