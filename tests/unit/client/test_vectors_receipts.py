"""`vectors/receipts.json`, for whoever writes another verifier: true receipts and false ones."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qed.client.receipt_text import format_receipt
from qed.client.receipts import verify_under_key
from qed.errors import VerificationError
from qed.signing.note import format_verifier_key, parse_verifier_key
from receipt_log import extra_of, make_receipt, one_of_each, small_log, with_extra

PATH = Path(__file__).parents[2] / "vectors" / "receipts.json"
VECTORS = json.loads(PATH.read_text())
KEY = parse_verifier_key(VECTORS["key"])


def make_vectors() -> dict[str, object]:
    """Return what the file holds; it is made once and read ever after."""
    log = small_log(origin="example.com/log")
    held = [
        {"kind": name.partition(" ")[0], "digest": digest.hex(), "file": data.decode()}
        for name, (digest, data) in one_of_each(log).items()
    ]
    return {
        "key": format_verifier_key(log.key),
        "held": held,
        "refused": [
            {"kind": kind, "digest": digest.hex(), "why": why, "file": data.decode()}
            for kind, digest, why, data in make_false_ones(log)
        ],
    }


def make_false_ones(log) -> Iterator[tuple[str, bytes, str, bytes]]:
    of_each = one_of_each(log)
    digest, data = of_each["logged"]
    other = log.snapshots[3].event_digest
    yield "logged", other, "the receipt of another event", data
    yield "newest", digest, "another kind than was asked", data
    yield "logged", digest, "a number with a sign", data.replace(b"index 2", b"index +2")
    yield "logged", digest, "lines that end otherwise", data.replace(b"\n", b"\r\n")
    spaced = with_extra(data, extra_of(data).replace(b":", b": "))
    yield "logged", digest, "JSON with spaces", spaced
    stranger = small_log(origin="example.com/log", seed=2)
    yield "logged", digest, "another key of the same name", one_of_each(stranger)["logged"][1]
    true = make_receipt(log, "logged", digest)
    ahead = replace(true, index=7, snapshot=replace(true.snapshot, version=7))
    yield "logged", digest, "an index beyond the size", format_receipt(ahead)
    digest = of_each["newest"][0]
    true = make_receipt(log, "newest", digest)
    older = replace(true.answer, query_version=5)
    yield "newest", digest, "asked as of before", format_receipt(replace(true, answer=older))
    digest = of_each["absent beside a leaf"][0]
    true = make_receipt(log, "absent", digest)
    bare = replace(true.answer, hyper_leaf=replace(true.answer.hyper_leaf, history={}))
    yield "absent", digest, "a leaf without its history", format_receipt(replace(true, answer=bare))
    none = format_receipt(replace(true, answer=replace(true.answer, hyper_leaf=None)))
    yield "absent", digest, "without the leaf that was met", none


def test_the_file_is_the_one_that_is_made():
    assert make_vectors() == VECTORS


@pytest.mark.parametrize("vector", VECTORS["held"])
def test_true_ones_hold(vector):
    digest = bytes.fromhex(vector["digest"])

    found = verify_under_key(vector["file"].encode(), KEY, digest=digest, kind=vector["kind"])

    assert found.size == 7


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_false_ones_are_refused(vector):
    digest = bytes.fromhex(vector["digest"])

    with pytest.raises(VerificationError):
        verify_under_key(vector["file"].encode(), KEY, digest=digest, kind=vector["kind"])
