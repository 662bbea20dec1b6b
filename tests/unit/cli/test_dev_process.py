"""Whether `qed dev` runs is asked of a lock; what it serves stands in a file."""

import os
import subprocess
import sys

import pytest

from qed.cli import dev_process
from qed.errors import DamagedError, StoppingError, UnavailableError

STATE = dev_process.DevState(
    pid=1234,
    data="http://a:1",
    management="http://b:2",
    metrics="http://c:3/metrics",
    store="http://d:4",
    db_path="/db",
    verifier_key="qed-0+00000000+AAAA",
)


def test_one_at_a_time(tmp_path):
    path = tmp_path / "new" / "dev"
    assert not dev_process.is_running(path)

    with dev_process.hold(path) as first:
        assert first
        assert dev_process.is_running(path)
        with dev_process.hold(path) as second:
            assert not second

    assert not dev_process.is_running(path)


def test_what_is_served_is_known_as_long_as_it_runs(tmp_path):
    with dev_process.hold(tmp_path):
        assert dev_process.read_state(tmp_path) is None
        dev_process.write_state(tmp_path, STATE)
        with dev_process.hold(tmp_path) as second:
            assert not second
        assert dev_process.read_state(tmp_path) == STATE

    assert dev_process.read_state(tmp_path) is None


def test_what_a_crash_left_is_forgotten(tmp_path):
    dev_process.write_state(tmp_path, STATE)

    assert not dev_process.is_running(tmp_path)
    assert not dev_process.stop(tmp_path)
    with dev_process.hold(tmp_path):
        assert dev_process.read_state(tmp_path) is None


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"pid": 1, "what": 2}'])
def test_a_damaged_file_is_said(tmp_path, data):
    (tmp_path / "dev.json").write_bytes(data)

    with pytest.raises(DamagedError, match=r"dev\.json"):
        dev_process.read_state(tmp_path)


def test_nothing_runs_in_a_place_that_does_not_exist(tmp_path):
    assert not dev_process.stop(tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_one_that_is_starting_is_not_stopped(tmp_path):
    with dev_process.hold(tmp_path), pytest.raises(UnavailableError, match="still starting"):
        dev_process.stop(tmp_path)


def holder(path, code):
    """Start a process that holds the directory as `qed dev` does, and wait until it does."""
    program = (
        "import os, signal, sys; from pathlib import Path; from qed.cli import dev_process as d\n"
        f"{code}\n"
        "with d.hold(Path(sys.argv[1])):\n"
        "    d.write_state(Path(sys.argv[1]), d.DevState(os.getpid(), *'abcdef'))\n"
        "    print('held', flush=True)\n"
        "    signal.pause()\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_stop_waits_until_it_has_ended(tmp_path):
    with holder(tmp_path, "") as process:
        assert dev_process.stop(tmp_path)
        assert process.wait() == -15

    assert not dev_process.is_running(tmp_path)


def test_one_that_does_not_end_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(dev_process, "STOP_LIMIT_S", 0.05)
    with holder(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as process:
        with pytest.raises(StoppingError, match="has not ended"):
            dev_process.stop(tmp_path)
        process.kill()


def test_one_that_ended_meanwhile_is_fine(tmp_path, monkeypatch):
    monkeypatch.setattr(dev_process, "is_running", lambda _: True)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    dev_process.write_state(tmp_path, dev_process.DevState(gone.pid, *"abcdef"))

    assert dev_process.stop(tmp_path)


def test_a_child_that_ends_early_tells_why(tmp_path):
    with pytest.raises(UnavailableError, match="No such option '--nope'") as caught:
        dev_process.start_apart(tmp_path, ["--nope"])

    assert str(tmp_path / "dev.log") in caught.value.hint
    with pytest.raises(UnavailableError, match="did not start: "):
        dev_process.start_apart(tmp_path, ["--help"])


def test_ready_is_told_once():
    read_end, write_end = os.pipe()

    dev_process.tell_ready(write_end)

    with os.fdopen(read_end, "rb") as reader:
        assert reader.read() == b"ready\n"
