"""Proofs on the wire: the bodies of the vectors to the byte, and every other spelling refused."""

import base64
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qed import wire
from qed.errors import MalformedError

VECTORS = Path(__file__).parents[2] / "vectors"
ORDER = (
    "Exists",
    "Hyper",
    "History",
    "CurrentVersion",
    "QueryVersion",
    "ActualVersion",
    "KeyDigest",
    "Key",
    "HyperLeaf",
)


def collect(value, needed):
    """Return every body with the field needed, wherever it stands in a file of vectors."""
    if isinstance(value, dict):
        if needed in value:
            return [value]
        value = list(value.values())
    if isinstance(value, list):
        return [body for inner in value for body in collect(inner, needed)]
    return []


def load(needed, *names):
    files = (json.loads((VECTORS / f"{name}.json").read_text()) for name in names)
    return [body for file in files for body in collect(file, needed)]


MEMBERSHIPS = load("Exists", "membership", "edges", "near_digests", "absence")
INCREMENTALS = load("AuditPath", "incremental", "edges")
CONTROL = next(body for body in MEMBERSHIPS if body["Exists"] and body["History"])
ABSENT = next(
    body for body in MEMBERSHIPS if body.get("HyperLeaf") and body["HyperLeaf"]["History"]
)


def in_order(body):
    """Return a body as SPEC 5 orders it, written by Python's own JSON."""

    def ordered(value):
        return {key: value[key] for key in sorted(value, key=str.encode)}

    fields = {name: body.get(name) for name in ORDER if name != "HyperLeaf" or not body["Exists"]}
    fields["Hyper"] = ordered(fields["Hyper"])
    if fields["History"] is not None:
        fields["History"] = ordered(fields["History"])
    if fields.get("HyperLeaf"):
        leaf = fields["HyperLeaf"]
        fields["HyperLeaf"] = {
            "KeyDigest": leaf["KeyDigest"],
            "Version": leaf["Version"],
            "History": ordered(leaf["History"]),
        }
    return fields


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def refused(body):
    with pytest.raises(MalformedError) as caught:
        wire.decode_membership(body if isinstance(body, bytes) else compact(body))
    return caught.value


def test_there_are_bodies_of_each_kind():
    assert len(MEMBERSHIPS) > 200
    assert len(INCREMENTALS) > 20
    assert {True, False} == {body["Exists"] for body in MEMBERSHIPS}
    assert any(body.get("HyperLeaf") for body in MEMBERSHIPS)
    assert any(body["Hyper"] == {} for body in MEMBERSHIPS)


def test_every_membership_of_the_vectors_is_written_as_spec_5_says():
    for body in MEMBERSHIPS:
        proof = wire.decode_membership(compact(body))

        assert compact(in_order(body)) == wire.encode_membership(proof)
        assert proof == wire.decode_membership(wire.encode_membership(proof))


def test_every_incremental_of_the_vectors_is_written_as_spec_5_says():
    for body in INCREMENTALS:
        proof = wire.decode_incremental(compact(body))
        path = dict(sorted(body["AuditPath"].items(), key=lambda item: item[0].encode()))

        assert wire.encode_incremental(proof) == compact(
            {"Start": body["Start"], "End": body["End"], "AuditPath": path}
        )
        assert proof == wire.decode_incremental(wire.encode_incremental(proof))


def test_keys_are_sorted_as_byte_strings():
    """128 before 16 is what Go's encoder does, and QED's readers may compare bytes."""
    body = next(b for b in INCREMENTALS if {"128|7", "16|4"} <= set(b["AuditPath"]))
    text = wire.encode_incremental(wire.decode_incremental(compact(body)))

    assert text.index(b'"128|7"') < text.index(b'"16|4"')


def test_an_answer_of_the_original_has_no_hyper_leaf():
    body = {key: value for key, value in ABSENT.items() if key != "HyperLeaf"}

    assert wire.decode_membership(compact(body)).hyper_leaf is None


