"""The second verifier, which knows docs/receipts.md alone, and ours: one verdict on every file."""

import base64
import importlib.util
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from qed.client.receipt_text import format_receipt
from qed.client.receipts import verify_receipt
from qed.errors import QedError
from qed.signing.note import format_verifier_key, parse_verifier_key
from qed.signing.policy import policy_of_key
from receipt_log import (
    beside,
    changed_receipts,
    extra_of,
    flips,
    make_receipt,
    one_of_each,
    small_log,
    with_extra,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "second_verifier.py"
PAGE = (ROOT / "docs" / "receipts.md").read_text()
LOG = small_log()
KEY = format_verifier_key(LOG.key)
POLICY = policy_of_key(LOG.key)
OF_EACH = one_of_each(LOG)


def load():
    spec = importlib.util.spec_from_file_location("second_verifier", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SECOND = load()


def first_accepts(data: bytes, digest: bytes, kind: str) -> bool:
    try:
        verify_receipt(data, policy=POLICY, digest=digest, kind=kind)
    except QedError:
        return False
    return True


def second_accepts(data: bytes, digest: bytes, kind: str, key: str = KEY) -> bool:
    try:
        SECOND.verify(key, data, digest, kind)
    except Exception:  # noqa: BLE001 (whatever it raises, it has not accepted)
        return False
    return True


def agree(data: bytes, digest: bytes, kind: str) -> bool:
    """Return the verdict of both; two verdicts are a failure."""
    verdict = first_accepts(data, digest, kind)
    assert second_accepts(data, digest, kind) == verdict, data
    return verdict


def test_it_is_short_and_knows_nothing_of_qed():
    lines = EXAMPLE.read_text().splitlines()

    assert len(lines) <= 100
    imported = [
        line.split()[1].split(".")[0] for line in lines if re.match(r"(from|import) ", line)
    ]
    assert set(imported) - {"cryptography"} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", OF_EACH)
def test_both_accept_what_is_true(name):
    digest, data = OF_EACH[name]
    kind = name.partition(" ")[0]

    assert agree(data, digest, kind)
    assert not agree(data, sha256(b"other").digest(), kind)
    for other in {"logged", "newest", "absent"} - {kind}:
        assert not agree(data, digest, other)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 12])
def test_both_accept_receipts_of_logs_of_every_shape(size):
    log = small_log(size)
    for version in range(size):
        digest = log.snapshots[version].event_digest
        for kind, about in (("logged", digest), ("newest", digest), ("absent", beside(digest))):
            data = format_receipt(make_receipt(log, kind, about))
            assert agree(data, about, kind)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_EACH)
def test_both_refuse_changed_bytes(name):
    """Some thousand mutants: another byte, a byte more or less, two lines exchanged."""
    digest, data = OF_EACH[name]
    kind = name.partition(" ")[0]
    draw = random.Random(name)  # noqa: S311 (which mutants, and nothing secret)
    lines = data.split(b"\n")
    mutants = [
        changed for place, _, changed in flips(data, (draw.choice((1, 4, 32)),)) if place % 3
    ]
    for place in draw.sample(range(len(data)), 300):
        mutants += [data[:place] + data[place + 1 :], data[:place] + b"A" + data[place:]]
    for at in range(len(lines) - 1):
        mutants.append(b"\n".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]))
    for mutant in mutants:
        if mutant != data:
            assert not agree(mutant, digest, kind)


def changed_extras(extra: bytes) -> Iterator[bytes]:
    """Yield other spellings of the JSON, and other values of its fields."""
    fields = json.loads(extra)
    for old, new in (
        (b":", b": "),
        (b'"Kind"', b'"\\u004bind"'),
        (b'"Version":', b'"Version":0'),
        (b'"Version":', b'"Version":-'),
        (b'"Version":2', b'"Version":2.0'),
        (b'"Version":6', b'"Version":6.0'),
        (b'"Version":6', b'"Version":6e0'),
        (b'"QueryVersion":6', b'"QueryVersion":6.0'),
        (b'"CurrentVersion":6', b'"CurrentVersion":6.0'),
        (b'"ActualVersion":6', b'"ActualVersion":6.0'),
        (b'"Exists":true', b'"Exists":1'),
        (b'"Exists":false', b'"Exists":0'),
        (b'"History":null', b'"History":{}'),
        (b'"Key":null', b'"Key":""'),
        (b'"Key":null', b'"Key":null,"Key":null'),
        (b'"Format"', b'"Format":"qed/receipt/v1","Format"'),
        (b"receipt/v1", b"receipt/v2"),
        (b"}}", b"}}\n"),
        (b'"HyperLeaf":null', b'"HyperLeaf":0'),
        (b'"HyperLeaf":null', b'"HyperLeaf":{}'),
    ):
        yield extra.replace(old, new, 1)
    for name in fields:
        yield dump({key: value for key, value in fields.items() if key != name})
    for part in filter(None, (fields["Snapshot"], fields["Answer"])):
        for name, value in list(part.items()):
            for other in (None, 0, 1, 7, 2**64, "", "AA==", "A" * 43 + "=", {}, [], True):
                part[name] = other
                yield dump(fields)
            part[name] = value
            if isinstance(value, dict):
                yield from changed_maps(fields, part, name)
    yield dump(dict(reversed(fields.items())))


