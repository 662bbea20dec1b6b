"""Every printed form, byte for byte; written a second time from SPEC 8."""

import pytest

from pure_log import PureLog, event_digests
from qed.cli import forms
from qed.trees.values import NO_VERSION, IncrementalProof, Snapshot
from qed.wire import BackupEntry

DIGESTS = event_digests(3)
SNAPSHOT = Snapshot(7, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)


def test_the_form_of_a_snapshot():
    assert forms.format_snapshot(SNAPSHOT) == (
        "\nReceived snapshot with values:\n\n"
        f"    EventDigest: {'01' * 32}\n"
        f"    HyperDigest: {'03' * 32}\n"
        f"    HistoryDigest: {'02' * 32}\n"
        "    Version: 7\n\n"
    )


def test_the_form_of_a_published_snapshot():
    added = forms.format_snapshot(SNAPSHOT)
    assert forms.format_published(SNAPSHOT) == added.replace("Received", "Retrieved")


def test_the_forms_of_an_automatic_verification():
    good = forms.format_verdict(good=True)
    assert forms.format_auto_membership_check(b"\x01" * 32, 7) + good == (
        f"\nAuto-Verifying event with:\n\n    EventDigest: {'01' * 32}\n    Version: 7\n"
        "\nVerify: OK\n\n"
    )
    assert forms.format_auto_incremental_check(0, 3) + good == (
        "\nAuto-Verifying event with:\n\n    Start: 0\n    End: 3\n\nVerify: OK\n\n"
    )


@pytest.mark.parametrize(
    ("event", "version", "line"),
    [
        ("event 0", None, b"\nQuerying key [ event 0 ] with latest version\n"),
        ("event 0", 3, b"\nQuerying key [ event 0 ] with version [ 3 ]\n"),
        (None, None, b"\nQuerying digest [ " + b"01" * 32 + b" ] with latest version\n"),
        (None, 0, b"\nQuerying digest [ " + b"01" * 32 + b" ] with version [ 0 ]\n"),
        ("a\nb\té", None, "\nQuerying key [ a\nb\té ] with latest version\n".encode()),
        ("\udcff\udcfe", None, b"\nQuerying key [ \xff\xfe ] with latest version\n"),
    ],
)
def test_the_form_of_a_question(event, version, line):
    assert forms.format_membership_query(event, b"\x01" * 32, version) == line


def test_the_form_of_an_answer_for():
    log = PureLog()
    log.add(DIGESTS[:1])
    log.add(DIGESTS[1:2])

    assert forms.format_membership(log.membership(DIGESTS[0], 9)) == (
        "\nReceived membership proof:\n\n"
        "    Exists: true\n"
        "    Hyper audit path: <TRUNCATED>\n"
        "    History audit path: <TRUNCATED>\n"
        "    CurrentVersion: 1\n"
        "    QueryVersion: 9\n"
        "    ActualVersion: 0\n"
        f"    KeyDigest: {DIGESTS[0].hex()}\n\n"
    )


def test_the_form_of_an_answer_of_an_empty_log():
    assert forms.format_membership(PureLog().membership(DIGESTS[0])) == (
        "\nReceived membership proof:\n\n"
        "    Exists: false\n"
        "    Hyper audit path: <TRUNCATED>\n"
        "    History audit path: <TRUNCATED>\n"
        f"    CurrentVersion: {NO_VERSION}\n"
        f"    QueryVersion: {NO_VERSION}\n"
        f"    ActualVersion: {NO_VERSION}\n"
        f"    KeyDigest: {DIGESTS[0].hex()}\n\n"
    )


def test_the_prompts():
    assert forms.ask_hyper_digest(5) == (
        "Please, provide the hyperDigest for current version [ 5 ]: "
    )
    assert forms.ask_history_digest(3) == ("Please, provide the historyDigest for version [ 3 ] : ")
    assert forms.ask_start_digest(0) == (
        "Please, provide the starting historyDigest for version [ 0 ]: "
    )
    assert forms.ask_end_digest(3) == (
        "Please, provide the ending historyDigest for version [ 3 ] : "
    )


def test_the_form_of_a_membership_verification():
    form = forms.format_membership_check(b"\x01" * 32, b"\x03" * 32, b"\x02" * 32, 7)

    assert form + forms.format_verdict(good=True) == (
        "\nVerifying event with:\n\n"
        f"    EventDigest: {'01' * 32}\n"
        f"    HyperDigest: {'03' * 32}\n"
        f"    HistoryDigest: {'02' * 32}\n"
        "    Version: 7\n\n"
        "Verify: OK\n\n"
    )


def test_a_history_digest_that_is_not_needed_is_shown_as_nothing():
    form = forms.format_membership_check(b"\x01" * 32, b"\x03" * 32, b"", 7)

    assert "    HistoryDigest: \n" in form


def test_the_form_of_a_false_proof():
    assert forms.format_verdict(good=False) == "\nVerify: KO\n\n"


def test_the_forms_of_an_incremental_proof():
    assert forms.format_incremental_query(1, 2) == (
        "\nQuerying incremental between versions [ 1 ] and [ 2 ]\n"
    )
    assert forms.format_incremental(IncrementalProof(1, 2, {})) == (
        "\nReceived incremental proof:\n\n"
        "    Start version: 1\n"
        "    End version: 2\n"
        "    Incremental audit path: <TRUNCATED>\n\n"
    )
    form = forms.format_incremental_check(1, b"\x01" * 32, 2, b"\x02" * 32)
    assert form + forms.format_verdict(good=True) == (
        "\nVerifying with snapshots:\n"
        f"    HistoryDigest for start version [ 1 ]: {'01' * 32}\n"
        f"    HistoryDigest for end version [ 2 ]: {'02' * 32}\n\n"
        "Verify: OK\n\n"
    )


def test_the_form_of_a_list_of_backups(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    entries = [
        BackupEntry(1, 1563369206, 0, 4, "1"),
        BackupEntry(12, 1563369207, 3 * 2**30 - 1, 30, str(NO_VERSION)),
    ]

    assert forms.format_backups(entries) == (
        "Backup list:\n"
        "Id: 1\tTimestamp: 2019-07-17T13:13:26\tVersion: 1\tSize(GB): 0\tNum.Files: 4\t \n"
        "Id: 12\tTimestamp: 2019-07-17T13:13:27\tVersion: 18446744073709551615\tSize(GB): 2"
        "\tNum.Files: 30\t \n"
    )


def test_a_list_of_backups_that_others_made_keeps_its_lines():
    entries = [BackupEntry(1, 2**64 - 1, 0, 0, "\x1b[2Jx\nId: 9\té")]

    assert forms.format_backups(entries) == (
        "Backup list:\n"
        "Id: 1\tTimestamp: 18446744073709551615\tVersion: \\x1b[2Jx\\nId: 9\\té\t"
        "Size(GB): 0\tNum.Files: 0\t \n"
    )


def test_the_form_of_no_backups():
    assert forms.format_backups([]) == "Backup list:\n"


def test_what_is_said_when_something_is_done():
    assert forms.BACKUP_CREATED == "Backup created!\n"
    assert forms.BACKUP_DELETED == "Backup deleted!\n"
    assert forms.format_restored(2) == "Restore from backup 2 completed!\n"
    assert forms.format_restored(None) == "Restore from latest backup completed!\n"
