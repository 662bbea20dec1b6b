"""`qed workload` against a server that is really there."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from process import Finished, Qed, Server, environment


@pytest.fixture(name="server", scope="module")
def a_server(qed_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("workload")
    with Server(Qed(qed_command, home), home / "db") as server:
        yield server


def workload(server: Server, *words: str) -> Finished:
    return server.qed.run("workload", "--endpoints", server.endpoint, *words)


def size_of(server: Server) -> int:
    answer = server.call(
        "POST", "/proofs/digest-membership", {"KeyDigest": "A" * 43 + "=", "Version": None}
    ).document()
    return (answer["CurrentVersion"] + 1) % 2**64


def document(server: Server, *words: str) -> Any:
    done = workload(server, "--json", *words)
    assert done.code == 0, done
    return done.document()


def test_each_kind_in_turn(server: Server) -> None:
    """What one run adds the next one asks for; every proof is verified against its snapshots."""
    start = size_of(server)
    label = ["--label", "each kind "]
    for kind in ("add", "bulk", "digests"):
        offset = ["--offset", str(size_of(server) - start)]
        words = ["--kind", kind, "--num-requests", "400", "--alone", *offset, *label]
        found = document(server, *words)
        assert (found["Items"], found["EventsAdded"], found["EventsByOthers"]) == (400, 400, 0)
        assert found["Checked"]["ProofsVerified"] == found["Checked"]["AgainstSnapshots"] > 100
    known = ["--size", "1200", *label]
    found = document(server, "--kind=membership", "--num-requests=500", "--seed=1", *known)
    assert (found["Requests"], found["Checked"]["Absent"]) == (500, 0)
    found = document(server, "--kind=incremental", "--num-requests=300", "--verify=all")
    assert found["Requests"] == 300
    assert found["Checked"]["ProofsVerified"] == 300 + 20  # and the way between known roots
    found = document(server, "--kind=mixed", "--num-requests=600", *known)
    assert found["Requests"] == 600
    assert set(found["Kinds"]) == {"add", "membership", "incremental"}
    assert size_of(server) == start + 1200 + found["EventsAdded"]


def test_the_table(server: Server) -> None:
    done = workload(server, "--kind", "membership", "--num-requests", "200", "--log", "info")

    assert done.code == 0, done
    assert done.err == ""
    assert done.out.splitlines()[1].split()[:4] == ["membership", "200", "200", "0"]
    assert "load generator:" in done.out


def test_a_rate_is_kept(server: Server) -> None:
    found = document(server, "--kind=membership", "--rate=200", "--duration=1s", "--warmup=200ms")

    assert found["Requests"] + found["Unsent"] == 200
    assert found["Requests"] > 100


def test_a_log_too_short_is_said(server: Server) -> None:
    done = workload(server, "--kind", "incremental", "--offset", "1000000000")

    assert done.code == 15
    assert "there is no version 1000001000 to end at" in done.err


def test_ctrl_c_prints_what_was_measured(server: Server) -> None:
    """The signal comes once the server has seen additions, so that there is something to print."""
    before = size_of(server)
    words = ["workload", "--endpoints", server.endpoint, "--kind=add", "--label=ctrl ", "--json"]
    with subprocess.Popen(
        [*server.qed.command, *words],
        env=environment(server.qed.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while size_of(server) < before + 50:  # as below
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    found = json.loads(out)
    assert found["Interrupted"] is True
    assert 0 < found["Requests"] < 100_000


def test_a_server_that_stops_ends_the_load(qed_command: list[str], tmp_path: Path) -> None:
    with Server(Qed(qed_command, tmp_path), tmp_path / "db") as server:
        words = ["workload", "--endpoints", server.endpoint, "--kind=add", "--timeout=1s", "--json"]
        with subprocess.Popen(
            [*qed_command, *words],
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            # Many more than there are connections: some were answered, not only written.
            while not 50 < size_of(server) < 2**64:
                assert process.poll() is None
            server.kill()
            out, err = process.communicate(timeout=60)

    assert process.returncode == 24, err
    found = json.loads(out)
    assert found["Requests"] > 0
    assert found["Error"]["code"] == "unreachable"


def test_over_tls(qed_command: list[str], tmp_path: Path) -> None:
    qed = Qed(qed_command, tmp_path)
    qed.ok("generate", "self-signed-cert", "--path", str(tmp_path), "--host", "127.0.0.1")
    certificate, key = tmp_path / "qed_cert.pem", tmp_path / "qed_key.pem"
    tls = ["--enable-tls", f"--tls-cert-path={certificate}", f"--tls-key-path={key}"]
    server = Server(qed, tmp_path / "db", flags=tls)
    process = server.spawn()
    endpoint = server.endpoint.replace("http:", "https:")
    words = ["workload", "--kind=add", "--num-requests=50", "--endpoints", endpoint]
    try:
        while "metrics port" not in server.output:
            assert process.poll() is None, server.output
        assert qed.run(*words, "--insecure").code == 0
        refused = qed.run(*words)
        assert refused.code == 24
        assert "certificate verify failed" in refused.err
        trusted = qed.run(*words, "--offset=50", env={"SSL_CERT_FILE": str(certificate)})
        assert trusted.code == 0, trusted
    finally:
        server.kill()
