"""`/info` and `/info/shards`."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qed import wire
from qed.errors import MalformedError

ONE = wire.Shards(
    "server0", "server0", "http", {"server0": wire.Shard("server0", "127.0.0.1:8800")}
)
ONE_BODY = (
    b'{"nodeId":"server0","leaderId":"server0","uriScheme":"http",'
    b'"shards":{"server0":{"nodeId":"server0","httpAddr":"127.0.0.1:8800"}}}'
)


def test_the_topology_is_written_as_spec_5_says():
    assert wire.encode_shards(ONE) == ONE_BODY
    assert wire.decode_shards(ONE_BODY) == ONE


def test_nodes_are_sorted_and_texts_escaped():
    nodes = {name: wire.Shard(name, f"{name}:1") for name in ("b", 'a"', "é")}
    shards = wire.Shards("b", 'a"', "https", nodes)

    assert shards == wire.decode_shards(wire.encode_shards(shards))
    assert sorted(nodes) == list(json.loads(wire.encode_shards(shards))["shards"])


def test_unknown_fields_are_passed_over():
    body = json.loads(ONE_BODY)
    body["more"] = [1.5]
    body["shards"]["server0"]["more"] = None

    assert wire.decode_shards(json.dumps(body).encode()) == ONE


@pytest.mark.parametrize("name", ["nodeId", "leaderId", "uriScheme", "shards"])
def test_a_topology_without_a_field_or_with_another_type_is_refused(name):
    body = json.loads(ONE_BODY)
    for other in (None, 1, [], {}, True):
        with pytest.raises(MalformedError):
            wire.decode_shards(json.dumps({**body, name: other}).encode())
    del body[name]
    with pytest.raises(MalformedError):
        wire.decode_shards(json.dumps(body).encode())


def test_the_leader_is_one_of_the_nodes():
    with pytest.raises(MalformedError, match="the leader 'other' is not among the shards"):
        wire.decode_shards(ONE_BODY.replace(b'"leaderId":"server0"', b'"leaderId":"other"'))


def test_info_leaves_empty_texts_out():
    info = {"node_id": "server0", "raft_addr": "", "http_addr": "127.0.0.1:8800", "size": 0}

    assert wire.encode_info(info) == (
        b'{"node_id":"server0","http_addr":"127.0.0.1:8800","size":0}'
    )
    assert wire.decode_info(wire.encode_info(info)) == {
        "node_id": "server0",
        "http_addr": "127.0.0.1:8800",
        "size": 0,
    }
    assert wire.encode_info({}) == b"{}"


def test_info_of_a_later_server_is_read_as_far_as_it_is_known():
    body = b'{"node_id":"a","list":[1],"flag":true,"none":null,"float":1.5,"n":3}'

    assert wire.decode_info(body) == {"node_id": "a", "n": 3}


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_malformed(body):
    for decode in (wire.decode_info, wire.decode_shards):
        with pytest.raises(MalformedError):
            decode(b"x" + body)
