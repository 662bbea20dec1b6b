"""The benchmarks run, on logs so small that their figures mean nothing."""

import json
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kernel", "engine", "lifecycle", "verification", "http"])
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
