"""Both faces of the client over TLS: a certificate that nobody vouches for is refused."""

import datetime as dt

import pytest

from faces import FACES
from log_serving import log_server
from qed import errors
from qed.client.config import ClientConfig
from qed.client.feed import open_source
from qed.client.pins import read_key
from qed.client.trusted import Trusted
from qed.signing.tls import create_self_signed


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    written = create_self_signed(folder, ["127.0.0.1"], now=dt.datetime.now(dt.UTC))
    paths = {"tls_cert_path": written.public, "tls_key_path": written.private}
    with log_server(folder / "db", enable_tls=True, **paths) as served:
        yield served, written.public


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_a_certificate_that_nobody_vouches_for_is_refused(face, server):
    config = ClientConfig(endpoints=[server[0].data])
    with face(config) as client, pytest.raises(errors.UnreachableError, match="certificate"):
        client.call("info")


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_it_is_taken_when_told_to(face, server):
    served = server[0]
    config = ClientConfig(
        endpoints=[served.data], management_endpoint=served.management, insecure=True
    )
    with face(config) as client:
        assert client.call("shards").uri_scheme == "https"
        assert client.call("backups") == []


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_it_is_checked_against_the_file_that_the_environment_names(face, server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(server[1]))
    with face(ClientConfig(endpoints=[server[0].data])) as client:
        assert client.call("shards").uri_scheme == "https"


def test_a_feed_is_read_under_the_same_rules(server, monkeypatch):
    served, certificate = server
    with (
        open_source(served.data) as source,
        pytest.raises(errors.UnreachableError, match="certificate"),
    ):
        source.info()
    with open_source(served.data, insecure=True) as source:
        key = source.info()["verifier_key"]
        assert Trusted(read_key(key)).read(source.checkpoint()).size == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with open_source(served.data) as source:
        for _ in range(3):  # over the one connection that is kept
            assert source.info()["verifier_key"] == key
