"""The group `qed client`: its commands, its flags on both sides, the environment."""

import subprocess
import sys

import click
import pytest

from qed.cli.client_cmd import client


def test_its_commands():
    names = ["add", "bulk", "checkpoint", "get", "incremental", "membership", "receipt"]
    context = click.Context(client)
    assert client.list_commands(context) == names
    assert [client.get_command(context, name).name for name in names] == names
    assert client.get_command(context, "nothing") is None


def test_adding_does_not_wait_for_what_verifies_signatures(tmp_path):
    code = (
        "import sys; from qed.cli.main import run;"
        "run(['client', 'add', '--event', 'x', '--endpoints', 'http://127.0.0.1:1']);"
        "sys.exit('cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=False, timeout=60
    )
    assert (done.returncode, b"cannot connect" in done.stderr) == (0, True)


@pytest.mark.parametrize("log", ["off", "fatal", "error", "warn", "info", "debug", "trace"])
def test_every_level_of_log_is_taken_on_both_sides(run, log, request):
    fake = request.getfixturevalue("client")

    assert run("client", "--log", log, "add", "--event", "x").code == 0
    assert run("client", "add", "--event", "x", "--log", log).code == 0
    assert len(fake.added) == 2


def test_the_environment_is_asked(run, request):
    fake = request.getfixturevalue("client")
    env = {"QED_CLIENT_ENDPOINTS": "http://env:1", "QED_CLIENT_ADD_EVENT": "from outside"}

    assert run("client", "add", env=env).code == 0
    assert (fake.fields["endpoints"], fake.added) == (("http://env:1",), [b"from outside"])
