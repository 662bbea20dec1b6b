"""What `--json` prints."""

import json

from pure_log import PureLog, event_digests
from qed import wire
from qed.cli import documents
from qed.trees.values import Snapshot

DIGESTS = event_digests(2)


def test_a_snapshot_has_its_digests_in_hex():
    snapshot = Snapshot(7, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)

    assert documents.snapshot_document(snapshot) == {
        "EventDigest": "01" * 32,
        "HyperDigest": "03" * 32,
        "HistoryDigest": "02" * 32,
        "Version": 7,
    }


def test_a_membership_answer_carries_the_proof_as_it_came():
    log = PureLog()
    log.add(DIGESTS)
    proof = log.membership(DIGESTS[0], 5)

    document = documents.membership_document(proof, verified=True)

    assert wire.decode_membership(wire.encode_membership(proof)) == proof
    assert document["Proof"] == json.loads(wire.encode_membership(proof))
    assert (document["Exists"], document["CurrentVersion"], document["QueryVersion"]) == (
        True,
        1,
        5,
    )
    assert (document["ActualVersion"], document["KeyDigest"]) == (0, DIGESTS[0].hex())
    assert document["Verify"] == "OK"


def test_an_incremental_answer_carries_the_proof_as_it_came():
    log = PureLog()
    log.add(DIGESTS)
    proof = log.incremental(0, 1)

    document = documents.incremental_document(proof, verified=False)

    assert document == {
        "Start": 0,
        "End": 1,
        "Verify": None,
        "Proof": json.loads(wire.encode_incremental(proof)),
    }


def test_a_list_of_backups_has_exact_times_and_sizes():
    entry = wire.BackupEntry(3, 1563369206, 12345, 4, "1")

    shown = {"Id": 3, "Timestamp": 1563369206, "Version": "1", "Size": 12345, "NumFiles": 4}
    assert documents.backups_document([entry]) == {"Backups": [shown]}

    damaged = wire.BackupEntry(3, 1563369206, 12345, 4, "1", "backup 3: x is missing")
    assert documents.backups_document([damaged]) == {
        "Backups": [{**shown, "Problem": "backup 3: x is missing"}]
    }
