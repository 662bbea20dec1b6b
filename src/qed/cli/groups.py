"""Commands that take their flags as QED's do.

- The flags of a group are accepted before and after the sub-command; the later one wins, and a list
  grows. They are declared once, on the group; `Group.add_command` repeats them on each sub-command.
- A boolean is written `--flag`, `--flag=true` or `--flag=false` and never eats the word after it.
- `--log` and `--json` are on every command.
- Every flag also comes from the environment: `QED_CLIENT_ENDPOINTS` for `qed client --endpoints`.

Inherited flags are not parameters of the functions: `inherited(ctx)` returns them by name.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.core import ParameterSource

from qed.cli import logs, values
from qed.cli.server_part import server_part

_LOG = logging.getLogger(__name__)

LEVELS = ("off", "fatal", "error", "warn", "info", "debug", "trace")

_META = "qed.inherited"
_OWN = "Flags"
_SHARED = "Shared flags (also before the command)"
_ACCEPTED = "Accepted as in QED, without effect"
_WRITTEN = frozenset({ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT})


class Flag(click.Option):
    """A flag; `accepted=True` marks one that is taken for QED's sake and changes nothing.

    `heading` is what it stands under in the help, where that is not for its command to say.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        accepted: bool = False,
        heading: str = "",
        **settings: Any,
    ) -> None:
        """Show the default of every flag that has one, durations as Go writes them."""
        self.accepted = accepted
        self.heading = _ACCEPTED if accepted else heading
        default = settings.get("default")
        if isinstance(settings.get("type"), values.Duration):
            settings.setdefault("show_default", values.format_duration(float(default or 0)))
        elif isinstance(settings.get("type"), values.Size) and default is not None:
            settings.setdefault("show_default", values.format_size(default))
        settings.setdefault("show_default", default not in (None, "", False))
        if isinstance(settings.get("type"), values.Bool):
            settings["metavar"] = "[=true|false]"
        super().__init__(names, **settings)


class Inherited(Flag):
    """A flag of a group that its sub-commands accept too."""

    is_repeated = False  # set on the copy that a sub-command has

    def __init__(self, names: Sequence[str], **settings: Any) -> None:
        """Store the value beside the context instead of passing it to a function."""
        super().__init__(names, expose_value=False, callback=_keep_inherited, **settings)

    def repeated(self) -> Inherited:
        """Return the same flag for a sub-command: it wins when written, and has no environment."""
        again = copy.copy(self)
        again.allow_from_autoenv = False
        again.hidden = True
        again.is_repeated = True
        return again