def test_the_event_is_given_back_as_key():
    body = {**CONTROL, "Key": "ZXZlbnQgMA=="}
    proof = wire.decode_membership(compact(body))

    assert proof.key == b"event 0"
    assert compact(in_order(body)) == wire.encode_membership(proof)


def hyper_spellings(key):
    digits, height = key.removeprefix("0x").split("|")
    index, size = int(digits, 16), int(height)
    yield f"0X{digits}|{height}"
    yield f"{digits}|{height}"
    yield f"0x{index:x}|{height}" if digits[0] == "0" else f"0x0{digits}|{height}"
    yield f"0x{digits}|0{height}"
    yield f"0x{digits}|+{height}"
    yield f"0x{digits}| {height}"
    yield f" {key}"
    yield f"{key}\n"
    yield f"{index}|{height}"
    yield f"0x{digits}|{size + 256}"
    if digits.upper() != digits:
        yield f"0x{digits.upper()}|{height}"
    if size:
        yield f"0x{index | 1:064x}|{height}"


def history_spellings(key):
    index, height = key.split("|")
    yield f"0{key}"
    yield f"+{key}"
    yield f"-{key}"
    yield f"{index}|0{height}"
    yield f"{index}|+{height}"
    yield f"{int(index):#x}|{height}"
    yield f"{index}.0|{height}"
    yield f" {key}"
    yield f"{key} "
    yield f"{index} |{height}"
    yield f"{int(index) + 2**64}|{height}"
    yield f"{index}|{int(height) + 64}"
    if int(height):
        yield f"{int(index) | 1}|{height}"


def respelled(body, name, spellings):
    """Yield a body for each other way to write each key, instead of it and beside it."""
    for key in body[name]:
        for spelling in spellings(key):
            rest = {k: v for k, v in body[name].items() if k != key}
            yield {**body, name: {**rest, spelling: body[name][key]}}
            yield {**body, name: {**body[name], spelling: body[name][key]}}


@pytest.mark.parametrize("at", range(0, len(MEMBERSHIPS), 40))
def test_a_key_of_a_membership_written_another_way_is_refused(at):
    body = MEMBERSHIPS[at]
    for attacked in respelled(body, "Hyper", hyper_spellings):
        assert "hyper tree" in str(refused(attacked))
    if body["History"]:
        for attacked in respelled(body, "History", history_spellings):
            assert "history tree" in str(refused(attacked))


def test_a_key_of_a_hyper_leaf_written_another_way_is_refused():
    assert ABSENT["HyperLeaf"]["History"]
    for leaf in respelled(ABSENT["HyperLeaf"], "History", history_spellings):
        assert "history tree" in str(refused({**ABSENT, "HyperLeaf": leaf}))


def test_a_key_of_an_incremental_written_another_way_is_refused():
    for body in INCREMENTALS[::4]:
        for attacked in respelled(body, "AuditPath", history_spellings):
            with pytest.raises(MalformedError, match="history tree"):
                wire.decode_incremental(compact(attacked))


def test_a_key_that_stands_twice_is_refused():
    text = compact(CONTROL)
    for name in ("Hyper", "History"):
        for key, value in CONTROL[name].items():
            once = f'"{key}":"{value}"'.encode()
            assert text.count(once) == 1
            assert "stands twice" in str(refused(text.replace(once, once + b"," + once)))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_value_that_is_not_32_bytes_is_refused(size):
    short = base64.b64encode(bytes(size)).decode()
    for name in ("Hyper", "History"):
        for key in CONTROL[name]:
            refused({**CONTROL, name: {**CONTROL[name], key: short}})
    refused({**CONTROL, "KeyDigest": short})
    refused({**ABSENT, "HyperLeaf": {**ABSENT["HyperLeaf"], "KeyDigest": short}})


