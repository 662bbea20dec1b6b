"""`qed client add`."""

from hashlib import sha256

from qed.errors import UnreachableError


def test_the_snapshot_is_printed(run, client):
    done = run("client", "add", "--event", "event 0")

    snapshot = client.log.snapshots[0]
    assert (done.code, done.err) == (0, "")
    assert done.text == (
        "\nReceived snapshot with values:\n\n"
        f"    EventDigest: {sha256(b'event 0').hexdigest()}\n"
        f"    HyperDigest: {snapshot.hyper_digest.hex()}\n"
        f"    HistoryDigest: {snapshot.history_digest.hex()}\n"
        "    Version: 0\n\n"
    )


def test_the_snapshot_is_a_document(run, client):
    done = run("client", "add", "--event", "event 0", "--json")

    assert done.document["HistoryDigest"] == client.log.snapshots[0].history_digest.hex()
    assert set(done.document) == {"EventDigest", "HyperDigest", "HistoryDigest", "Version"}


def test_a_failure_prints_no_snapshot(run, client):
    client.failure = UnreachableError("cannot connect")

    done = run("client", "add", "--event", "event 0")

    assert (done.code, done.out) == (24, b"")
    assert done.err == "Error: cannot connect\n"
