from __future__ import annotations

import dataclasses
from pathlib import Path

from qed import wire
from qed.trees.values import NO_VERSION, Snapshot
from qed.web.limits import MAX_REQUEST_EVENTS, MIN_BODY_BYTES, WebLimits
from qed.wire.bounds import BOUNDS

DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


def test_the_documented_bounds_are_the_ones_of_the_contract() -> None:
    assert WebLimits().body_bytes == 32 * 1024 * 1024
    assert WebLimits().request_events == 20_000


def test_every_bound_has_its_unit_in_its_name_and_its_row_in_the_docs() -> None:
    text = DOCS.read_text()
    for bound in dataclasses.fields(WebLimits):
        assert f"| `{bound.name}` | {bound.default:,} |" in text, bound.name


def test_a_client_reads_the_answer_to_the_largest_request_that_can_be_allowed() -> None:
    longest = Snapshot(NO_VERSION, bytes(32), bytes(32), bytes(32))
    answer_bytes = len(wire.encode_snapshots([longest, longest])) * MAX_REQUEST_EVENTS // 2
    assert answer_bytes <= BOUNDS.snapshots_bytes


def test_every_question_fits_in_the_smallest_body_that_can_be_set() -> None:
    assert len(wire.encode_digest_query(bytes(32), NO_VERSION)) <= MIN_BODY_BYTES
    assert len(wire.encode_incremental_query(NO_VERSION, NO_VERSION)) <= MIN_BODY_BYTES
    assert len(wire.encode_add(bytes(700))) <= MIN_BODY_BYTES
