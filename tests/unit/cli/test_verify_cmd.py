"""`qed verify`: a file, digests, a verdict; no server anywhere."""

import pytest

from pure_log import PureLog, event_digests
from qed.client.saved import SavedIncremental, SavedMembership, write_saved

DIGESTS = event_digests(3)
ZERO = "00" * 32


@pytest.fixture(name="log")
def log_of_three():
    log = PureLog()
    for digest in DIGESTS:
        log.add([digest])
    return log


@pytest.fixture(name="member")
def saved_membership(log, tmp_path):
    path = tmp_path / "member"
    write_saved(path, SavedMembership(DIGESTS[0], 1, log.membership(DIGESTS[0], 1)))
    hyper, history = log.snapshots[2].hyper_digest, log.snapshots[1].history_digest
    return str(path), ("--hyper-digest", hyper.hex(), "--history-digest", history.hex())


@pytest.fixture(name="growth")
def saved_incremental(log, tmp_path):
    path = tmp_path / "growth"
    write_saved(path, SavedIncremental(0, 2, log.incremental(0, 2)))
    start, end = (log.snapshots[at].history_digest.hex() for at in (0, 2))
    return str(path), ("--start-digest", start, "--end-digest", end)


@pytest.mark.parametrize("kind", ["member", "growth"])
def test_a_saved_proof_is_verified(run, kind, request):
    path, flags = request.getfixturevalue(kind)

    done = run("verify", path, *flags)

    assert (done.code, done.err) == (0, "")
    assert done.text.endswith("\nVerify: OK\n\n")
    assert run("verify", path, *flags, "--json").document["Verify"] == "OK"


@pytest.mark.parametrize("kind", ["member", "growth"])
@pytest.mark.parametrize("which", [1, 3])
def test_a_wrong_digest_is_ko(run, kind, which, request):
    path, flags = request.getfixturevalue(kind)
    wrong = [*flags[:which], ZERO, *flags[which + 1 :]]

    done = run("verify", path, *wrong)

    assert done.code == 30
    assert done.text.endswith("\nVerify: KO\n\n")


@pytest.mark.parametrize(("kind", "version"), [("member", 1), ("growth", 2)])
def test_a_missing_digest_is_named_with_its_version(run, kind, version, request):
    path, flags = request.getfixturevalue(kind)

    done = run("verify", path, *flags[:2])

    assert done.code == 2
    assert f"this proof needs {flags[2]}, of version {version}" in done.err


@pytest.mark.parametrize(
    ("kind", "foreign"), [("member", "--end-digest"), ("growth", "--hyper-digest")]
)
def test_a_digest_of_the_other_kind_is_not_passed_over(run, kind, foreign, request):
    path, flags = request.getfixturevalue(kind)

    done = run("verify", path, *flags, foreign, ZERO)

    assert done.code == 2
    assert f"has no use for {foreign}" in done.err


def test_a_changed_file_is_refused(run, member, tmp_path):
    path, flags = member
    text = (tmp_path / "member").read_text()
    (tmp_path / "member").write_text(text.replace('"Version":1', '"Version":2', 1))

    assert run("verify", path, *flags).code in {11, 30}


def test_a_file_that_is_none_is_refused(run, tmp_path):
    (tmp_path / "other").write_bytes(b"{}")

    assert run("verify", str(tmp_path / "other")).code == 11
    assert run("verify", str(tmp_path / "no")).code == 13


def test_the_answer_of_an_empty_log_proves_nothing(run, tmp_path):
    path = tmp_path / "empty"
    write_saved(path, SavedMembership(DIGESTS[0], None, PureLog().membership(DIGESTS[0])))

    done = run("verify", str(path), "--hyper-digest", ZERO, "--history-digest", ZERO)

    assert done.code == 15
    assert "the log is empty" in done.err
