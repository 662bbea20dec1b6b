"""Cosignatures of both kinds, and the file of the key that makes one of them."""

from __future__ import annotations

import stat

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

import signers
from qed.errors import ConflictError, MalformedError, NotFoundError, VerificationError
from qed.signing import cosignature
from qed.signing.checkpoint import Checkpoint, format_checkpoint_text
from qed.signing.cosignature import (
    CHECKS,
    Cosigner,
    check_ed25519_cosignature,
    check_ml_dsa_44_cosignature,
    create_cosigner_key,
    open_cosigner_key,
    read_cosigner_key,
    timestamp_s,
)
from qed.signing.note import ED25519, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE, VerifierKey

CHECKPOINT = signers.checkpoint("log.example/a", 300)
TEXT = format_checkpoint_text(CHECKPOINT)
TIME_S = 1_679_315_147
COSIGNER = signers.cosigner("witness.example/pq")
KEY = COSIGNER.verifier_key
OLDER = signers.Ed25519Witness("witness.example/w1")


def test_the_ml_dsa_message_is_the_specifications_to_the_byte() -> None:
    name, origin = b"witness.example/pq", b"log.example/a"
    message = (
        b"subtree/v1\n\x00"
        + bytes([len(name)])
        + name
        + TIME_S.to_bytes(8, "big")
        + bytes([len(origin)])
        + origin
        + bytes(8)
        + (300).to_bytes(8, "big")
        + CHECKPOINT.root
    )
    made = COSIGNER.cosign(CHECKPOINT, TIME_S)
    assert (made.name, made.key_id) == (KEY.name, KEY.key_id)
    assert len(made.data) == 8 + 2420
    MLDSA44PublicKey.from_public_bytes(KEY.public).verify(made.data[8:], message)
    assert check_ml_dsa_44_cosignature(KEY, TEXT, made.data)
    assert timestamp_s(made.data) == TIME_S


def test_the_ed25519_message_is_the_specifications() -> None:
    data = OLDER.cosign_text(TEXT, TIME_S).data
    assert len(data) == 8 + 64
    assert check_ed25519_cosignature(OLDER.verifier_key, TEXT, data)


def test_anything_else_about_a_checkpoint_is_not_cosigned() -> None:
    data = COSIGNER.cosign(CHECKPOINT, TIME_S).data
    older = OLDER.cosign_text(TEXT, TIME_S).data
    for other in (
        signers.checkpoint("log.example/a", 301),
        signers.checkpoint("log.example/b", 300),
        Checkpoint(CHECKPOINT.origin, CHECKPOINT.size, bytes(32)),
    ):
        text = format_checkpoint_text(other)
        assert not check_ml_dsa_44_cosignature(KEY, text, data)
        assert not check_ed25519_cosignature(OLDER.verifier_key, text, older)


def test_the_name_is_signed_by_the_newer_kind_alone() -> None:
    data = COSIGNER.cosign(CHECKPOINT, TIME_S).data
    renamed = VerifierKey("witness.example/q", ML_DSA_44_COSIGNATURE, KEY.public)
    assert not check_ml_dsa_44_cosignature(renamed, TEXT, data)
    older = OLDER.cosign_text(TEXT, TIME_S).data
    renamed = VerifierKey("another", ED25519_COSIGNATURE, OLDER.verifier_key.public)
    assert check_ed25519_cosignature(renamed, TEXT, older)


@pytest.mark.parametrize("place", [0, 7, 8, 70, 71])
def test_changed_bytes_of_an_older_cosignature(place) -> None:
    data = bytearray(OLDER.cosign_text(TEXT, TIME_S).data)
    data[place] ^= 1
    assert not check_ed25519_cosignature(OLDER.verifier_key, TEXT, bytes(data))


@pytest.mark.parametrize("place", [0, 7, 8, 40, 1000, 2300, 2427])
def test_changed_bytes_of_a_newer_cosignature(place) -> None:
    data = bytearray(COSIGNER.cosign(CHECKPOINT, TIME_S).data)
    data[place] ^= 1
    assert not check_ml_dsa_44_cosignature(KEY, TEXT, bytes(data))


@pytest.mark.parametrize("size_bytes", [0, 7, 8, 71, 73, 2427, 2429])
def test_other_lengths(size_bytes) -> None:
    made = (OLDER.cosign_text(TEXT, TIME_S).data, COSIGNER.cosign(CHECKPOINT, TIME_S).data)
    for data in made:
        cut = (data + bytes(3000))[:size_bytes]
        assert not check_ed25519_cosignature(OLDER.verifier_key, TEXT, cut)
        assert not check_ml_dsa_44_cosignature(KEY, TEXT, cut)


