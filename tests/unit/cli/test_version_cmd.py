"""`qed version`."""

from importlib.metadata import version

import pytest

from qed.cli import version_cmd
from qed.trees import kernel, quick
from qed.version import VERSION
from qed.wire import flat


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


@pytest.mark.parametrize(
    ("name", "why"),
    [("native (sha_ni)", ""), ("twin (pure Python)", "the native kernel is not built")],
)
def test_the_kernel_and_why_it_is_the_twin(run, monkeypatch, name, why):
    monkeypatch.setattr(kernel, "NAME", name)
    monkeypatch.setattr(kernel, "WHY_TWIN", why)
    monkeypatch.setattr(quick, "WHY_TWIN", "")
    monkeypatch.setattr(flat, "WHY_TWIN", "")

    text = run("version").text
    document = run("version", "--json").document

    assert f"\nkernel: {name}\n" in text
    assert ("why-twin: the native kernel is not built\n" in text) == bool(why)
    assert (document["kernel"], document.get("why-twin", "")) == (name, why)


@pytest.mark.parametrize("module", [quick, flat])
def test_what_else_is_not_native_says_why(run, monkeypatch, module):
    for each in (kernel, quick, flat):
        monkeypatch.setattr(each, "WHY_TWIN", "it gives wrong answers" if each is module else "")

    assert run("version", "--json").document["why-twin"] == "it gives wrong answers"
