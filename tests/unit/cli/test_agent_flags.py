"""The flags of the agents: QED's names, the client's behind --qed-, and what they come to."""

import shlex

import pytest

from publishing import PublishedLog
from qed.agents import runtime
from qed.agents.notifiers import StoreNotifier
from qed.cli import agent_cmd
from qed.cli.agent_flags import METRICS, read_flags
from qed.cli.client_flags import client_flags
from qed.signing.note import format_verifier_key

# As the manual has them, and the brief of a publisher as QED's scripts start it.
PUBLISHER = shlex.split(
    "--bind-addr 127.0.0.1:8300 --advertise-addr 127.0.0.1:8300 --metrics-addr 127.0.0.1:18300"
    " --node-name publisher0 --role publisher --start-join 127.0.0.1:8400"
    " --store-endpoint http://127.0.0.1:8888 --log info"
)
MONITOR = shlex.split(
    "--bind-addr monitor:8300 --advertise-addr monitor:8300 --metrics-addr monitor:18300"
    " --start-join qed_server_0:8400 --qed-endpoints http://qed_server_0:8800"
    " --notifier-endpoint http://snapshotstore:8888/alert"
    " --store-endpoint http://snapshotstore:8888 --role monitor --node-name monitor0 --log info"
)
ACCEPTED = (
    "--leave-on-term --enable-compression --broadcast-timeout 1s --leave-propagate-delay 1s"
    " --in-queue-size 1 --out-queue-size 1 --processing-interval 1s --max-sent 1 --cache-size 1"
    " --timeout-queues 1s --process-interval 1s --max-in-flight 1 --max-senders 1"
    " --alive-interval 1s --bind-addr a:1 --advertise-addr a:1 --role r"
)


@pytest.fixture(name="started")
def agents_that_were_started(monkeypatch):
    started = []

    def run_agent(config, build, notifiers, *, announce, on_ready):
        del build
        announce("running")
        started.append((config, notifiers, on_ready))

    monkeypatch.setattr(runtime, "run_agent", run_agent)
    return started


@pytest.fixture(name="flags")
def flags_that_were_read(monkeypatch, started):
    """Give a function that returns what some words come to."""
    del started
    found = []

    def read(inherited, role):
        found.append(read_flags(inherited, role))
        return found[-1]

    monkeypatch.setattr(agent_cmd, "read_flags", read)
    return found


@pytest.mark.parametrize(
    ("role", "words"), [("publisher", PUBLISHER), ("monitor", MONITOR), ("auditor", MONITOR)]
)
def test_qeds_command_lines_start_as_they_are_written(run, started, flags, role, words):
    assert run("agent", role, *words).code == 0
    assert run("agent", *words, role).code == 0
    assert flags[0] == flags[1]
    assert started[0][0] == started[1][0]


def test_the_server_is_the_host_of_start_join_and_that_is_said(run, flags):
    done = run("agent", *PUBLISHER, "publisher", "--start-join", "qed_server_0:8400,[::1]:1")
    assert flags[0].servers == (
        "http://127.0.0.1:8800",
        "http://qed_server_0:8800",
        "http://[::1]:8800",
    )
    assert "http://qed_server_0:8800" in done.err
    run("agent", "publisher")
    assert flags[1].servers == ("http://127.0.0.1:8800",)
    done = run("agent", "monitor", *MONITOR)
    assert flags[2].servers == ("http://qed_server_0:8800",)
    assert "servers:" not in done.err


@pytest.mark.parametrize("role", METRICS)
def test_without_flags_there_are_defaults(run, started, flags, tmp_path, role):
    assert run("agent", role).code == 0
    found = flags[0]
    assert found.stores == (() if role == "monitor" else ("http://127.0.0.1:8888",))
    assert (found.notifiers, found.key) == ((), None)
    assert started[0][0] == runtime.AgentConfig(
        role=role,
        state_path=tmp_path / "data" / "qed" / "agents" / role,
        name=role,
        metrics_addr=METRICS[role],
        once=False,
        longest_rest_s=10.0,
    )


def test_every_flag_that_changes_something_reaches_the_agent(run, started, flags):
    key = format_verifier_key(PublishedLog().key)
    words = "--metrics-addr a:1 --node-name b --store-endpoint http://c --store-endpoint http://d"
    words += " --notifier-endpoint http://e/alert,http://f/ --notifier-endpoint stdout"
    words += f" --key {key} --state-path /g --interval 2s --max-lag 3 --max-lag-age 4s --once"
    words += " --qed-endpoints http://h,http://i --qed-insecure --qed-timeout 5s"
    words += " --qed-dial-timeout 6s"

    assert run("agent", "monitor", *words.split()).code == 0

    found = flags[0]
    assert found.servers == ("http://h", "http://i")
    assert found.stores == ("http://c", "http://d")
    assert found.key == PublishedLog().key
    assert (found.timeout_s, found.dial_timeout_s, found.insecure) == (5.0, 6.0, True)
    assert (found.interval_s, found.max_lag, found.max_lag_age_s) == (2.0, 3, 4.0)
    config, notifiers, _ = started[0]
    assert (config.name, config.metrics_addr, config.once) == ("b", "a:1", True)
    assert config.longest_rest_s == 2.0
    assert str(config.state_path) == "/g"
    assert isinstance(notifiers[0], StoreNotifier)
    assert [one.name for one in notifiers] == ["http://e/alert", "http://f/", "stdout"]


def test_a_place_that_is_named_twice_is_one_place(run, flags):
    words = "--qed-endpoints http://a,http://a/ --store-endpoint http://b --store-endpoint http://b"
    run("agent", "publisher", *words.split())
    assert (flags[0].servers, flags[0].stores) == (("http://a",), ("http://b",))


def test_the_store_of_the_clients_flag_is_the_default(run, flags):
    run("agent", "auditor", "--qed-snapshot-store-url", "http://b:1")
    run("agent", "monitor", "--qed-snapshot-store-url", "http://b:1")
    assert [each.stores for each in flags] == [("http://b:1",), ()]


@pytest.mark.parametrize("role", METRICS)
def test_every_flag_of_the_client_is_taken_with_its_prefix(run, started, role):
    values = {"endpoints": "http://a", "snapshot_store_url": "http://a", "max_retries": "1"}
    words = []
    for flag in client_flags():
        value = values.get(flag.name, "1s" if "duration" in flag.type.name else "true")
        words.append(f"--qed-{flag.opts[0].removeprefix('--')}={value}")
    done = run("agent", role, *words, "--log", "debug")
    assert done.code == 0, done.err
    assert len(started) == 1


def test_flags_without_meaning_say_so_once_at_debug_level(run, started):
    words = ACCEPTED.split()
    loud = run("agent", "publisher", *words, "--log", "debug")
    quiet = run("agent", "publisher", *words)
    assert (loud.code, quiet.code) == (0, 0)
    for word in words:
        if word.startswith("--"):
            assert loud.err.count(f"{word} is accepted") == 1
    assert "is accepted" not in quiet.err
    assert len(started) == 2


@pytest.mark.parametrize(
    "words",
    [
        "--interval 0s",
        "--interval x",
        "--max-lag +5",
        "--max-lag -1",
        "--store-endpoint store:8888",
        "--qed-endpoints ftp://a",
        "--metrics-addr a",
        "--start-join a",
        "--qed-timeout 5",
        "--key nowhere.vkey",
    ],
)
def test_what_cannot_be_meant_is_refused(run, started, words):
    assert run("agent", "monitor", *words.split()).code in {2, 11, 13}
    assert started == []