def test_times_have_63_bits() -> None:
    last = 2**63 - 1
    assert check_ml_dsa_44_cosignature(KEY, TEXT, COSIGNER.cosign(CHECKPOINT, last).data)
    assert check_ml_dsa_44_cosignature(KEY, TEXT, COSIGNER.cosign(CHECKPOINT, 0).data)
    for time_s in (-1, 2**63):
        with pytest.raises(ValueError, match="no time"):
            COSIGNER.cosign(CHECKPOINT, time_s)
    signature = COSIGNER.key.sign(cosignature._encode_message(KEY.name, 2**63, CHECKPOINT))
    assert not check_ml_dsa_44_cosignature(KEY, TEXT, (2**63).to_bytes(8, "big") + signature)
    older = OLDER.cosign_text(TEXT, 2**63).data
    assert not check_ed25519_cosignature(OLDER.verifier_key, TEXT, older)


def test_names_that_have_no_room_in_the_message_are_not_verified() -> None:
    data = COSIGNER.cosign(CHECKPOINT, TIME_S).data
    long = VerifierKey("x" * 256, ML_DSA_44_COSIGNATURE, KEY.public)
    assert not check_ml_dsa_44_cosignature(long, TEXT, data)
    text = format_checkpoint_text(Checkpoint("x" * 256, 300, CHECKPOINT.root))
    assert not check_ml_dsa_44_cosignature(KEY, text, data)


def test_a_text_that_is_no_checkpoint_cannot_be_cosigned_by_the_newer_kind() -> None:
    with pytest.raises(VerificationError):
        check_ml_dsa_44_cosignature(KEY, "something else\n", bytes(2428))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "qed/x", "x" * 256])
def test_what_no_cosigner_can_be_called(name) -> None:
    with pytest.raises(MalformedError, match="name of a cosigner"):
        Cosigner(name, COSIGNER.key)


def test_every_kind_of_key_in_a_policy_is_checked() -> None:
    assert set(CHECKS) == {ED25519, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE}


def test_without_ml_dsa_the_reason_is_said(monkeypatch, tmp_path) -> None:
    def unsupported(*_) -> None:
        raise UnsupportedAlgorithm("no ML-DSA")

    class Lacking:
        from_public_bytes = generate = staticmethod(unsupported)

    monkeypatch.setattr(cosignature, "MLDSA44PublicKey", Lacking)
    monkeypatch.setattr(cosignature, "MLDSA44PrivateKey", Lacking)
    with pytest.raises(ConflictError, match="no ML-DSA-44"):
        check_ml_dsa_44_cosignature(KEY, TEXT, bytes(2428))
    with pytest.raises(ConflictError, match="no ML-DSA-44"):
        create_cosigner_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "key"
    path.write_bytes(pem(COSIGNER.key))
    monkeypatch.setattr(cosignature, "load_pem_private_key", unsupported_load)
    with pytest.raises(ConflictError, match="no ML-DSA-44"):
        read_cosigner_key(path)


def unsupported_load(_data, password=None):
    assert password is None
    raise UnsupportedAlgorithm("no ML-DSA")


def pem(key, encryption=None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def test_a_key_is_made_once_and_read_from_then_on(tmp_path) -> None:
    path = tmp_path / "keys" / cosignature.KEY_NAME
    first = open_cosigner_key(path)
    again = open_cosigner_key(path)

    assert (first.created, again.created) == (True, False)
    assert (first.exposed, again.exposed) == (False, False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Cosigner("a", first.key).verifier_key == Cosigner("a", again.key).verifier_key
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert isinstance(load_pem_private_key(path.read_bytes(), None), MLDSA44PrivateKey)
    path.chmod(0o644)
    assert open_cosigner_key(path).exposed
    assert "key=" not in repr(again)
    assert "key=" not in repr(COSIGNER)


def test_a_key_is_never_overwritten(tmp_path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"mine")
    with pytest.raises(ConflictError, match="never overwritten"):
        create_cosigner_key(path)
    assert path.read_bytes() == b"mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConflictError, match="never overwritten"):
        create_cosigner_key(link)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\n", id="half a file"),
        pytest.param(bytes(64), id="raw bytes"),
        pytest.param(pem(COSIGNER.key, BestAvailableEncryption(b"x")), id="encrypted"),
        pytest.param(pem(Ed25519PrivateKey.from_private_bytes(bytes(32))), id="Ed25519"),
    ],
)
def test_files_that_are_no_such_key(data, tmp_path) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(ConflictError) as caught:
        open_cosigner_key(path)
    assert str(path) in caught.value.message
    assert path.read_bytes() == data


def test_no_file_and_what_is_no_file(tmp_path) -> None:
    with pytest.raises(NotFoundError):
        read_cosigner_key(tmp_path / "nowhere")
    with pytest.raises(ConflictError, match="not a file"):
        read_cosigner_key(tmp_path)
