"""The group `qed client`: its commands, its flags on both sides, the environment."""

import pytest

from qed.cli.client_cmd import client


def test_its_commands():
    names = ["add", "bulk", "checkpoint", "get", "incremental", "membership", "receipt"]
    assert sorted(client.commands) == names


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