def test_base64_that_is_not_canonical_is_refused():
    """The last character of 32 bytes carries two spare bits: three more spellings of one digest."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    key, value = next(iter(CONTROL["Hyper"].items()))
    at = alphabet.index(value[-2])
    for spare in range(1, 4):
        other = value[:-2] + alphabet[at ^ spare] + "="
        refused({**CONTROL, "Hyper": {**CONTROL["Hyper"], key: other}})
    for other in (value[:-1], value + "\n", value.replace("=", ""), value + "="):
        refused({**CONTROL, "Hyper": {**CONTROL["Hyper"], key: other}})


@pytest.mark.parametrize("name", [name for name in ORDER if name not in {"Key", "HyperLeaf"}])
def test_a_field_that_is_missing_or_of_another_type_is_refused(name):
    for body in (CONTROL, ABSENT):
        refused({key: value for key, value in body.items() if key != name})
        for other in (None, 1.0, -1, 2**64, "x", [], [1], {"x": "y"}, {"x": 1}):
            if other == body[name]:
                continue
            refused({**body, name: other})


@pytest.mark.parametrize("name", ["CurrentVersion", "QueryVersion", "ActualVersion"])
def test_a_boolean_is_no_version(name):
    refused({**CONTROL, name: True})


def test_what_contradicts_exists_is_refused():
    refused({**CONTROL, "Exists": False})
    refused({**CONTROL, "History": None})
    refused({**CONTROL, "HyperLeaf": None})
    refused({**CONTROL, "HyperLeaf": ABSENT["HyperLeaf"]})
    refused({**ABSENT, "Exists": True})
    refused({**ABSENT, "History": {}})


@pytest.mark.parametrize("leaf", [1, "", [], {}, True])
def test_a_hyper_leaf_is_null_or_an_object_with_three_fields(leaf):
    refused({**ABSENT, "HyperLeaf": leaf})
    whole = ABSENT["HyperLeaf"]
    for name in whole:
        refused({**ABSENT, "HyperLeaf": {k: v for k, v in whole.items() if k != name}})
        if not (name == "Version" and leaf == 1) and not (name == "History" and leaf == {}):
            refused({**ABSENT, "HyperLeaf": {**whole, name: leaf}})


def test_unknown_fields_and_other_letter_cases_are_refused():
    refused({**CONTROL, "More": 1})
    refused({**CONTROL, "exists": True})
    refused({(k.lower() if k == "Exists" else k): v for k, v in CONTROL.items()})
    with pytest.raises(MalformedError):
        wire.decode_incremental(compact({**INCREMENTALS[0], "More": 1}))


def test_a_proof_above_its_bound_is_refused_and_the_bound_can_be_raised():
    body = compact(CONTROL)

    refused(body + b" " * 2**20)
    assert wire.decode_membership(body + b" " * 2**20, max_bytes=2**21)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), st.sampled_from(["flip", "cut", "double", "swap"]))
def test_a_damaged_proof_is_read_to_something_canonical_or_malformed(seed, damage):
    draw = random.Random(seed)  # noqa: S311 (damage, not a secret)
    incremental = draw.random() < 0.3
    body = bytearray(compact(draw.choice(INCREMENTALS if incremental else MEMBERSHIPS)))
    at = draw.randrange(len(body))
    if damage == "flip":
        body[at] ^= 1 << draw.randrange(8)
    elif damage == "cut":
        del body[at : at + draw.randrange(1, 50)]
    elif damage == "double":
        body[at:at] = body[at : at + draw.randrange(1, 50)]
    else:
        body[at] = draw.randrange(256)

    decode = wire.decode_incremental if incremental else wire.decode_membership
    encode = wire.encode_incremental if incremental else wire.encode_membership
    try:
        proof = decode(bytes(body))
    except MalformedError:
        return
    assert proof == decode(encode(proof))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.sampled_from([*ORDER, "Start", "End", "AuditPath"]), JSON_VALUES)
def test_any_value_in_any_field_is_read_or_malformed(name, value):
    for decode, body in (
        (wire.decode_membership, CONTROL),
        (wire.decode_membership, ABSENT),
        (wire.decode_incremental, INCREMENTALS[0]),
    ):
        try:
            decode(json.dumps({**body, name: value}).encode())
        except MalformedError as error:
            assert len(str(error)) < 400  # noqa: PT017 (either outcome is right)
