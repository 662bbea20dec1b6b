"""The file of a receipt against c2sp.org/tlog-proof's own rules.

Where a vector has an `extra` of another application, ours is put in its place: a receipt's is
always there, and says what the leaf is.
"""

from __future__ import annotations

import base64

import pytest

from qed.client.receipt_text import format_receipt, parse_receipt
from qed.errors import VerificationError
from qed.signing.checkpoint import read_checkpoint
from receipt_log import extra_of, make_receipt, small_log
from vector_files import load

PROOFS = load("c2sp/tlog-proof.json")
THEIR_EXTRA = "extra YWdlLXYxLjIuMQ==\n"
LOG = small_log()
OUR_EXTRA = base64.b64encode(
    extra_of(format_receipt(make_receipt(LOG, "logged", LOG.snapshots[2].event_digest)))
).decode()


def named(cases):
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


def with_our_extra(text: str) -> str:
    return text.replace(THEIR_EXTRA, f"extra {OUR_EXTRA}\n")


@named(PROOFS["proofs"])
def test_proofs(case) -> None:
    text = with_our_extra(case["text"])
    if case["extra"] is None:
        with pytest.raises(VerificationError, match="extra"):
            parse_receipt(text.encode())
        first, _, rest = text.partition("\n")
        text = f"{first}\nextra {OUR_EXTRA}\n{rest}"
    found = parse_receipt(text.encode())
    assert found.index == case["index"]
    assert [base64.b64encode(value).decode() for value in found.path] == case["path"]
    assert found.note.decode() == case["checkpoint"]
    assert format_receipt(found) == text.encode()


@named(PROOFS["malformed"])
def test_files_that_are_no_proof(case) -> None:
    with pytest.raises(VerificationError) as caught:
        read(with_our_extra(case["text"]).encode())
    assert caught.value.step in {"receipt", "note"}


def read(data: bytes) -> None:
    """Read a file and the checkpoint in it, as step 1 of a receipt's verification does."""
    read_checkpoint(parse_receipt(data).note)
