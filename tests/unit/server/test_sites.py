from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
from functools import partial
from pathlib import Path

import pytest

from qed.engine.log import Log
from qed.errors import ConflictError, MalformedError, StorageError
from qed.server import management_port
from qed.server.publication import Publication
from qed.server.sites import assemble, bind_places
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.keys import PrivateKey
from qed.signing.note import NoteSigner, parse_verifier_key
from qed.web.stop import Stop
from serving import Wire, ask
from unit.server.conftest import local, running
from unit.web.conftest import make_certificate


def test_the_three_ports_know_where_they_are(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        places = bind_places(local(tmp_path / "db"), stack)
        ports = {
            place.listener.getsockname()[1]
            for place in (places.data, places.management, places.metrics)
        }
        assert len(ports) == 3
        assert places.http_advertised == places.data.address
        assert places.data.address.port in ports
    assert places.data.listener.fileno() == -1


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("http_addr", "--http-addr"),
        ("mgmt_addr", "--mgmt-addr"),
        ("metrics_addr", "--metrics-addr"),
    ],
)
def test_a_port_in_use_is_named_with_its_flag(field: str, flag: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        config = local(tmp_path / "db", **{field: address})
        with contextlib.ExitStack() as stack, pytest.raises(ConflictError) as caught:
            bind_places(config, stack)
    assert caught.value.message == f"the address {address} is in use by another process"
    assert flag in caught.value.hint


def test_an_address_nobody_could_use_is_refused_before_a_socket_is_taken(tmp_path: Path) -> None:
    config = local(tmp_path / "db", http_advertise_addr="0.0.0.0:8800")
    with contextlib.ExitStack() as stack, pytest.raises(MalformedError, match="no client can"):
        bind_places(config, stack)


def test_behind_a_wildcard_clients_are_told_a_name(tmp_path: Path) -> None:
    config = local(
        tmp_path / "db", http_addr=":0", mgmt_addr=":0", http_advertise_addr="log.example.org"
    )
    with running(config) as server:
        info = json.loads(ask(server.data, "GET", "/info").body)
        shards = json.loads(ask(server.data, "GET", "/info/shards").body)
    assert info["http_addr"] == f"log.example.org:{server.data}"
    assert info["mgmt_addr"] == f"log.example.org:{server.management}"
    assert shards["shards"][shards["leaderId"]]["httpAddr"] == info["http_addr"]
    told = f"log.example.org:{server.data}"
    assert f"data port       http://{told} (on every interface)" in server.announced
    assert f"clients are told {told} (--http-advertise-addr)" in server.announced


def test_info_says_who_and_where(tmp_path: Path) -> None:
    config = local(tmp_path / "db", node_id="server0", raft_addr="qed_server_0:8500")
    with running(config) as server:
        info = json.loads(ask(server.data, "GET", "/info").body)
        shards = json.loads(ask(server.data, "GET", "/info/shards").body)
    assert list(info)[:4] == ["node_id", "raft_addr", "mgmt_addr", "http_addr"]
    assert (info["node_id"], info["raft_addr"]) == ("server0", "qed_server_0:8500")
    assert info["origin"] == f"qed-{info['log_id']}"
    assert parse_verifier_key(info["verifier_key"]).name == info["origin"]
    assert shards == {
        "nodeId": "server0",
        "leaderId": "server0",
        "uriScheme": "http",
        "shards": {"server0": {"nodeId": "server0", "httpAddr": f"127.0.0.1:{server.data}"}},
    }


def test_tls_is_on_the_data_and_the_management_port_and_never_on_metrics(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "server")
    config = local(tmp_path / "db", enable_tls=True, tls_cert_path=certificate, tls_key_path=key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with running(config) as server:
        with Wire(server.data, trusting) as wire:
            assert wire.ask("HEAD", "/healthcheck").status == 204
            shards = json.loads(wire.ask("GET", "/info/shards").body)
        with Wire(server.management, trusting) as wire:
            assert wire.ask("GET", "/backups").body == b"[]"
        assert ask(server.metrics, "GET", "/metrics").status == 200
    assert shards["uriScheme"] == "https"


def test_a_failed_backup_does_not_stop_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError("cannot write: No space left on device", errno=28)

    monkeypatch.setattr(management_port, "create_backup", fail)
    with running(local(tmp_path / "db")) as server:
        assert ask(server.management, "POST", "/backup").status == 500
        assert ask(server.management, "GET", "/backups").status == 200
        assert not server.stop.error
        assert ask(server.data, "POST", "/events", b'{"Event":"eA=="}').status == 201
    assert server.outcome == [None]


DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = re.compile(r"^```http\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_documents_are_what_a_server_answers(tmp_path: Path) -> None:
    examples = EXAMPLE.findall((DOCS / "http.md").read_text())
    assert len(examples) > 10
    config = local(tmp_path / "db", node_id="server0", raft_addr="127.0.0.1:8500")
    with running(config) as server:
        for example in examples:
            request, _, answer = example.partition("\n\n")
            (line, *rest), (first, *shown) = request.split("\n"), answer.split("\n")
            method, path, *where = line.split()
            headers = dict(entry.split(": ") for entry in rest if not entry.startswith("{"))
            body = "".join(entry for entry in rest if entry.startswith("{")).encode()
            port = getattr(server, where[0].removeprefix("@") if where else "data")
            reply = ask(port, method, path, body, headers)
            status, _, content_type = first.partition(" ")
            assert reply.status == int(status), example
            assert reply.headers.get("content-type", "") == content_type, example
            text = reply.body.decode("utf-8", "replace")
            wanted, cut, _ = "\n".join(shown).partition("…")
            assert text.startswith(wanted) if cut else text.rstrip("\n") == wanted, example


def test_every_route_has_its_heading(tmp_path: Path) -> None:
    text = (DOCS / "http.md").read_text()
    with Log.create(tmp_path / "db") as log, contextlib.ExitStack() as stack:
        config = local(tmp_path / "db")
        signer = NoteSigner(PrivateKey(bytes(32), bytes(32)), "log")
        publication = Publication(log, partial(sign_checkpoint, signer))
        places = bind_places(config, stack)
        program = assemble(
            config, log, places, None, Stop(), signer=signer, publication=publication
        )
        routes = [route for site in program.sites for route in site.application.routes]
    assert routes
    read = {route.path for route in routes if route.method == "GET"}
    for route in routes:
        if route.method != "HEAD" or route.path not in read:
            assert f"### `{route.method} {route.path}" in text, route.path
        assert f"`{route.path}`" in text, route.path
