"""A bar on a terminal, nothing anywhere else."""

import io
import sys

from qed.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_piped_output_gets_no_bar(capsys):
    with progress_bar("adding") as report:
        assert report is None

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_terminal_gets_one_on_standard_error(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with progress_bar("adding", unit="bytes") as report:
        report(5, 10)
        report(10, 10)

    assert "adding" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_the_rate_is_shown_where_it_is_asked_for(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with progress_bar("replaying", unit="events", rate=True) as report:
        report(0, 100)
        report(50, 100)
        report(100, 100)

    assert "100 events, " in terminal.getvalue()
    assert "/s" in terminal.getvalue()


def test_an_unknown_end_is_fine(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with progress_bar("adding") as report:
        report(5, 0)
