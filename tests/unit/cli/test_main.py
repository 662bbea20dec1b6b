"""The tree of commands, and how each kind of failure is told."""

import errno
import importlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from qed.cli import main
from qed.errors import FatalError, LockedError, UnreachableError


def every_command():
    """Yield (words, command) for the whole tree."""
    context = click.Context(main.root)
    for name in main.root.list_commands(context):
        command = main.root.get_command(context, name)
        yield (name,), command
        if isinstance(command, click.Group):
            for sub in command.list_commands(context):
                yield (name, sub), command.get_command(context, sub)


COMMANDS = list(every_command())
IDS = ["-".join(words) for words, _ in COMMANDS]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=IDS)
def test_every_command_explains_itself(run, words, command):
    done = run(*words, "--help")

    assert done.code == 0
    assert command.help
    assert f"Usage: qed {' '.join(words)}" in done.text
    assert "--log" in done.text
    assert "--json" in done.text


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=IDS)
def test_every_flag_explains_itself_or_is_there_for_qeds_sake(words, command):
    for param in command.params:
        if isinstance(param, click.Option) and not getattr(param, "accepted", False):
            assert param.help or param.hidden, (words, param.opts)


def test_the_table_of_commands_says_what_the_commands_say():
    for name, (module, text) in main.COMMANDS.items():
        assert getattr(importlib.import_module(module), name).name == name
        assert text.endswith(".")


def test_without_words_the_help_is_shown(run):
    done = run()

    assert done.code == 2
    assert "Usage: qed" in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nope",), "No such command 'nope'."),
        (("version", "--nope"), "No such option '--nope'."),
        (("version", "extra"), "Got unexpected extra argument (extra)"),
        (("restore",), "Missing option '--backup-dir'."),
        (("version", "--log", "loud"), "'loud' is not one of"),
        (("version", "--json=perhaps"), "'perhaps' is neither true nor false"),
    ],
)
def test_a_line_that_is_not_understood_is_told_and_leaves_by_2(run, words, sentence):
    done = run(*words)

    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith("Error: ")
    assert sentence in done.err
    assert "Hint: qed" in done.err


def test_a_line_that_is_not_understood_is_a_document_too(run):
    done = run("client", "add", "--json", "--nope")

    assert done.code == 2
    assert done.document["error"]["code"] == "usage"
    assert done.document["error"]["hint"] == "qed client add --help shows how it is called"


@pytest.fixture(name="fail")
def failing_command(monkeypatch):
    """Give a function that makes `qed version` raise."""

    def fail(error):
        def raise_it(*_):
            raise error

        command = main.root.get_command(click.Context(main.root), "version")
        monkeypatch.setattr(command, "callback", raise_it)

    return fail


def test_an_error_is_a_sentence_and_a_hint_on_standard_error(run, fail):
    fail(LockedError("the database is in use", hint="stop the other process"))

    done = run("version")

    assert (done.code, done.out) == (22, b"")
    assert done.err == "Error: the database is in use\nHint: stop the other process\n"


def test_an_error_without_a_hint_is_one_line(run, fail):
    fail(UnreachableError("nobody answered"))

    assert run("version").err == "Error: nobody answered\n"


@pytest.mark.parametrize("where", ["before", "after", "environment"])
def test_an_error_is_one_document_when_asked_for(run, fail, where):
    fail(LockedError("the database is in use", hint="stop it"))
    words = {"before": ("--json", "version"), "after": ("version", "--json")}
    env = {"QED_JSON": "true"} if where == "environment" else {}

    done = run(*words.get(where, ("version",)), env=env)

    assert done.document == {
        "error": {"code": "locked", "message": "the database is in use", "hint": "stop it"}
    }


def test_json_after_two_dashes_or_switched_off_is_not_asked_for():
    assert not main._wants_json(["client", "--", "--json"])
    assert not main._wants_json(["--json", "version", "--json=false"])
    assert main._wants_json(["version", "--json"])


def test_a_bug_has_its_own_code_and_its_traceback(run, fail):
    fail(AssertionError("impossible"))

    done = run("version", "--json")

    assert done.code == 70
    assert "Traceback" in done.err
    assert "this is a bug in qed: AssertionError: impossible" in done.err
    assert done.document["error"]["code"] == "bug"


def test_an_error_of_the_tree_shows_its_traceback_only_at_debug_level(run, fail):
    fail(FatalError("the disk is gone"))

    assert "Traceback" not in run("version").err
    assert "Traceback" in run("version", "--log", "debug").err


def test_ctrl_c_leaves_by_130(run, fail):
    fail(KeyboardInterrupt())

    done = run("version")

    assert (done.code, done.err) == (130, "Error: interrupted\n")


def test_what_the_system_refuses_is_no_bug(run, fail):
    fail(PermissionError(errno.EACCES, "Permission denied", "/root/x"))

    done = run("version")

    assert (done.code, done.err) == (42, "Error: /root/x: Permission denied\n")


def test_a_client_command_loads_no_database():
    code = (
        "import sys; from qed.cli import client_add_cmd, client_bulk_cmd, client_cmd, main;"
        "from qed.cli import client_incremental_cmd, client_membership_cmd;"
        "heavy = {'rocksdict', 'uvicorn', 'structlog', 'rich', 'cryptography'};"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=False
    )

    assert done.stderr.decode().strip() == "", "imported although not needed"


def test_main_leaves_with_the_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["qed", "nope"])

    with pytest.raises(SystemExit) as left:
        main.main()

    assert left.value.code == 2
    assert "No such command" in capsys.readouterr().err


def test_the_documentation_names_no_flag_that_is_not_there():
    text = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text()
    known = {"--help", "--log", "--json", "--flag"}
    known |= {name for _, command in COMMANDS for param in command.params for name in param.opts}

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known
