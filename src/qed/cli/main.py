"""The program: the tree of commands, and how a failure is told.

A command's module is imported when the command is called, so that `qed client add` does not wait
for a database to be loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from qed.cli import exit_codes, output, values
from qed.cli.groups import Group
from qed.errors import QedError, StorageError

ENVIRONMENT_PREFIX = "QED"

# Name -> (module, what `qed --help` says). The object in the module has the command's name.
COMMANDS = {
    "server": ("qed.cli.server_cmd", "Run a log server."),
    "client": ("qed.cli.client_cmd", "Add events, ask for proofs, and verify them."),
    "store": ("qed.cli.store_cmd", "Keep an independent copy of what a log signed."),
    "agent": ("qed.cli.agent_cmd", "Publish, audit and monitor what a log has signed."),
    "backup": ("qed.cli.backup_cmd", "Make, list and delete backups of a running server."),
    "restore": ("qed.cli.restore_cmd", "Bring a database back from a backup."),
    "check": ("qed.cli.check_cmd", "Recompute every root of a database from its events."),
    "audit": ("qed.cli.audit_cmd", "Recompute what a log has signed from its published events."),
    "verify": ("qed.cli.verify_cmd", "Verify receipts, proofs and evidence offline."),
    "workload": ("qed.cli.workload_cmd", "Put load on a log server and check its answers."),
    "generate": ("qed.cli.generate_cmd", "Make signing keys and certificates."),
    "dev": ("qed.cli.dev_cmd", "Run everything on this machine, to play with."),
    "version": ("qed.cli.version_cmd", "Say which version this is."),
}

_EPILOG = (
    "Every flag can also come from the environment: QED_CLIENT_ENDPOINTS for the flag --endpoints"
    " of `qed client`, QED_LOG for --log. Exit codes: docs/command-line.md."
)
_BUG_HINT = "please report it with the lines above; nothing that was acknowledged is affected"


class _Root(Group):
    """The group of all commands; imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for a name that is not in the table."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a bug in the table above
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the table without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


root = _Root(
    "qed",
    root=True,
    help="A tamper-evident log: add events, prove that they are in it, and that nothing before"
    " them was changed.",
    epilog=_EPILOG,
)


def main() -> NoReturn:
    """Run the program with the words of the command line and leave with its exit code."""
    output.fill_standard_streams()
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure has been told when it returns."""
    as_json = _wants_json(words)
    try:
        return _call(words)
    except output.OutputClosedError:
        return exit_codes.OUTPUT_CLOSED
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a bug has an exit code too
        return _report(error, as_json=as_json)


def _call(words: Sequence[str]) -> int:
    context = root.make_context("qed", list(words), auto_envvar_prefix=ENVIRONMENT_PREFIX)
    with context:
        root.invoke(context)
    return exit_codes.DONE


def _wants_json(words: Sequence[str]) -> bool:
    """Return whether errors are to be documents; needed also where the words do not parse."""
    asked = os.environ.get(f"{ENVIRONMENT_PREFIX}_JSON", "false")
    for word in words:
        if word == "--":
            break
        if word == "--json":
            asked = "true"
        elif word.startswith("--json="):
            asked = word.removeprefix("--json=")
    with contextlib.suppress(click.UsageError):
        return values.BOOL.convert(asked, None, None)
    return False


def _report(error: BaseException, *, as_json: bool) -> int:
    """Tell a failure and return its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        output.remark(error.format_message())
        return exit_codes.USAGE
    if isinstance(error, OSError):
        error = _as_storage_error(error)
    if exit_codes.exit_code(error) == exit_codes.BUG:
        traceback.print_exception(error)
    with contextlib.suppress(output.OutputClosedError, QedError):  # it failed already
        output.tell_error(_describe(error), as_json=as_json)
    logging.getLogger(__name__).debug("where it failed", exc_info=error)
    return exit_codes.exit_code(error)


def _as_storage_error(error: OSError) -> StorageError:
    """Return what the system said as an error of the tree."""
    where = f"{error.filename}: " if error.filename else ""
    wrapped = StorageError(f"{where}{error.strerror or error}", errno=error.errno)
    wrapped.__cause__ = error
    return wrapped


def _describe(error: BaseException) -> dict[str, Any]:
    """Return the document of any failure: `{"error": {"code", "message", "hint"}}`."""
    if isinstance(error, QedError):
        return output.describe_error(error)
    if isinstance(error, click.ClickException):
        context: click.Context | None = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "qed"
        hint = f"{path} --help shows how it is called"
        fields = {"code": "usage", "message": error.format_message(), "hint": hint}
    elif isinstance(error, KeyboardInterrupt | click.Abort):
        fields = {"code": "interrupted", "message": "interrupted", "hint": ""}
    else:
        sentence = f"this is a bug in qed: {type(error).__name__}: {error}"
        fields = {"code": "bug", "message": sentence, "hint": _BUG_HINT}
    return {"error": fields}
