"""Which digests are asked for, and how the verdict is told."""

from dataclasses import replace

import click
import pytest

from pure_log import PureLog, event_digests, flip_bit
from qed.cli import verification
from qed.client.saved import SavedIncremental, SavedMembership
from qed.errors import NotProvenError, NotPublishedError, VerificationError

DIGESTS = event_digests(8)


@pytest.fixture(name="log")
def log_of_four():
    log = PureLog()
    for digest in DIGESTS[:4]:
        log.add([digest])
    return log


@pytest.fixture(name="ask")
def asked_digests(log):
    """Answer a prompt with the digest that it asks for, and keep what was asked."""

    class Ask:
        def __init__(self):
            self.asked = []

        def __call__(self, prompt, flag):
            version = int(prompt.partition("[ ")[2].partition(" ]")[0])
            self.asked.append((flag, version))
            snapshot = log.snapshots[version]
            return snapshot.hyper_digest if flag == "--hyper-digest" else snapshot.history_digest

    return Ask()


@pytest.fixture(name="ctx")
def context():
    return click.Context(click.Command("verify"))


@pytest.fixture(name="membership")
def check_of_membership(log, ctx, ask):
    def check(digest, version=None, *, of=log, by=ask, **given):
        saved = SavedMembership(digest, version, of.membership(digest, version))
        digests = {"hyper_digest": None, "history_digest": None} | given
        verification.check_membership(ctx, saved, ask=by, **digests)

    return check


@pytest.mark.parametrize(
    ("version", "history_version"), [(None, 3), (0, 0), (2, 2), (3, 3), (9, 3), (2**64 - 1, 3)]
)
def test_an_event_is_proven_as_of_the_version_asked_for(membership, ask, version, history_version):
    membership(DIGESTS[0], version)

    assert ask.asked == [("--hyper-digest", 3), ("--history-digest", history_version)]


def test_absence_with_a_neighbour_is_proven_as_of_the_current_version(membership):
    log = PureLog()
    near = flip_bit(DIGESTS[0], 3)
    log.add([DIGESTS[0]])
    log.add([DIGESTS[1]])
    asked = []

    def ask(prompt, flag):
        asked.append((flag, prompt))
        snapshot = log.snapshots[1]
        return snapshot.hyper_digest if flag == "--hyper-digest" else snapshot.history_digest

    membership(near, 0, of=log, by=ask)

    assert [flag for flag, _ in asked] == ["--hyper-digest", "--history-digest"]
    assert asked[1][1] == "Please, provide the historyDigest for version [ 1 ] : "


def test_absence_at_an_empty_place_needs_no_history(membership, log, ask):
    assert log.membership(DIGESTS[7]).hyper_leaf is None

    membership(DIGESTS[7])

    assert ask.asked == [("--hyper-digest", 3)]


def test_nothing_is_asked_for_that_was_given(membership, log, ask):
    last = log.snapshots[3]

    given = {"hyper_digest": last.hyper_digest, "history_digest": last.history_digest}
    membership(DIGESTS[0], **given)

    assert ask.asked == []


def test_a_good_proof_is_told(membership, capsys):
    membership(DIGESTS[0])

    assert capsys.readouterr().out.endswith("    Version: 3\n\nVerify: OK\n\n")


def test_a_false_proof_is_told_and_raised(membership, capsys):
    with pytest.raises(VerificationError):
        membership(DIGESTS[0], hyper_digest=bytes(32))

    assert capsys.readouterr().out.endswith("\n\nVerify: KO\n\n")


def test_an_empty_log_has_nothing_to_verify_against(membership, ask, capsys):
    with pytest.raises(NotProvenError, match="the log is empty"):
        membership(DIGESTS[0], of=PureLog())

    assert ask.asked == []
    assert capsys.readouterr().out == ""


@pytest.fixture(name="incremental")
def check_of_increment(log, ctx, ask):
    def check(start, end, **given):
        saved = SavedIncremental(start, end, log.incremental(start, end))
        digests = {"start_digest": None, "end_digest": None} | given
        verification.check_incremental(ctx, saved, ask=ask, **digests)

    return check


def test_both_ends_are_asked_for(incremental, ask, capsys):
    incremental(1, 3)

    assert ask.asked == [("--start-digest", 1), ("--end-digest", 3)]
    assert capsys.readouterr().out.endswith("\n\nVerify: OK\n\n")


def test_a_false_increment_is_told_and_raised(incremental, capsys):
    with pytest.raises(VerificationError):
        incremental(1, 3, start_digest=bytes(32))

    assert capsys.readouterr().out.endswith("\n\nVerify: KO\n\n")


@pytest.mark.parametrize("first", [True, False])
def test_two_digests_of_one_version_are_never_both_right(incremental, log, capsys, first):
    good, bad = log.snapshots[2].history_digest, bytes(32)
    digests = (good, bad) if first else (bad, good)

    with pytest.raises(VerificationError, match="two different"):
        incremental(2, 2, start_digest=digests[0], end_digest=digests[1])

    assert "Verify: OK" not in capsys.readouterr().out


def test_one_version_extends_itself(incremental, ask):
    incremental(2, 2)

    assert ask.asked == [("--start-digest", 2), ("--end-digest", 2)]


@pytest.mark.parametrize(
    ("digest", "version", "asked"),
    [(0, None, [3]), (0, 1, [3, 1]), (0, 3, [3]), (1, 9, [3])],
)
def test_published_snapshots_are_fetched_once_the_newest_first(log, ctx, digest, version, asked):
    saved = SavedMembership(DIGESTS[digest], version, log.membership(DIGESTS[digest], version))
    fetched = []

    def fetch(number):
        fetched.append(number)
        return log.snapshots[number]

    verification.auto_check_membership(ctx, saved, fetch)
    assert fetched == asked
    fetched.clear()
    growth = SavedIncremental(1, 3, log.incremental(1, 3))
    verification.auto_check_incremental(ctx, growth, fetch)
    assert fetched == [3, 1]


def test_absence_is_verified_with_published_snapshots_too(log, ctx, capsysbinary):
    saved = SavedMembership(DIGESTS[7], None, log.membership(DIGESTS[7]))
    verification.auto_check_membership(ctx, saved, lambda number: log.snapshots[number])
    assert capsysbinary.readouterr().out.endswith(b"\nVerify: OK\n\n")
    with pytest.raises(VerificationError):
        verification.auto_check_membership(
            ctx, saved, lambda number: replace(log.snapshots[number], hyper_digest=bytes(32))
        )
    assert capsysbinary.readouterr().out.endswith(b"\nVerify: KO\n\n")


def test_what_is_not_published_gets_no_verdict(log, ctx, capsysbinary):
    def late(number):
        raise NotPublishedError(f"version {number} is not published yet")

    saved = SavedMembership(DIGESTS[0], None, log.membership(DIGESTS[0]))
    with pytest.raises(NotPublishedError):
        verification.auto_check_membership(ctx, saved, late)
    assert b"Verify:" not in capsysbinary.readouterr().out
    empty = PureLog()
    with pytest.raises(NotProvenError):
        verification.auto_check_membership(
            ctx, SavedMembership(DIGESTS[0], None, empty.membership(DIGESTS[0])), late
        )
