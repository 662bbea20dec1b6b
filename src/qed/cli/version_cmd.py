"""`qed version`: which version this is, and of what it is made."""

from __future__ import annotations

import importlib.metadata
import platform

import click

from qed.cli import output
from qed.cli.groups import Command
from qed.trees import kernel, quick
from qed.version import VERSION
from qed.wire import flat

_PARTS = ("rocksdict", "uvicorn", "httpx2", "cryptography")


@click.command(
    "version", cls=Command, help="Say which version of qed this is, and of what it is made."
)
@click.pass_context
def version(ctx: click.Context) -> None:
    """Print the version, Python's, the platform's, the kernel's, and the libraries that matter."""
    parts = {"python": platform.python_version(), "platform": platform.platform()}
    parts["kernel"] = kernel.NAME
    why = kernel.WHY_TWIN or quick.WHY_TWIN or flat.WHY_TWIN
    if why:
        parts["why-twin"] = why
    for name in _PARTS:
        try:
            parts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            parts[name] = "not installed"
    if output.wants_json(ctx):
        output.emit_document({"version": VERSION, **parts})
        return
    lines = [f"qed {VERSION}", *(f"{name}: {text}" for name, text in parts.items())]
    output.emit("\n".join(lines) + "\n")
