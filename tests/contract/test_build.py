"""What is built from the sources: a source distribution that holds them all, an installation
without a compiler that works all the same."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from house.tree import ROOT, files, relative

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NATIVE = (".pyx", ".pxi", ".c", ".h")


@pytest.fixture(name="sources")
def a_copy_of_what_git_has(tmp_path: Path) -> Path:
    """The files that a build reads, without anything that was built beside them."""
    copy = tmp_path / "sources"
    wanted = [path for path in files(".py", ".pyi", ".typed", *NATIVE) if "src" in path.parts]
    wanted += [ROOT / name for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")]
    wanted.append(ROOT / "src" / "qed" / "py.typed")
    for path in wanted:
        target = copy / relative(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return copy


def run(*words: str, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_without_a_compiler_the_installation_succeeds_and_runs_on_the_twin(
    sources: Path, tmp_path: Path
) -> None:
    installed = tmp_path / "installed"
    words = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    run("-m", "pip", *words, "--target", str(installed), ".", cwd=sources, CC="/bin/false")
    assert list(installed.rglob("*.so")) == []

    environment = {"PYTHONPATH": str(installed), "QED_KERNEL": "", "PYTHONSAFEPATH": "1"}
    code = "import qed; print(qed.__file__)"
    assert run("-c", code, cwd=tmp_path, **environment).startswith(str(installed))
    document = json.loads(run("-m", "qed", "version", "--json", cwd=tmp_path, **environment))
    assert document["kernel"] == "twin (pure Python)"
    assert document["why-twin"].startswith("the native kernel is not built, or does not load: ")


def test_the_source_distribution_holds_every_native_source(sources: Path, tmp_path: Path) -> None:
    words = ("build", "--sdist", "--no-isolation", "--outdir", str(tmp_path / "dist"))
    run("-m", *words, cwd=sources)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as members:
        names = {name.partition("/")[2] for name in members.getnames()}
    wanted = {relative(path) for path in files(*NATIVE, ".py") if "src" in path.parts}
    assert wanted
    assert wanted - names == set()
