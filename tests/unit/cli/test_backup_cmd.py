"""`qed backup create|list|delete`."""

from dataclasses import replace

import pytest

from qed.errors import UnavailableError

LINE = "Timestamp: 2019-07-17T13:13:26\tVersion: 1\tSize(GB): 2\tNum.Files: 4\t \n"


def test_a_backup_is_made_listed_and_deleted(run, client):
    created = run("backup", "create")
    run("backup", "create")
    listed = run("backup", "list")
    deleted = run("backup", "delete", "--backup-id", "1")

    assert (created.code, created.text, created.err) == (0, "Backup created!\n", "")
    assert (listed.code, listed.text) == (0, f"Backup list:\nId: 1\t{LINE}Id: 2\t{LINE}")
    assert (deleted.code, deleted.text) == (0, "Backup deleted!\n")
    assert list(client.entries) == [2]


def test_a_problem_is_said_beside_the_list_which_stays_as_it_is(run, client):
    run("backup", "create")
    run("backup", "create")
    sentence = "backup 2: /b/private/2/CURRENT is missing"
    client.entries[2] = replace(client.entries[2], problem=sentence)

    listed = run("backup", "list")
    document = run("backup", "list", "--json")

    assert (listed.code, listed.text) == (0, f"Backup list:\nId: 1\t{LINE}Id: 2\t{LINE}")
    assert listed.err == f"Problem: {sentence}\n"
    assert [entry.get("Problem") for entry in document.document["Backups"]] == [None, sentence]
    assert (document.code, document.err) == (0, f"Problem: {sentence}\n")


def test_a_problem_moves_no_cursor(run, client):
    run("backup", "create")
    client.entries[1] = replace(client.entries[1], problem="a\x1b[2J\nb\udcff")

    assert run("backup", "list").err == "Problem: a [2J b\n"


@pytest.mark.usefixtures("client")
def test_no_backups_are_an_empty_list(run):
    assert run("backup", "list").text == "Backup list:\n"
    assert run("backup", "list", "--json").document == {"Backups": []}


@pytest.mark.usefixtures("client")
def test_the_documents(run):
    assert run("backup", "create", "--json").document == {"Created": True}
    assert run("backup", "list", "--json").document["Backups"][0]["Size"] == 5 * 2**29
    assert run("backup", "delete", "--backup-id=1", "--json").document == {"Deleted": 1}


@pytest.mark.parametrize("action", ["create", "list"])
def test_a_failure_is_never_printed_as_success(run, client, action):
    client.failure = UnavailableError("the server failed: the disk is full")
    client.backups = client.create_backup

    done = run("backup", action)

    assert (done.code, done.out) == (20, b"")
    assert done.err == "Error: the server failed: the disk is full\n"


@pytest.mark.usefixtures("client")
def test_an_unknown_id_is_an_error(run):
    done = run("backup", "delete", "--backup-id", "7")

    assert (done.code, done.out) == (13, b"")


@pytest.mark.parametrize("words", [[], ["--backup-id", "0"], ["--backup-id", "x"]])
def test_delete_wants_an_id(run, client, words):
    assert run("backup", "delete", *words).code == 2
    assert client.fields == {}


@pytest.mark.usefixtures("client")
def test_the_manuals_place_for_log_is_taken(run):
    assert run("backup", "--log", "info", "list").code == 0
    assert run("backup", "list", "--log", "info").code == 0
