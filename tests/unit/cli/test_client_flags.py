"""What the flags of `qed client` and `qed backup` make of a client."""

import pytest

from publishing import PublishedLog
from qed.cli.client_flags import client_flags
from qed.client.config import ClientConfig
from qed.client.evidence import new_equivocation
from qed.errors import ContradictionError
from qed.signing.checkpoint import sign_checkpoint

CLIENT = ("client", "membership", "--event", "x")


def test_the_defaults_are_those_of_the_sdk(run, client):
    run(*CLIENT)

    config = ClientConfig()
    assert client.fields == {name: getattr(config, name) for name in config.__slots__}


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--endpoints", "http://a:1,http://b:2"], "endpoints", ("http://a:1", "http://b:2")),
        (["--snapshot-store-url=http://snapshotstore:8888"], "snapshot_store_url",
         "http://snapshotstore:8888"),
        (["--insecure"], "insecure", True),
        (["--timeout", "200ms"], "timeout_s", 0.2),
        (["--dial-timeout=1m0s"], "dial_timeout_s", 60.0),
        (["--handshake-timeout", "1s"], "handshake_timeout_s", 1.0),
        (["--max-retries", "3"], "max_retries", 3),
        (["--enable-topology-discovery=false"], "enable_topology_discovery", False),
        (["--enable-health-checks=false"], "enable_health_checks", False),
        (["--health-check-interval", "2s"], "health_check_interval_s", 2.0),
        (["--health-check-timeout", "3s"], "health_check_timeout_s", 3.0),
        (["--attempt-to-revive-endpoints"], "attempt_to_revive_endpoints", True),
    ],
)  # fmt: skip
def test_each_flag_reaches_the_client_from_both_sides(run, client, words, field, value):
    run("client", *words, *CLIENT[1:])
    assert client.fields[field] == value
    client.fields.clear()

    run(*CLIENT, *words)
    assert client.fields[field] == value


def test_every_flag_is_tried_above():
    tried = {
        mark.args[1][at][0][0].partition("=")[0]
        for mark in test_each_flag_reaches_the_client_from_both_sides.pytestmark
        for at in range(len(mark.args[1]))
    }

    assert tried == {flag.opts[0] for flag in client_flags()}


def test_the_management_port_has_flags_of_its_own(run, client):
    run("backup", "--endpoint", "http://m:1", "list", "--api-key=k", "--insecure", "--timeout=5s")

    fields = client.fields
    assert (fields["management_endpoint"], fields["api_key"]) == ("http://m:1", "k")
    assert (fields["insecure"], fields["timeout_s"]) == (True, 5.0)


def test_the_management_port_has_qeds_defaults(run, client):
    run("backup", "list")

    fields = client.fields
    assert fields["management_endpoint"] == "http://127.0.0.1:8700"
    assert fields["api_key"] == "my-key"


@pytest.mark.parametrize("words", [["--endpoints", "127.0.0.1:8800"], ["--timeout", "10"]])
def test_a_bad_value_is_refused_before_anything_is_sent(run, client, words):
    assert run(*CLIENT, *words).code == 2
    assert client.fields == {}


@pytest.mark.parametrize("command", [CLIENT, ("client", "incremental", "--start=0", "--end=0")])
def test_two_ways_to_verify_are_refused(run, client, command):
    done = run(*command, "--verify", "--auto-verify")

    assert done.code == 2
    assert "say one of them" in done.err
    assert client.fields == {}


GET = ("client", "get", "--version", "0")


def test_the_pin_is_the_endpoints_and_the_key_is_asked_for(run, client, tmp_path):
    client.add(b"event 0")
    run(*GET, "--endpoints", "http://log:1,http://other:2")

    pins = tmp_path / "data" / "qed" / "pins"
    assert (client.fields["key"], client.fields["pin"]) == ("", str(pins / "log_1.json"))
    assert client.fields["snapshot_store_url"] == "http://127.0.0.1:8888"


def test_what_is_trusted_can_be_said(run, client):
    client.add(b"event 0")
    words = ("--key", "log.vkey", "--pin", "/p/pin.json", "--from-server")
    for line in ((*GET, *words), ("client", *words, *GET[1:])):
        run(*line)
        assert (client.fields["key"], client.fields["pin"]) == ("log.vkey", "/p/pin.json")
        assert client.fields["snapshot_store_url"] == "http://127.0.0.1:8800"
        client.fields.clear()


def test_no_endpoint_at_all_is_refused(run, client):
    done = run(*GET, "--endpoints", "[]")

    assert (done.code, client.fields) == (11, {})


@pytest.mark.parametrize(
    "command",
    [
        GET,
        (*CLIENT, "--auto-verify"),
        ("client", "incremental", "--start=0", "--end=0", "--auto-verify"),
    ],
)
def test_the_evidence_of_a_contradiction_is_kept(run, client, tmp_path, command):
    client.add(b"event 0")
    log = PublishedLog()
    log.add(b"a")
    other = sign_checkpoint(log.signer, 1, bytes(32))
    evidence = new_equivocation(log.note, other).encode()

    def contradict(_):
        raise ContradictionError("two roots of 1 leaves", evidence=evidence)

    client.get = contradict
    done = run(*command)

    (path,) = (tmp_path / "data" / "qed" / "evidence").iterdir()
    assert path.read_bytes() == evidence
    assert done.code == 31
    assert f"Hint: the evidence is in {path}" in done.err


def test_digests_without_verify_are_not_passed_over(run, client):
    done = run(*CLIENT, "--hyper-digest", "00" * 32, "--history-digest", "00" * 32)

    assert done.code == 2
    assert "--hyper-digest and --history-digest only with --verify" in done.err
    assert client.fields == {}
