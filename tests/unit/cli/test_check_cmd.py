"""`qed check`: a database in order, a missing one, one in use."""

from hashlib import sha256

import pytest

from qed.engine.log import Log


@pytest.fixture(name="db")
def log_of_two_groups(tmp_path):
    db = tmp_path / "db"
    with Log.create(db, origin="log.example", node_id="node") as log:
        log.append([sha256(b"event 0").digest()])
        log.append([sha256(b"event 1").digest(), sha256(b"event 2").digest()])
    return db


def test_a_database_in_order_is_described(run, db):
    done = run("check", str(db))

    with Log.open(db) as log:
        head = log.head
    assert (done.code, done.err) == (0, "")
    assert done.text == (
        f"{db}: every root agrees with the events\n"
        "    Events: 3\n"
        "    Groups: 2\n"
        f"    HyperDigest: {head.hyper_digest.hex()}\n"
        f"    HistoryDigest: {head.history_digest.hex()}\n"
        "    Origin: log.example\n"
    )


def test_the_path_is_also_a_flag(run, db):
    assert run("check", "--db-path", str(db)).code == 0
    assert run("check", str(db), "--db-path", str(db)).code == 0
    assert run("check", str(db), "--db-path", "/else").code == 2


def test_the_document(run, db):
    document = run("check", str(db), "--json").document

    assert (document["Events"], document["Groups"], document["NodeId"]) == (3, 2, "node")
    assert document["IndexRebuilt"] is False


def test_the_index_is_made_again_when_asked(run, db):
    done = run("check", str(db), "--rebuild-index")

    assert done.code == 0
    assert done.text.endswith("The derived index was made again.\n")


def test_without_a_path_the_default_is_checked(run, tmp_path):
    done = run("check")

    assert done.code == 13
    assert str(tmp_path / "data" / "qed" / "db") in done.err
    assert not (tmp_path / "data").exists()


def test_a_database_in_use_is_left_alone(run, db):
    with Log.open(db):
        done = run("check", str(db))

    assert (done.code, done.out) == (22, b"")
    assert "in use" in done.err


def test_a_file_is_no_database(run, tmp_path):
    (tmp_path / "file").write_bytes(b"")

    assert run("check", str(tmp_path / "file")).code in {13, 14, 42}
