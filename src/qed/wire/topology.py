"""The bodies of `/info` and `/info/shards`. Source: SPEC 5.

They say where to send the next call and prove nothing, so fields that are not known are passed
over; a later server may add some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qed.errors import MalformedError
from qed.wire.bounds import BOUNDS
from qed.wire.fields import read_object, read_text
from qed.wire.json_text import format_text, parse_answer

InfoValue = str | int


@dataclass(frozen=True, slots=True)
class Shard:
    """One node of the topology; `http_addr` is `host:port`, reachable for clients."""

    node_id: str
    http_addr: str


@dataclass(frozen=True, slots=True)
class Shards:
    """Who answers, who leads, and how each node is reached."""

    node_id: str
    leader_id: str
    uri_scheme: str
    shards: Mapping[str, Shard]


def encode_info(info: Mapping[str, InfoValue]) -> bytes:
    """Return the body of `/info`: the fields in the order given, empty texts left out."""
    fields = (
        f"{format_text(name)}:{format_text(value) if isinstance(value, str) else int(value)}"
        for name, value in info.items()
        if value != ""
    )
    return ("{" + ",".join(fields) + "}").encode("ascii")


def decode_info(body: bytes) -> dict[str, InfoValue]:
    """Return the texts and integers of `/info`; values of other types are passed over."""
    fields = read_object(parse_answer(body, max_bytes=BOUNDS.topology_bytes), "the answer")
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, (str, int)) and not isinstance(value, bool)
    }


def encode_shards(shards: Shards) -> bytes:
    """Return the body of `/info/shards`, its nodes sorted by id."""
    nodes = ",".join(
        f'{format_text(name)}:{{"nodeId":{format_text(shard.node_id)}'
        f',"httpAddr":{format_text(shard.http_addr)}}}'
        for name, shard in sorted(shards.shards.items())
    )
    return (
        f'{{"nodeId":{format_text(shards.node_id)}'
        f',"leaderId":{format_text(shards.leader_id)}'
        f',"uriScheme":{format_text(shards.uri_scheme)}'
        f',"shards":{{{nodes}}}}}'
    ).encode("ascii")


def decode_shards(body: bytes) -> Shards:
    """Return the topology, or raise MalformedError; its leader is one of its nodes."""
    fields = read_object(parse_answer(body, max_bytes=BOUNDS.topology_bytes), "the topology")
    nodes = {
        name: _read_shard(value, name)
        for name, value in read_object(fields.get("shards"), "shards").items()
    }
    leader_id = read_text(fields.get("leaderId"), "leaderId")
    if leader_id not in nodes:
        raise MalformedError(f"the leader {leader_id[:64]!r} is not among the shards")
    return Shards(
        node_id=read_text(fields.get("nodeId"), "nodeId"),
        leader_id=leader_id,
        uri_scheme=read_text(fields.get("uriScheme"), "uriScheme"),
        shards=nodes,
    )


def _read_shard(value: object, name: str) -> Shard:
    fields = read_object(value, f"shard {name[:64]!r}")
    return Shard(
        node_id=read_text(fields.get("nodeId"), "nodeId"),
        http_addr=read_text(fields.get("httpAddr"), "httpAddr"),
    )