def changed_maps(fields: dict, part: dict, name: str) -> Iterator[bytes]:
    value = part[name]
    for key in list(value)[:6]:
        for other in (None, "", "AA==", base64.b64encode(bytes(32)).decode()):
            yield dump_with(fields, part, name, {**value, key: other})
        yield dump_with(fields, part, name, {k: v for k, v in value.items() if k != key})
        yield dump_with(fields, part, name, {**value, key + " ": "A" * 43 + "="})
    yield dump_with(fields, part, name, dict(reversed(value.items())))


def dump_with(fields: dict, part: dict, name: str, value: object) -> bytes:
    kept, part[name] = part[name], value
    data = dump(fields)
    part[name] = kept
    return data


def dump(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", OF_EACH)
def test_both_refuse_another_extra(name):
    digest, data = OF_EACH[name]
    extra = extra_of(data)
    changed = [one for one in changed_extras(extra) if one != extra]

    assert len(changed) > 40
    for one in changed:
        assert not agree(with_extra(data, one), digest, name.partition(" ")[0])


@pytest.mark.parametrize("name", OF_EACH)
def test_both_refuse_changed_receipts(name):
    digest, _ = OF_EACH[name]
    kind = name.partition(" ")[0]
    true = make_receipt(LOG, kind, digest)
    for _, changed in changed_receipts(true):
        assert not agree(format_receipt(changed), digest, kind)
    if true.answer is not None and true.answer.hyper_leaf is not None:
        leaf = true.answer.hyper_leaf
        for other in (
            replace(leaf, key_digest=digest),
            replace(leaf, key_digest=sha256(b"other").digest()),
            replace(leaf, version=leaf.version + 1),
            replace(leaf, version=2**64 - 1),
            replace(leaf, history={}),
            None,
        ):
            answer = replace(true.answer, hyper_leaf=other)
            assert not agree(format_receipt(replace(true, answer=answer)), digest, kind)


def changed_notes(note: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield notes, and whether they are as good as the true one."""
    text, signature = note.split(b"\n\n")
    other = signature.replace(b"qed-test", b"other")
    yield note + other, True
    yield text + b"\n\n" + other + signature, True
    yield note + other * 63, True
    yield note + signature, True
    yield note + other * 64, False
    yield text + b"\n\n" + other, False
    for name in ("a+b", "a b", "", "a\u00a0b", "a\u2028b", "a\x1fb", "é"):
        line = signature.replace(b"qed-test", name.encode(), 1)
        yield note + line, name == "é"
    yield note + other.split(b" ")[0] + b" other AAAAAA==\n", False
    yield note + b"\xe2\x80\x94 other AAAA\n", False
    yield note + b"- " + other[4:], False
    wrong = signature[:-10] + b"AAAAAAAA=\n"
    yield note + wrong, False
    yield text + b"\nmore\n\n" + signature, False
    yield text + b"\n\n\n" + signature, False
    yield note.replace(b"\n7\n", b"\n07\n"), False
    yield note.replace(b"\n7\n", b"\n8\n"), False
    yield note.replace(b"qed-test", b"qed/test"), False
    yield note[:-1], False
    yield note.replace(b"\n", b"\r\n"), False
    yield note.replace(b"\n7\n", b"\n7\x00\n"), False
    yield b"", False


@pytest.mark.parametrize("name", ["logged", "absent"])
def test_both_say_the_same_of_other_notes(name):
    digest, data = OF_EACH[name]
    for note, good in changed_notes(LOG.note):
        assert agree(data.replace(LOG.note, note), digest, name) == good, note


def test_the_example_of_the_page_is_true():
    (file,) = re.findall(r"```tlog-proof\n(.*?)```", PAGE, re.DOTALL)
    (extra,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    (key,) = re.findall(r"`(example\.com/log\+\S+)`", PAGE)
    digest = sha256(b"event 0").digest()

    assert extra_of(file.encode()) == extra.encode()
    policy = policy_of_key(parse_verifier_key(key))
    found = verify_receipt(file.encode(), policy=policy, digest=digest, kind="logged")
    assert (found.version, found.size) == (0, 2)
    assert second_accepts(file.encode(), digest, "logged", key)


def test_it_runs_as_a_program():
    _, data = OF_EACH["logged"]
    command = [sys.executable, "-W", "error", EXAMPLE, KEY]

    done = subprocess.run(
        [*command, "event 2", "logged"], input=data, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"it holds")
    done = subprocess.run(
        [*command, "event 3", "logged"], input=data, capture_output=True, check=False
    )
    assert (done.returncode, b"refused at step 5" in done.stderr) == (1, True)
