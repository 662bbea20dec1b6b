"""Results on standard output, everything else on standard error; a closed or full output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qed.cli import output
from qed.errors import LockedError, VerificationError


def test_a_form_is_written_byte_for_byte(capsysbinary):
    output.emit("a\n\té\udcff")
    output.emit(b"\xfe\r\n")

    assert capsysbinary.readouterr().out == b"a\n\t\xc3\xa9\xff\xfe\r\n"


def test_a_document_is_one_line(capsys):
    output.emit_document({"a": [1, "é"]})

    assert capsys.readouterr().out == '{"a": [1, "\\u00e9"]}\n'


def test_a_remark_goes_to_standard_error(capsys):
    output.remark("a word")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a word\n")


def test_a_remark_moves_no_terminal(capsys):
    output.remark("one\x1b[2J\r\x9b31m\x7f\u202etwo\n\tthree é\u2014")

    assert capsys.readouterr().err == ("one\\x1b[2J\\r\\x9b31m\\x7f\\u202etwo\n\tthree é\u2014\n")


def test_a_remark_that_nobody_can_read_stops_nothing():
    code = (
        "import os, sys; from qed.cli import output; r, w = os.pipe(); os.close(r); os.dup2(w, 2);"
        "output.remark('x'); sys.exit(main.run(['nope']))"
    )

    assert run_apart(code, subprocess.DEVNULL) == (2, "")


def test_an_error_carries_its_code_sentence_and_hint():
    assert output.describe_error(LockedError("in use", hint="wait")) == {
        "error": {"code": "locked", "message": "in use", "hint": "wait"}
    }


def test_a_false_proof_carries_the_check_that_failed():
    fields = output.describe_error(VerificationError("false", step="hyper-root"))["error"]

    assert fields["step"] == "hyper-root"


def run_apart(code, stdout):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"from qed.cli import main; {code}"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        check=False,
    )
    return done.returncode, done.stderr.decode()


def test_a_closed_output_ends_the_command_without_a_word():
    code = (
        "import os, sys; from qed.cli import output; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
        "main.root.callback = lambda: None;"
        "main._call = lambda words: output.emit('x'); sys.exit(main.run([]))"
    )

    assert run_apart(code, subprocess.DEVNULL) == (1, "")


@pytest.mark.parametrize(
    ("closed", "words", "code"),
    [
        (">&-", "version", 1),
        (">&- 2>&-", "version", 1),
        ("2>&-", "version", 0),
        ("2>&-", "client bulk - --skip-empty", 0),
        ("<&-", "client bulk -", 0),
        ("<&-", "client add --event-file -", 11),
        ("<&- >&- 2>&-", "nope", 2),
    ],
)
def test_a_stream_that_the_caller_has_closed_is_no_bug(closed, words, code):
    script = f"exec {sys.executable} -m qed {words} {closed}"
    done = subprocess.run(["/bin/sh", "-c", script], input=b"", capture_output=True, check=False)

    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_no_file_gets_the_number_of_a_stream_that_the_caller_has_closed(tmp_path):
    code = (
        "import sys; from qed.cli import main, output;"
        "main.run = lambda words: open(sys.argv[1], 'w').write(str(open(sys.argv[1]).fileno()));"
        "main.main()"
    )
    script = f'exec {sys.executable} -c "{code}" {tmp_path / "number"} <&- >&- 2>&-'
    subprocess.run(["/bin/sh", "-c", script], check=False)

    assert int((tmp_path / "number").read_text()) > 2


def test_a_full_output_is_an_error():
    code = "import sys; sys.exit(main.run(['version']))"
    with Path("/dev/full").open("wb") as full:
        left, said = run_apart(code, full)

    assert left == 42
    assert said.startswith("Error: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_told_to_people_always_and_to_machines_when_asked(capsys, as_json):
    output.tell_error(output.describe_error(LockedError("in use")), as_json=as_json)

    captured = capsys.readouterr()
    assert captured.err == "Error: in use\n"
    assert bool(captured.out) is as_json
