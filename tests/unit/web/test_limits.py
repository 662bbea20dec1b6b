from __future__ import annotations

import dataclasses
from pathlib import Path

from qed.web.limits import WebLimits

DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


def test_the_documented_bounds_are_the_ones_of_the_contract() -> None:
    assert WebLimits().body_bytes == 32 * 1024 * 1024
    assert WebLimits().request_events == 20_000


def test_every_bound_has_its_unit_in_its_name_and_its_row_in_the_docs() -> None:
    text = DOCS.read_text()
    for bound in dataclasses.fields(WebLimits):
        assert f"| `{bound.name}` | {bound.default:,} |" in text, bound.name
