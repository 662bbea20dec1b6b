"""For every test: loopback only, repeatable examples, oracles that are really asked."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in each run of `make test`; `QED_HYPOTHESIS=explore` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.register_profile(
    "explore", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("QED_HYPOTHESIS", "repeatable"))

# Set by .ci/run: there a test that is skipped has failed, above all one whose oracle is missing.
ORACLES_REQUIRED = os.environ.get("QED_REQUIRE_ORACLES") == "1"


def _refuse_strangers(event: str, arguments: tuple[object, ...]) -> None:
    """No test talks to another machine, not even by accident."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(
        ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - an address to compare with
    ):
        raise AssertionError(f"a test tried to reach {address}: loopback only")


sys.addaudithook(_refuse_strangers)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Let a skipped test fail where oracles are required."""
    report = yield
    if ORACLES_REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """The same for a file that skips itself as a whole."""
    report = yield
    if ORACLES_REQUIRED and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes many minutes unless it is asked for: `make soak`."""
    if "soak" in config.getoption("markexpr"):
        return
    soaking = [item for item in items if item.get_closest_marker("soak")]
    if soaking:
        items[:] = [item for item in items if item not in soaking]
        config.hook.pytest_deselected(items=soaking)


@pytest.fixture(scope="session")
def qed_command() -> list[str]:
    """The installed command: `QED_COMMAND`, else the one beside this interpreter."""
    named = os.environ.get("QED_COMMAND")
    return shlex.split(named) if named else [str(Path(sys.executable).with_name("qed"))]
