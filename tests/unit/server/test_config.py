from __future__ import annotations

from pathlib import Path

import pytest

from qed.errors import MalformedError
from qed.server.config import ServerConfig
from qed.web.limits import WebLimits


def test_everything_of_a_database_lies_in_it_but_its_key() -> None:
    config = ServerConfig(db_path=Path("/data/db"))
    assert config.backups_path == Path("/data/db/backups")
    assert config.checkpoints_path == Path("/data/db/qed-checkpoints")
    assert config.key_path == Path("/data/db.keys/qed_ed25519")


def test_a_key_that_is_named_is_the_key() -> None:
    config = ServerConfig(db_path=Path("/data/db"), private_key_path=Path("/var/tmp/key"))
    assert config.key_path == Path("/var/tmp/key")


def test_the_addresses_are_qeds() -> None:
    config = ServerConfig(db_path=Path("db"))
    addresses = (config.http_addr, config.mgmt_addr, config.metrics_addr)
    assert addresses == ("127.0.0.1:8800", "127.0.0.1:8700", "127.0.0.1:8600")


@pytest.mark.parametrize(
    "fields",
    [{}, {"tls_cert_path": Path("crt")}, {"tls_key_path": Path("key")}],
    ids=["nothing", "no key", "no certificate"],
)
def test_tls_needs_a_certificate_and_its_key(fields: dict[str, Path]) -> None:
    with pytest.raises(MalformedError, match="--enable-tls needs"):
        ServerConfig(db_path=Path("db"), enable_tls=True, **fields)


def test_a_certificate_that_nothing_would_use_is_refused() -> None:
    with pytest.raises(MalformedError, match="TLS is not enabled"):
        ServerConfig(db_path=Path("db"), tls_cert_path=Path("crt"), tls_key_path=Path("key"))


def test_the_queue_has_room_for_the_largest_request() -> None:
    ServerConfig(db_path=Path("db"), limits=WebLimits(request_events=3, queue_events=3))
    with pytest.raises(MalformedError, match="--max-queue-events 2 is below"):
        ServerConfig(db_path=Path("db"), limits=WebLimits(request_events=3, queue_events=2))


def test_a_cosigner_has_a_key_and_a_name() -> None:
    ServerConfig(db_path=Path("db"), cosigner_key_path=Path("key"), cosigner_name="second")
    for fields in ({"cosigner_key_path": Path("key")}, {"cosigner_name": "second"}):
        with pytest.raises(MalformedError, match="a key and a name of its own"):
            ServerConfig(db_path=Path("db"), **fields)
