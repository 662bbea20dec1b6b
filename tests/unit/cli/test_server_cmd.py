"""`qed server start`: every flag of QED is taken, and what each makes of a ServerConfig."""

import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from qed.cli import server_cmd
from qed.errors import LockedError
from qed.server import start
from qed.server.config import ServerConfig
from qed.web.limits import WebLimits

# SPEC 8, word for word: QED's defaults.
DOCUMENTED = shlex.split(
    "--node-id node --http-addr 127.0.0.1:8800 --mgmt-addr 127.0.0.1:8700"
    " --metrics-addr 127.0.0.1:8600 --raft-addr 127.0.0.1:8500 --raft-path /tmp/raft"
    " --raft-join-addr [] --gossip-addr 127.0.0.1:8400 --gossip-join-addr [] --db-path /tmp/db"
    " --db-wal-ttl 0s --private-key-path /tmp/key --enable-tls --tls-cert-path /tmp/cert"
    " --tls-key-path /tmp/tls --tls-ca-cert-path /tmp/ca --log info --enable-profiling"
    " --profiling-addr 127.0.0.1:6060 --enable-rpc-tls --rpc-tls-verify --tls-verify-server"
    " --raft-election-timeout 1s --raft-heartbeat-timeout 1s --raft-lease-timeout 500ms"
)
MANUAL = shlex.split(
    "--http-addr qed_server_0:8800 --mgmt-addr qed_server_0:8700 --metrics-addr qed_server_0:8600"
    " --raft-addr qed_server_0:8500 --gossip-addr qed_server_0:8400 --node-id server0"
    " --private-key-path /var/tmp/qed_ed25519 --raft-path /var/tmp/qed0/raft"
    " --db-path /var/tmp/qed0/db --log info"
)

LIMIT_FLAGS = server_cmd.LIMIT_FIELDS
MEMORY_FLAG = "--cache-size"
PUBLICATION_FLAGS = {"--checkpoint-interval", "--cosigner-key-path", "--cosigner-name"}
OUR_FLAGS = {"--origin", "--http-advertise-addr", *LIMIT_FLAGS, MEMORY_FLAG, *PUBLICATION_FLAGS}


@pytest.fixture(name="served")
def configs_that_were_served(monkeypatch):
    served = []

    def serve(config, *, announce, on_ready):
        announce("serving")
        served.append((config, on_ready))

    monkeypatch.setattr(start, "serve", serve)
    return served


def test_without_flags_the_defaults_are_those_of_the_server(run, served, tmp_path):
    done = run("server", "start")

    assert (done.code, done.out) == (0, b"")
    assert "serving" in done.err
    expected = ServerConfig(tmp_path / "data" / "qed" / "db", raft_addr="127.0.0.1:8500")
    assert served[0][0] == expected


@pytest.mark.parametrize("words", [DOCUMENTED, MANUAL], ids=["specification", "manual"])
def test_qeds_command_lines_start_as_they_are_written(run, served, words):
    assert run("server", "start", *words).code == 0
    assert run("server", *words, "start").code == 0
    first, second = (config for config, _ in served)
    assert first == second
    assert first.private_key_path == Path(words[words.index("--private-key-path") + 1])


def test_every_flag_that_changes_something_reaches_the_server(run, served):
    words = "--http-addr a:1 --http-advertise-addr b:2 --mgmt-addr c:3 --metrics-addr d:4"
    words += " --raft-addr e:5 --db-path /f --private-key-path /g --origin h --node-id i"
    words += " --enable-tls --tls-cert-path /j --tls-key-path /k"
    words += " --checkpoint-interval 0s --cosigner-key-path /l --cosigner-name m"
    words += " --max-body 1MiB --max-request-events 2 --max-queue-events 3 --max-queue-requests 4"
    words += " --cache-size 64MiB --max-connections 5 --read-timeout 6s --drain-timeout 7ms"

    run("server", "start", *words.split())

    assert served[0][0] == ServerConfig(
        db_path=Path("/f"),
        node_id="i",
        http_addr="a:1",
        http_advertise_addr="b:2",
        mgmt_addr="c:3",
        metrics_addr="d:4",
        raft_addr="e:5",
        private_key_path=Path("/g"),
        origin="h",
        checkpoint_interval_s=0.0,
        cosigner_key_path=Path("/l"),
        cosigner_name="m",
        enable_tls=True,
        tls_cert_path=Path("/j"),
        tls_key_path=Path("/k"),
        cache_bytes=64 * 2**20,
        limits=WebLimits(
            body_bytes=2**20,
            request_events=2,
            queue_events=3,
            queue_requests=4,
            connections=5,
            read_s=6.0,
            drain_s=0.007,
        ),
    )


