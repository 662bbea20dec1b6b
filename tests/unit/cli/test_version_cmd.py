"""`qed version`."""

from importlib.metadata import version

from qed.cli import version_cmd
from qed.version import VERSION


def test_the_version_comes_first(run):
    done = run("version")

    assert done.code == 0
    assert done.text.startswith(f"qed {VERSION}\npython: 3.")
    assert f"\nrocksdict: {version('rocksdict')}\n" in done.text


def test_the_document(run):
    assert run("version", "--json").document["version"] == VERSION


def test_what_is_not_installed_is_said(run, monkeypatch):
    monkeypatch.setattr(version_cmd, "_PARTS", ("no-such-thing",))

    assert run("version").text.endswith("\nno-such-thing: not installed\n")
