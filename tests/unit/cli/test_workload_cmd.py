"""`qed workload`: flags into a plan, a result into a table or a document, errors into codes."""

import contextlib
import dataclasses

import click
import pytest

from answering_log import answering_log
from qed.cli import exit_codes, workload_cmd
from qed.cli.workload_cmd import Mix, Rate
from qed.workload import runner


@pytest.fixture(name="plan_of")
def plan_of_words(run, monkeypatch):
    """Give a function that returns the plan that words stand for."""

    def plan_of(*words):
        seen = []

        def take(plan, *, progress):
            assert progress is None  # standard error is no terminal
            seen.append(plan)
            raise KeyboardInterrupt

        monkeypatch.setattr(runner, "run", take)
        assert run("workload", *words).code == exit_codes.INTERRUPTED
        return seen[0]

    return plan_of


def test_qeds_flags_have_qeds_defaults(plan_of):
    plan = plan_of("--kind", "add")

    assert plan.endpoints == ("http://localhost:8800",)
    assert (plan.num_requests, plan.bulk_size, plan.offset) == (100_000, 20, 0)
    assert (plan.incremental_delta, plan.connections, plan.insecure) == (1000, 10, False)
    assert (plan.rate, plan.duration_s, plan.warmup_s, plan.seed) == (None, None, 0.0, None)


def test_each_flag_is_a_field(plan_of):
    plan = plan_of(
        "--kind=mixed",
        "--endpoints=https://a:1,https://b:2",
        "--endpoints=https://c",
        "--num-requests=7",
        "--bulk-size=8",
        "--offset=9",
        "--incremental-delta=10",
        "--max-go-routines=11",
        "--insecure",
        "--duration=1m5s",
        "--warmup=2s",
        "--rate=12.5",
        "--mix=add=1,incremental=3",
        "--size=13",
        "--seed=14",
        "--label=line ",
        "--verify=all",
        "--alone",
        "--timeout=15s",
    )

    assert plan.endpoints == ("https://a:1", "https://b:2", "https://c")
    assert (plan.kind, plan.num_requests, plan.bulk_size, plan.offset) == ("mixed", 7, 8, 9)
    assert (plan.incremental_delta, plan.connections, plan.insecure) == (10, 11, True)
    assert (plan.duration_s, plan.warmup_s, plan.rate, plan.timeout_s) == (65.0, 2.0, 12.5, 15.0)
    assert plan.mix == (("add", 1), ("incremental", 3))
    assert (plan.size, plan.seed, plan.label) == (13, 14, "line ")
    assert (plan.verify, plan.alone) == ("all", True)


def test_what_qed_has_besides_is_accepted(plan_of):
    assert plan_of("--kind", "add", "--api-key", "k", "--offload", "--profiling").kind == "add"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say --kind: one of add, bulk"),
        (["--kind", "adds"], "adds"),
        (["--kind", "add", "--mix", "add=1"], "only with --kind mixed"),
        (["--kind", "mixed", "--mix", "add"], "not a kind and its weight"),
        (["--kind", "mixed", "--mix", "add=x"], "not a kind and its weight"),
        (["--kind", "mixed", "--mix", "sub=1"], "mix has 'sub'"),
        (["--kind", "add", "--rate", "0"], "not a number above 0"),
        (["--kind", "add", "--rate", "1e3"], "not a number above 0"),
        (["--kind", "add", "--rate", "fast"], "not a number above 0"),
        (["--kind", "add", "--endpoints", "localhost:8800"], "scheme"),
        (["--kind", "add", "--endpoints", "[]"], "endpoints is empty"),
        (["--kind", "add", "--num-requests", "0"], "not a number from 1"),
        (["--kind", "add", "--offset", "-1"], "not a number from 0"),
        (["--kind", "add", "--duration", "0s"], "--duration"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, words, said):
    done = run("workload", *words)

    assert (done.code, done.out) == (exit_codes.USAGE, b"")
    assert said in done.err


@pytest.mark.parametrize("text", ["1", "0.5", "12.25", "1000000"])
def test_rates(text):
    assert Rate().convert(text, None, None) == float(text)