def _keep_inherited(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Keep the value of a flag that is written, or the default when nothing is kept yet."""
    kept = ctx.meta.setdefault(_META, {})
    name = str(param.name)
    source = ctx.get_parameter_source(name)
    if isinstance(param.type, values.ListOf):
        before, before_source = kept.get(name, ((), None))
        value = tuple(item for part in value for item in part)
        # As in QED, a list grows with each time it is written; the environment is no such time.
        if source == before_source == ParameterSource.COMMANDLINE:
            value = before + value
    if source in _WRITTEN or name not in kept:
        kept[name] = (value, source)
    return value


def inherited(ctx: click.Context) -> dict[str, Any]:
    """Return the values of the flags that this command shares with the groups above it."""
    return {name: value for name, (value, _) in ctx.meta.get(_META, {}).items()}


def meaningless_flags(ctx: click.Context) -> list[str]:
    """Return the accepted flags without meaning that were written, as they are spelled."""
    kept = ctx.meta.get(_META, {})
    found = []
    for above in _contexts(ctx):
        for param in above.command.params:
            source = kept.get(param.name, (None, None))[1]
            if isinstance(param, Flag) and param.accepted and source in _WRITTEN:
                found.append(param.opts[0])
    return sorted(set(found))


def _contexts(ctx: click.Context | None) -> list[click.Context]:
    found = []
    while ctx is not None:
        found.append(ctx)
        ctx = ctx.parent
    return found


def common_flags() -> list[Inherited]:
    """Return the two flags of every command."""
    return [
        shared(
            "--log",
            type=click.Choice(LEVELS, case_sensitive=False),
            default=None,
            help="How much to say on standard error (info for what stays running, else warn).",
        ),
        shared(
            "--json",
            type=values.BOOL,
            default=False,
            show_default=False,
            help="Print one JSON document on standard output, also for an error.",
        ),
    ]


class _GoFlags(click.Command):
    """What commands and groups share: how words are read, and how flags are shown."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Spell out the booleans, then let click read the words."""
        return super().parse_args(ctx, self._spell_out(args))

    def _spell_out(self, words: Sequence[str]) -> list[str]:
        """Return the words with `--flag` of a boolean written `--flag=true`, as Go reads it."""
        options = {
            spelled: param
            for param in self.params
            if isinstance(param, click.Option)
            for spelled in param.opts
        }
        out: list[str] = []
        at = 0
        while at < len(words):
            word = words[at]
            if word == "--" or (not word.startswith("-") and not self.allow_interspersed_args):
                break
            option = options.get(word)
            if option is not None and isinstance(option.type, values.Bool):
                word = f"{word}=true"
            elif option is not None and not option.is_flag:
                out.append(word)
                at += 1
                word = words[at] if at < len(words) else ""
                if at >= len(words):
                    break
            out.append(word)
            at += 1
        return out + list(words[at:])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the flags: own ones, shared ones, those with a heading, those without effect."""
        headings = {getattr(param, "heading", ""): None for param in self.get_params(ctx)}
        titles = [_OWN, _SHARED, *filter(None, headings)]
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in titles}
        for param in self.get_params(ctx):
            title, shown = _OWN, param
            if isinstance(param, Inherited) and param.is_repeated:
                shown = copy.copy(param)
                shown.hidden = False
                title = _SHARED
            title = getattr(param, "heading", "") or title
            record = shown.get_help_record(ctx)
            if record is not None:
                sections[title].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class Command(_GoFlags):
    """A command with `--log`, `--json`, and Go's way of writing flags.

    `service=True` marks a program that stays: its log is for machines. `log_level` is the level
    without `--log`, for a service info and else warn.
    """

    def __init__(
        self, *args: Any, service: bool = False, log_level: str = "", **settings: Any
    ) -> None:
        """Add the flags of every command after the command's own."""
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **settings)
        self.service = service
        self.log_level = log_level or ("info" if service else "warn")
        self.params.extend(flag.repeated() for flag in common_flags())

    def invoke(self, ctx: click.Context) -> Any:
        """Set up the log, say which flags mean nothing here, and run."""
        level = inherited(ctx).get("log") or self.log_level
        if self.service:
            with server_part():
                logs.configure_service(level)
        else:
            logs.configure(level)
        for spelled in meaningless_flags(ctx):
            _LOG.debug("%s is accepted as QED's command line has it; it changes nothing", spelled)
        return super().invoke(ctx)


class Group(_GoFlags, click.Group):
    """A group whose inherited flags are accepted on both sides of the sub-command."""

    def __init__(
        self, *args: Any, flags: Sequence[Inherited] = (), root: bool = False, **settings: Any
    ) -> None:
        """Declare the flags that the sub-commands accept too; the root's are those of everyone."""
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **settings)
        self.flags = tuple(flags)
        self.params.extend(self.flags)
        common = common_flags()
        self.params.extend(common if root else [flag.repeated() for flag in common])

    command_class = Command

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a sub-command and repeat the group's flags on it."""
        cmd.params.extend(flag.repeated() for flag in self.flags)
        super().add_command(cmd, name)


def shared(*names: str, **settings: Any) -> Inherited:
    """Return a flag for a group to hand on to its sub-commands."""
    return Inherited(names, **settings)


def flag(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Return a decorator that adds a flag to a command's function."""
    return click.option(*names, cls=Flag, **settings)
