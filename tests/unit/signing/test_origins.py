"""What may be an origin, and that no two texts that a log's key signs begin alike."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import signers
from qed import signing
from qed.errors import MalformedError, VerificationError
from qed.signing import origins
from qed.signing.checkpoint import Checkpoint, format_checkpoint_text, parse_checkpoint_text
from qed.signing.note import NoteSigner, is_key_name
from qed.signing.origins import FIRST_LINES, check_origin

ROOM = Path(signing.__file__).parent


@pytest.mark.parametrize(
    "origin", ["a", "log.example/x", "qed-0011", "é.example", "qedx", "x" * 240, "a/e", "a/e1/b"]
)
def test_origins(origin) -> None:
    assert check_origin(origin) == origin
    assert is_key_name(origin)
    assert signers.signer(origin).verifier_key.name == origin
    assert signers.signer(f"{origin}/e1234567890123")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "qed",  # its first epoch would be qed/e1
        "qed/",
        "qed/x",
        "a b",
        "a+b",
        "a\n",
        "a\x00",
        "a\x7f",
        "a\u00a0",
        "a/e1",
        "a/e0123",
        "x" * 241,
        "é" * 121,
        "\ud800",
        *FIRST_LINES,
    ],
)
def test_what_is_no_origin(origin) -> None:
    with pytest.raises(MalformedError, match="cannot be an origin"):
        check_origin(origin)


def test_the_five_first_lines_exclude_each_other() -> None:
    assert len(set(FIRST_LINES)) == len(FIRST_LINES) == 4
    for line in FIRST_LINES:
        assert line.startswith(origins.RESERVED)
        with pytest.raises(MalformedError):
            check_origin(line)
        with pytest.raises(MalformedError):
            NoteSigner(signers.signer("a").key, line)
        with pytest.raises(VerificationError):
            parse_checkpoint_text(format_checkpoint_text(Checkpoint(line, 4, bytes(32))))


def test_none_signs_free_bytes() -> None:
    """The only calls of `sign` are in functions that make the text themselves, one a row."""
    signing_functions = set()
    for path in ROOM.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and calls_sign(function):
                signing_functions.add((path.stem, function.name))
    assert signing_functions == {
        ("checkpoint", "sign_checkpoint"),
        ("snapshot_signature", "sign_snapshot"),
        ("cosignature", "cosign"),  # by a cosigner's key, never by the log's
        # X.509's own texts, by a key that is made for them
        ("tls", "create_self_signed"),
        ("tls", "create_request"),
    }


def calls_sign(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.startswith("sign")
        for node in ast.walk(function)
    )


def test_a_signer_has_no_way_to_sign() -> None:
    public = {name for name in dir(NoteSigner) if not name.startswith("_")}
    assert public == {"key", "name", "verifier_key"}
    methods = {name for name in dir(signers.signer("a").key) if not name.startswith("_")}
    assert methods == {"seed", "public", "name"}
