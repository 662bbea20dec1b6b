"""Which implementation of the hot bodies is used, and what is believed about it."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

import flat_texts
from qed.wire import bounds, encode_bulk, flat, flat_twin

CALLED = [
    *("encode_membership", "encode_incremental", "decode_membership", "decode_incremental"),
    *("encode_snapshot", "encode_snapshots", "digest_add", "digest_bulk"),
    *("read_digest_query", "read_membership_query", "read_incremental_query"),
]


def chosen(kernel: str, first: str = "pass") -> str:
    """Return the name and the reason of the choice in a process of its own."""
    code = f"import sys; {first}; from qed.wire import flat; print(flat.NAME, '|', flat.WHY_TWIN)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"QED_KERNEL": kernel},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_the_environment_decides():
    flat_texts.native("qed.wire._text")

    assert chosen("twin") == "twin (pure Python) | QED_KERNEL=twin asks for it"
    assert chosen("native").startswith("native (")
    assert chosen("").startswith("native (")


def test_without_the_native_module_the_twin_is_used():
    blocked = "sys.modules['qed.wire._text'] = None"

    assert "is not built, or does not load" in chosen("", blocked)
    assert "QED_KERNEL=native cannot be had" in chosen("native", blocked)


def test_a_native_module_that_errs_is_not_used():
    wrong = (
        "import types, qed.wire.flat_twin as twin; text = types.ModuleType('text');"
        " text.__dict__.update(vars(twin)); text.digest_add = lambda body: bytes(32);"
        " sys.modules['qed.wire._text'] = text"
    )
    found = chosen("", wrong)

    assert found.startswith("twin (pure Python) | ")
    assert found.endswith("is not used, because its digest_add differs from the twin's")
    assert "QED_KERNEL=native cannot be had" in chosen("native", wrong)


def test_the_self_test_calls_everything_and_sees_each_fault():
    assert flat.find_fault(flat_twin) is None
    for name in CALLED:
        broken = SimpleNamespace(**{**vars(flat_twin), name: lambda *_: b"?"})
        assert flat.find_fault(broken) == f"its {name} differs from the twin's"
        broken = SimpleNamespace(**{**vars(flat_twin), name: None})
        assert f"its {name} failed: TypeError" in flat.find_fault(broken)


def test_everything_is_from_one_of_the_two():
    for name in CALLED:
        if name != "digest_bulk":
            assert getattr(flat, name) is getattr(flat._chosen, name)
    assert flat.digest_bulk(encode_bulk([b"a", b"b"])) is not None


@pytest.mark.slow
def test_a_bulk_beyond_the_bound_of_a_request_is_left_to_the_exact_reader():
    events = [b"a"] * bounds.BOUNDS.request_values

    assert flat.digest_bulk(encode_bulk(events)) is None
    assert flat.digest_bulk(encode_bulk(events[1:])) is not None
