"""What is logged, at which level, in which form; always on standard error."""

import io
import json
import logging
import sys

import pytest
import structlog

from qed.cli import logs

LEVELS = ["off", "fatal", "error", "warn", "info", "debug", "trace"]


@pytest.fixture(autouse=True)
def _restored():
    yield
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each, logs._Handler)]
    root.setLevel(logging.WARNING)
    logging.getLogger("qed").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def say_everything(log):
    log.critical("at fatal")
    log.error("at error")
    log.warning("at warn")
    log.info("at info")
    log.debug("at debug")


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_shows_itself_and_what_is_worse(capsys, level):
    logs.configure(level)

    say_everything(logging.getLogger("qed.x"))

    said = [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"at {name}" for name in LEVELS[1 : LEVELS.index(level) + 1] if name != "trace"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_service_shows_the_same_through_structlog(capsys, level):
    logs.configure_service(level)

    say_everything(structlog.get_logger())

    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"at {name}" for name in LEVELS[1 : LEVELS.index(level) + 1] if name != "trace"]


def test_a_service_writes_one_object_a_line_where_no_terminal_is(capsys):
    logs.configure_service("info")

    structlog.get_logger().info("served", path="/events")
    logging.getLogger("qed.x").info("said")

    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["path"]) == ("served", "info", "/events")
    assert (second["event"], second["level"]) == ("said", "info")
    assert {"timestamp"} <= set(first) & set(second)


def test_a_service_writes_text_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure_service("info")

    structlog.get_logger().info("served", path="/events")

    assert "served" in terminal.getvalue()
    assert "{" not in terminal.getvalue()


def test_an_exception_keeps_its_traceback(capsys):
    for configure in (logs.configure, logs.configure_service):
        configure("info")
        try:
            int("inner")
        except ValueError:
            logging.getLogger("qed.x").exception("outer")
        assert "'inner'" in capsys.readouterr().err


def test_a_librarys_chatter_is_left_out_below_trace(capsys):
    logs.configure("debug")
    logging.getLogger("httpcore2").debug("noise")
    assert capsys.readouterr().err == ""

    logs.configure("trace")
    logging.getLogger("httpcore2").debug("noise")
    assert capsys.readouterr().err == "debug: noise\n"


def test_configuring_again_replaces_the_handler(capsys):
    logs.configure("info")
    logs.configure("info")

    logging.getLogger("qed.x").info("once")

    assert capsys.readouterr().err == "info: once\n"
