"""A progress bar on standard error, on a terminal only; piped output never sees one."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Report = Callable[[int, int], None]


@contextlib.contextmanager
def progress_bar(label: str, *, unit: str = "", rate: bool = False) -> Iterator[Report | None]:
    """Give a function (done, total) that moves a bar, or None where nobody looks at one.

    A total of 0 means that the end is not known; `rate` shows how many are done a second.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - 100 ms that a piped command does not pay
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    shown = "{task.completed:,.0f} " + unit
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(shown + ", {task.fields[rate]}" if rate else shown),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, rate="")

        began: list[tuple[float, int]] = []

        def report(done: int, total: int) -> None:
            if not began:
                began.append((time.monotonic(), done))
            passed_s, more = time.monotonic() - began[0][0], done - began[0][1]
            said = f"{more / passed_s:,.0f}/s" if passed_s else ""
            bar.update(task, completed=done, total=total or None, rate=said)

        yield report
