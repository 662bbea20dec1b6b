"""The benchmarks run, on logs so small that their figures mean nothing."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from house.tree import ROOT

BENCHMARKS = ROOT / "benchmarks"


def run(script: str, directory: Path, *words: str) -> dict[str, object]:
    """Run one of the scripts and return its JSON document."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--json", "--directory", str(directory), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if "is memory; name a --directory on a disk" in done.stderr:
        pytest.skip("tests have no disk here")
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


@pytest.fixture(name="figures")
def the_tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("figures")


def test_floors_are_judged_and_those_missed_are_named(figures: ModuleType) -> None:
    floors = (figures.at_least("adds/s", 90.0, 100), figures.at_most("p99 ms", 5.0, 20))
    figure = figures.Figure("http", "adds", 1000, 90.0, floors=floors)
    assert [floor.met for floor in floors] == [False, True]
    assert figures.verdict([figure]).strip().splitlines() == [
        "1 of 2 floors met",
        "  http: adds: adds/s at least 100: 90, NOT MET",
    ]


def test_a_median_says_how_far_its_runs_lie_apart(figures: ModuleType) -> None:
    runs = [figures.Figure("engine", "append", 1000, rate) for rate in (120.0, 90.0, 100.0)]
    middle = figures.median(runs)
    assert (middle.items_per_s, middle.more["spread %"]) == (100.0, pytest.approx(30))


def test_growth_is_against_the_smallest_log(figures: ModuleType) -> None:
    runs = [
        figures.Figure("engine", "append", events, rate)
        for events, rate in ((1_000, 300.0), (20_000, 100.0))
    ]
    assert figures.growth(runs).splitlines()[-1].split() == [
        *("engine:", "append"),
        *("10^3", "1.00"),
        *("20,000", "3.00"),
    ]


def test_the_plots_are_pictures(figures: ModuleType, tmp_path: Path) -> None:
    runs = [
        figures.Figure("engine", what, events, 1000.0, more={"memory MiB": 40.0, "trees MiB": 1.0})
        for what in ("durable append, groups of 1,000", "check: every root again")
        for events in (10_000, 1_000_000)
    ]
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"figures": [figures.document(run) for run in runs]}))
    command = [sys.executable, str(BENCHMARKS / "plots.py"), str(results), str(tmp_path)]
    subprocess.run(command, check=True)
    for name in ("throughput.svg", "memory.svg"):
        picture = (tmp_path / name).read_text()
        assert picture.startswith("<svg ")
        assert picture.endswith("</svg>\n")
        assert picture.count("<polyline ") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["kernel", "engine", "snapshots", "lifecycle", "verification", "http", "store"]
)
def test_each_benchmark_measures_something_right(tmp_path: Path, name: str) -> None:
    words = ["--only", name, "--sizes", "1000", "--runs", "1", "--seconds", "0.4"]
    document = run("run.py", tmp_path, *words)
    figures = document["figures"]
    assert isinstance(figures, list)
    assert figures
    assert all(figure["items_per_s"] > 0 for figure in figures)
    assert all(figure["syncs_per_s"] for figure in figures if figure["bare_syncs_per_s"])
    if name != "kernel":
        assert document["correct"]["proofs verified"] > 0  # type: ignore[index]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_layouts_are_measured(tmp_path: Path) -> None:
    document = run("storage_layouts.py", tmp_path, "--events", "2000")
    assert [figure["events"] for figure in document["figures"]] == [2000] * 5  # type: ignore[attr-defined]
