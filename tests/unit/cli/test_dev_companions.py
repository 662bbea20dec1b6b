"""What runs beside the server of `qed dev`: their command lines, and what becomes of each."""

import hashlib
import threading
from pathlib import Path

import pytest

from qed.cli import dev_companions
from qed.cli.dev_companions import Companions, Setting, agent_words, store_words
from qed.cli.main import root
from qed.errors import QedError
from qed.signing.note import ED25519, VerifierKey

LIMIT_S = 30.0
KEY = VerifierKey("qed/of a strange+name", ED25519, hashlib.sha256(b"public").digest())


@pytest.fixture(name="setting")
def setting_in(tmp_path: Path) -> Setting:
    return Setting(tmp_path, "http://127.0.0.1:1", "127.0.0.1:2", "warn")


def test_the_words_are_those_that_a_person_would_type(setting: Setting) -> None:
    for words in (
        store_words(setting, KEY),
        *(agent_words(setting, KEY, name) for name in dev_companions.AGENTS),
    ):
        # click parses the flags of each and refuses what it does not know.
        context = root.make_context("qed", list(words))
        name, group, rest = root.resolve_command(context, list(words))
        with group.make_context(name, rest, parent=context) as inner:
            name, command, rest = group.resolve_command(inner, [words[1], *words[2:]])
            command.make_context(name, rest, parent=inner)


def test_the_data_of_two_logs_is_kept_apart_and_below_the_directory(setting: Setting) -> None:
    other = VerifierKey(KEY.name, ED25519, hashlib.sha256(b"another").digest())
    places = [
        store_words(setting, key)[store_words(setting, key).index("--db-path") + 1]
        for key in (KEY, other)
    ]

    assert places[0] != places[1]
    assert all(Path(place).is_relative_to(setting.directory) for place in places)
    assert all("+" not in Path(place).parent.name and " " not in place for place in places)


def test_a_server_that_does_not_answer_is_told(setting: Setting) -> None:
    failed: list[QedError] = []
    done = threading.Event()

    def fail(error: QedError) -> None:
        failed.append(error)
        done.set()

    companions = Companions(setting, pytest.fail, fail, pytest.fail)
    companions.start()

    assert done.wait(LIMIT_S)
    companions.stop()
    assert failed[0].code == "unreachable"


def test_a_store_that_cannot_start_is_told_in_its_own_words(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_companions, "ask_key", lambda _source: KEY)
    monkeypatch.setattr(
        dev_companions, "store_words", lambda *_: ["store", "start", "--http-addr", "nonsense"]
    )
    failed: list[QedError] = []
    done = threading.Event()

    def fail(error: QedError) -> None:
        failed.append(error)
        done.set()

    companions = Companions(setting, pytest.fail, fail, pytest.fail)
    companions.start()

    assert done.wait(LIMIT_S)
    companions.stop()
    assert "the snapshot store did not start: " in failed[0].message
    assert str(setting.directory / "output" / "store.log") in failed[0].hint
    assert (setting.directory / "verifier-key").read_text().startswith(KEY.name)