@pytest.mark.parametrize("text", ["", ".", "-1", "1000001", "nan", "inf", "1_0", "\u0661"])
def test_no_rates(text):
    with pytest.raises(click.BadParameter):
        Rate().convert(text, None, None)


def test_mixes():
    assert Mix().convert("add=1, bulk=20", None, None) == (("add", 1), ("bulk", 20))


def test_a_run_prints_its_table(run):
    with answering_log() as server:
        done = run("workload", "--kind=add", "--num-requests=30", f"--endpoints={server.endpoint}")

    assert (done.code, done.err) == (0, "")
    lines = done.text.splitlines()
    assert lines[1].split()[:4] == ["add", "30", "30", "0"]
    assert "added: 30 events, versions 0 to 29; the next event is number 30" in lines


def test_json_is_one_document(run):
    with answering_log() as server:
        words = ["--kind=bulk", "--num-requests=30", f"--endpoints={server.endpoint}", "--json"]
        done = run("workload", *words)

    assert done.code == 0
    assert (done.document["Requests"], done.document["Items"]) == (2, 30)
    assert done.document["Error"] is None


def lying(said):
    said.body = said.body.replace(b'"Version":7', b'"Version":2')


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_false_answer_is_told_with_what_was_measured(run, json):
    with answering_log(lying) as server:
        words = ["--kind=add", "--num-requests=30", f"--endpoints={server.endpoint}"]
        done = run("workload", *words, "--max-go-routines=1", *json)

    assert done.code == 30
    assert "Error: add of event 7: version 2 was acknowledged" in done.err
    if json:
        assert done.document["Requests"] == 7
        assert done.document["Error"]["step"] == "order"
    else:
        assert "WRONG: the server's answer is false" in done.text


def failing(said):
    if said.number == 4:
        said.status, said.body = 500, b"the disk failed\n"


def test_requests_that_failed_are_told_and_an_exit_code(run):
    with answering_log(failing) as server:
        words = ["--kind=add", "--num-requests=30", f"--endpoints={server.endpoint}"]
        done = run("workload", *words)

    assert done.code == 20
    assert "errors: status 500 1; the first: the server failed: the disk failed" in done.text
    assert "Error: 1 of" in done.err


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_nobody_there_is_unreachable(run, json):
    with answering_log() as server:
        pass

    done = run("workload", "--kind=add", f"--endpoints={server.endpoint}", *json)

    assert done.code == 24
    assert "cannot connect" in done.err
    assert (b"unreachable" in done.out) == bool(json)


def test_an_interrupted_run_tells_what_it_measured(run, monkeypatch):
    whole = runner.run

    def interrupted(plan, *, progress):
        return dataclasses.replace(whole(plan, progress=progress), interrupted=True)

    monkeypatch.setattr(runner, "run", interrupted)
    with answering_log() as server:
        words = ["--kind=add", "--num-requests=30", f"--endpoints={server.endpoint}"]
        done = run("workload", *words)

    assert done.code == exit_codes.INTERRUPTED
    assert "interrupted: this is what was measured until then" in done.text


def test_a_plain_install_says_what_would_help(plain_install):
    with answering_log() as server:
        words = ["--kind=add", "--num-requests=3", f"--endpoints={server.endpoint}"]
        done = plain_install("workload", *words)

    assert done.returncode == 0, done.stderr
    assert "uvloop is not installed" in done.stderr
    assert "'qed[server]'" in done.stderr


def test_a_terminal_sees_a_bar(run, monkeypatch):
    told = []

    def fake_bar(label, *, unit):
        told.append((label, unit))
        return contextlib.nullcontext(lambda done, total: told.append((done, total)))

    monkeypatch.setattr(workload_cmd, "progress_bar", fake_bar)
    with answering_log() as server:
        words = ["--kind=add", "--num-requests=30", f"--endpoints={server.endpoint}"]
        run("workload", *words)
        run("workload", *words, "--duration=20ms", "--warmup=10ms")

    assert ("workload add", "requests") in told
    assert ("workload add", "seconds") in told
    assert (0, 30) in told