def test_a_flag_without_meaning_says_so_once_at_debug_level(run, served):
    words = ("server", "start", "--gossip-addr", "a:1", "--gossip-addr", "b:2", "--db-wal-ttl=5s")

    loud, quiet = run(*words, "--log", "debug"), run(*words)

    assert loud.err.count("--gossip-addr is accepted") == 1
    assert loud.err.count("--db-wal-ttl is accepted") == 1
    assert "is accepted" not in quiet.err
    assert len(served) == 2


@pytest.mark.usefixtures("served")
def test_joining_a_cluster_is_warned_about(run):
    done = run("server", "start", "--raft-join-addr", "other:8700")

    assert done.code == 0
    assert "--raft-join-addr is not followed" in done.err


@pytest.mark.usefixtures("served")
def test_with_log_off_nothing_is_said(run):
    assert run("server", "start", "--log", "off").err == ""


def test_with_json_the_addresses_are_a_document(run, served, monkeypatch):
    class Named:
        def __init__(self, address):
            self.address = address

    class Somewhere:
        data, management, metrics = Named("a:1"), Named("b:2"), Named("c:3")
        http_advertised = "d:4"

    def serve(config, *, announce, on_ready):
        served.append((config, announce))
        on_ready(Somewhere())

    monkeypatch.setattr(start, "serve", serve)

    assert run("server", "start", "--json").document == {
        "Data": "a:1",
        "Management": "b:2",
        "Metrics": "c:3",
        "Advertised": "d:4",
    }


def test_what_the_server_refuses_is_told(run, monkeypatch):
    def serve(*_args, **_kwargs):
        raise LockedError("the database is in use")

    monkeypatch.setattr(start, "serve", serve)

    done = run("server", "start")

    assert (done.code, done.out) == (22, b"")
    assert done.err.endswith("Error: the database is in use\n")


@pytest.mark.parametrize(
    "words",
    [
        ["--http-addr", "localhost"],
        ["--db-path", ""],
        ["--raft-lease-timeout", "5"],
        ["--enable-profiling=maybe"],
        ["--max-body", "1048576"],
        ["--max-body", "1023B"],
        ["--cache-size", "1023KiB"],
        ["--max-body", "2GiB"],
        ["--max-request-events", "0"],
        ["--max-request-events", "200001"],
        ["--max-queue-events", "-1"],
        ["--max-queue-requests", "many"],
        ["--max-connections", "0"],
        ["--read-timeout", "0"],
        ["--drain-timeout", "25h"],
    ],
)
def test_a_bad_value_is_refused(run, served, words):
    assert run("server", "start", *words).code == 2
    assert served == []


def test_tls_without_a_certificate_is_refused(run, served):
    assert run("server", "start", "--enable-tls").code == 11
    assert served == []


def test_limits_come_from_the_environment_and_the_command_line_wins(run, served):
    env = {"QED_SERVER_MAX_BODY": "2MiB", "QED_SERVER_READ_TIMEOUT": "1m30s"}

    run("server", "start", "--max-body=3MiB", env=env)

    limits = served[0][0].limits
    assert (limits.body_bytes, limits.read_s) == (3 * 2**20, 90)


def test_limits_that_contradict_each_other_are_refused(run, served):
    done = run("server", "start", "--max-queue-events", "100")

    assert (done.code, served) == (11, [])
    assert "--max-queue-events 100 is below --max-request-events 20000" in done.err


def test_the_limits_have_a_heading_of_their_own(run):
    text = run("server", "start", "--help").text
    part = text[text.index("\nLimits:") : text.index("\nAccepted as in QED")]

    assert {word for word in part.split() if word.startswith("--")} == {*LIMIT_FLAGS, MEMORY_FLAG}


def test_each_limits_flag_stands_beside_it_in_the_docs():
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    flags = {field: name for name, field in LIMIT_FLAGS.items()}
    for limit in fields(WebLimits):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{limit.name}` |"))
        assert row.split("|")[3].strip(" `") == flags.get(limit.name, ""), row


def test_what_help_says_of_the_address_that_clients_are_told_is_what_they_are_told(run):
    text = " ".join(run("server", "start", "--help").text.split())

    assert "[default: (--http-addr; the machine's name for a wildcard there)]" in text


def test_every_flag_of_the_specification_is_tried_above():
    names = {flag.opts[0] for flag in server_cmd.server_flags()}

    assert names - OUR_FLAGS == {
        word for word in DOCUMENTED if word.startswith("--") and word != "--log"
    }
