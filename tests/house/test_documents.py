"""What the program has, the documents say; what the documents name, is there."""

import re
from collections.abc import Iterator

import click
import pytest

from house.tree import ROOT, SOURCE, files, python_files, relative
from qed.agents.alerts import KINDS
from qed.cli import exit_codes
from qed.cli.main import root

DOCS = ROOT / "docs"
DECISIONS = DOCS / "adr"
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)[^)]*\)")
NAMED_FILE = re.compile(r"`((?:docs|src|tests|deploy|demo|make|benchmarks|requirements)/[\w./-]+)`")


def documents() -> str:
    """Everything in docs/ and the README, as one text."""
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))])


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Each command of the program with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


COMMANDS = list(commands(root, "qed"))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_each_command_and_flag_is_documented(path: str, command: click.Command) -> None:
    text = (DOCS / "command-line.md").read_text()
    assert path.removeprefix("qed ") in text
    flags = [name for param in command.params for name in param.opts if name.startswith("--")]
    assert [flag for flag in flags if not re.search(rf"{flag}(?![\w-])", text)] == []


def test_each_exit_code_is_documented() -> None:
    text = (DOCS / "command-line.md").read_text()
    names = {code: kind.code for kind, code in exit_codes.EXIT_CODES.items()}
    rows = {
        int(row[1]): row[0] for row in re.finditer(r"^\| *`?(\d+)`? *\|.*$", text, re.MULTILINE)
    }
    assert [code for code, name in names.items() if name not in rows.get(code, "")] == []
    assert {exit_codes.USAGE, exit_codes.BUG, exit_codes.INTERRUPTED} <= set(rows)


def test_each_route_is_documented() -> None:
    found = {
        path
        for room in ("server", "snapshot_store", "web")
        for file in python_files(SOURCE / room)
        for path in re.findall(r'"(/[a-z][\w/-]*)"', file.read_text())
    }
    assert "/events" in found
    text = documents()
    assert sorted(path for path in found if path not in text) == []


def test_each_metric_is_documented() -> None:
    rooms = ("server", "snapshot_store", "agents", "web")
    texts = {room: (SOURCE / room / "metrics.py").read_text() for room in rooms}
    found = {room: set(re.findall(r'"(qed_\w+)"', text)) for room, text in texts.items()}
    assert all(found.values())
    names = set().union(*found.values())
    text = documents()
    assert sorted(name for name in names if name not in text) == []


def test_each_kind_of_alert_is_documented_in_the_order_of_urgency() -> None:
    text = (DOCS / "agents.md").read_text().partition("Most urgent first:")[2]
    rows = re.findall(r"^\| `([a-z-]+)` \| ", text, re.MULTILINE)
    assert rows == list(KINDS)


def test_decisions_are_numbered_and_linked() -> None:
    pages = sorted(DECISIONS.glob("[0-9]*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    index = (DECISIONS / "README.md").read_text()
    for page in pages:
        title = page.read_text().splitlines()[0]
        assert title.startswith(f"# {page.name[:4]} "), page
        assert f"- [{page.name[:4]}]({page.name}) {title[7:]}\n" in index, page
        assert len(page.read_text().splitlines()) <= 60, f"{page} is more than half a page"


def test_links_lead_somewhere() -> None:
    broken = [
        f"{relative(path)}: {target}"
        for path in files(".md")
        for target in LINK.findall(path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_files_named_in_documents_and_comments_exist() -> None:
    missing = [
        f"{relative(path)}: {name}"
        for path in files(".md", ".py", ".pyx", ".pxi", ".c", ".h")
        for name in NAMED_FILE.findall(path.read_text())
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_the_glossary_is_in_order_and_defines_the_words_it_uses() -> None:
    rows = re.findall(
        r"^\| ([a-z ]+) \| (.*) \|$", (DOCS / "glossary.md").read_text(), re.MULTILINE
    )
    words = [word for word, _ in rows if word != "word"]
    assert words == sorted(words)
    used = {
        word.lower() for _, text in rows for word in re.findall(r"(?<!\*)\*([\w ]+)\*(?!\*)", text)
    }
    unknown = {word for word in used if word not in words and word.removesuffix("s") not in words}
    assert unknown == set()
