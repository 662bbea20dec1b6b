"""`qed dev` for real: in the background, twice, asked, stopped, and again with its data."""

import pytest

from process import free_ports
from qed.cli import dev_process


@pytest.fixture(name="dev")
def dev_on_free_ports(run, tmp_path):
    """Give a function that runs `qed dev` on ports of its own; whatever it started is stopped."""
    ports = [f"127.0.0.1:{port}" for port in free_ports(4)]
    names = ("--http-addr", "--mgmt-addr", "--metrics-addr", "--store-addr")
    where = [word for pair in zip(names, ports, strict=True) for word in pair]
    path = tmp_path / "dev"

    def dev(*words):
        return run("dev", "--path", str(path), *where, *words)

    dev.ports = ports
    dev.path = path
    yield dev
    if dev_process.is_running(path):
        dev_process.stop(path)


@pytest.mark.slow
def test_in_the_background_and_back(run, dev):
    started = dev("--detach")
    assert started.code == 0, started.err
    assert started.text.startswith("qed dev is running (process ")
    for line in (
        "data port        http://",
        "management port  http://",
        "snapshot store   http://",
        "verifier key     qed-",
        "qed client",
        "qed backup",
    ):
        assert line in started.text

    again, here, document = dev("--detach"), dev(), dev("--detach", "--json").document
    assert (again.code, "it ran already" in again.text) == (0, True)
    assert (here.code, "it ran already" in here.text) == (0, True)
    assert document["Running"] is True
    assert document["Data"] == f"http://{dev.ports[0]}"

    endpoint = ("--endpoints", document["Data"])
    assert b"Version: 0\n" in run("client", *endpoint, "add", "--event", "event 0").out
    everywhere = (*endpoint, "--snapshot-store-url", document["Store"])
    published = run("client", *everywhere, "get", "--version", "0")
    assert (published.code, b"Version: 0\n" in published.out) == (0, True), published.err
    assert (dev.path / "verifier-key").read_text().strip() == document["VerifierKey"]
    stopped = dev("--stop")
    assert (stopped.code, stopped.text) == (0, "qed dev is stopped\n")

    assert dev("--detach").code == 0
    assert b"Version: 1\n" in run("client", *endpoint, "add", "--event", "event 1").out
    assert dev("--stop", "--json").document == {"Running": False, "Stopped": True}


def test_stop_without_anything_running_is_fine(dev):
    assert (dev("--stop").code, dev("--stop").text) == (0, "qed dev is not running\n")
    assert dev("--stop", "--json").document == {"Running": False, "Stopped": False}
    assert not dev.path.exists()


def test_one_that_is_starting_is_left_alone(dev):
    with dev_process.hold(dev.path):
        assert dev().text == "qed dev is starting in another process\n"
        assert dev("--detach", "--json").document == {"Running": False, "Starting": True}


def test_the_commands_to_type_are_short_on_the_usual_ports(dev):
    state = dev_process.DevState(
        pid=1,
        data="http://127.0.0.1:8800",
        management="http://127.0.0.1:8700",
        metrics="http://127.0.0.1:8600/metrics",
        store="http://127.0.0.1:8888",
        db_path="/db",
        verifier_key="qed-0+00000000+AAAA",
    )
    with dev_process.hold(dev.path):
        dev_process.write_state(dev.path, state)
        text = dev().text

    assert "    qed client add --event 'event 0'\n" in text
    assert "    qed backup create\n" in text


def test_a_failed_start_is_told(run, dev, tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "db").write_bytes(b"in the way")

    done = dev("--detach")

    assert done.code == 20
    assert "qed dev did not start: " in done.err
    assert run("dev", "--path", str(dev.path), "--stop").code == 0


def test_detach_and_stop_exclude_each_other(dev):
    assert dev("--detach", "--stop").code == 2
