"""A plain install says what is missing and how to get it."""

import pytest

from qed.cli import main
from qed.cli.server_part import SERVER_LIBRARIES, server_part
from qed.errors import NotFoundError

COMMANDS = [
    ("server", "start"),
    ("check", "/nowhere"),
    ("restore", "--backup-dir", "/nowhere", "--restore-path", "/nowhere"),
    ("dev",),
]


@pytest.mark.parametrize("library", sorted(SERVER_LIBRARIES))
def test_a_missing_library_of_the_server_is_named(library):
    with pytest.raises(NotFoundError, match=library) as caught, server_part():
        raise ModuleNotFoundError(f"No module named '{library}.x'", name=f"{library}.x")

    assert "qed[server]" in caught.value.hint


def test_any_other_missing_module_is_a_bug():
    with pytest.raises(ModuleNotFoundError), server_part():
        raise ModuleNotFoundError("No module named 'qed.x'", name="qed.x")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_plain_install_says_how_to_get_the_server(plain_install, words):
    done = plain_install(*words)

    assert done.returncode == 13, done.stderr
    assert "needs the server part of qed" in done.stderr
    assert "Hint: python3 -m pip install 'qed[server]'" in done.stderr


def test_a_plain_install_does_everything_else(plain_install, tmp_path):
    assert plain_install("version").returncode == 0
    assert plain_install("generate", "signerkeys", "--path", str(tmp_path)).returncode == 0
    assert plain_install("verify", "/nowhere").returncode == 13
    assert plain_install("client", "add", "--event", "").returncode == 11
    assert all(plain_install(name, "--help").returncode == 0 for name in main.COMMANDS)
