"""`qed client`: the group of everything that talks to a log server's data port."""

from __future__ import annotations

import importlib

import click

from qed.cli.client_flags import client_flags, trust_flags
from qed.cli.groups import Group

# Each in a module of its own, `client_<name>_cmd`.
COMMANDS = ("add", "bulk", "checkpoint", "get", "incremental", "membership", "receipt")


class _Client(Group):
    """Imports the command that is called: adding does not wait for what verifies signatures."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and repeat the group's flags on it; None for a name that is none."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module = importlib.import_module(f"qed.cli.client_{cmd_name}_cmd")
            self.add_command(getattr(module, cmd_name))
        return super().get_command(ctx, cmd_name)


client = _Client(
    "client",
    flags=[*client_flags(), *trust_flags()],
    help="Add events, ask for proofs, and verify them.\n\nThe flags below are accepted before and"
    " after the command.",
)
