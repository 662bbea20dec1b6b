"""Key files: three forms are read, one is written, nothing secret is shown."""

import base64
import hashlib
import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from qed.errors import ConflictError, DamagedError, NotFoundError
from qed.signing import keys

SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
# The example key of golang.org/x/mod/sumdb/note's documentation.
GO_NOTE_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_NOTE_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def pem(key, encryption=None):
    encryption = encryption or NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def note_key(name="log.example", seed=SEED, public=PUBLIC, algorithm=b"\x01"):
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4].hex()
    return f"PRIVATE+KEY+{name}+{key_id}+{base64.b64encode(algorithm + seed).decode()}"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SEED + PUBLIC, id="raw"),
        pytest.param(pem(Ed25519PrivateKey.from_private_bytes(SEED)), id="pem"),
        pytest.param(note_key().encode(), id="note"),
        pytest.param(note_key().encode() + b"\n", id="note with newline"),
    ],
)
def test_each_form_is_read_whatever_its_mode(tmp_path, data):
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o644)

    key = keys.read_private_key(path)

    assert (key.seed, key.public) == (SEED, PUBLIC)


def test_the_note_key_of_the_go_documentation_is_read(tmp_path):
    path = tmp_path / "key"
    path.write_text(GO_NOTE_KEY)

    key = keys.read_private_key(path)

    assert key.name == "PeterNeumann"
    assert base64.b64decode(GO_NOTE_VERIFIER.split("+", 2)[2]) == b"\x01" + key.public


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (SEED + PUBLIC[:-1] + bytes([PUBLIC[-1] ^ 1]), DamagedError, "public half"),
        (note_key(public=bytes(32)).encode(), DamagedError, "key id"),
        (SEED, ConflictError, "is not a private key"),
        (b"", ConflictError, "is not a private key"),
        (b"x" * 20_000, ConflictError, "larger than"),
        (note_key(algorithm=b"\x02").encode(), ConflictError, "not Ed25519"),
        (note_key(name="a b").encode(), ConflictError, "note key"),
        (note_key().encode() + b"=", ConflictError, "note key"),
        (note_key().replace("AQAB", "AQ AB").encode(), ConflictError, "note key"),
        (note_key().encode()[:40], ConflictError, "note key"),
        (b"-----BEGIN PRIVATE KEY-----\nxx\n", ConflictError, "does not parse as a PEM"),
        (pem(generate_private_key(SECP256R1())), ConflictError, "not Ed25519"),
        (
            pem(Ed25519PrivateKey.from_private_bytes(SEED), BestAvailableEncryption(b"pass")),
            ConflictError,
            "encrypted",
        ),
    ],
)
def test_a_file_that_is_not_a_key_of_ours_is_refused(tmp_path, data, error, sentence):
    path = tmp_path / "key"
    path.write_bytes(data)

    with pytest.raises(error, match=sentence) as caught:
        keys.read_private_key(path)

    assert str(path) in str(caught.value)


def test_the_key_id_in_a_note_key_is_canonical_hex(tmp_path):
    path = tmp_path / "key"
    text = note_key()
    name_end = len("PRIVATE+KEY+log.example+")
    path.write_text(text[:name_end] + text[name_end : name_end + 8].upper() + text[name_end + 8 :])

    with pytest.raises(ConflictError, match="note key"):
        keys.read_private_key(path)


def test_what_is_no_file_is_refused_and_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(ConflictError, match=f"{name} is not a file"):
            keys.open_private_key(tmp_path / name)


def test_a_missing_key_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match="does not exist"):
        keys.read_private_key(tmp_path / "key")


def test_a_made_key_is_private_and_its_public_half_is_not(tmp_path):
    path = tmp_path / "db.keys" / "qed_ed25519"

    key = keys.create_private_key(path)

    data = path.read_bytes()
    assert (key.seed, key.public) == (data[:32], data[32:])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.with_name("qed_ed25519.pub").read_bytes() == key.public
    assert stat.S_IMODE(path.with_name("qed_ed25519.pub").stat().st_mode) == 0o644
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "qed_ed25519",
        "qed_ed25519.pub",
    ]


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"something")

    with pytest.raises(ConflictError, match="never overwritten"):
        keys.create_private_key(path)

    assert path.read_bytes() == b"something"


def test_a_key_that_appears_while_another_is_made_stays(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"something")
    source = tmp_path / "source"
    source.write_bytes(b"else")

    with pytest.raises(ConflictError, match="never overwritten"):
        keys._link(source, path)

    assert path.read_bytes() == b"something"


def test_a_key_that_shares_its_bytes_with_a_leftover_is_not_written_into(tmp_path):
    keys.create_private_key(tmp_path / "key")
    (tmp_path / ".key.tmp").hardlink_to(tmp_path / "key")  # a crash between link and unlink
    (tmp_path / "key").rename(tmp_path / "moved")
    (tmp_path / "key.pub").unlink()
    before = (tmp_path / "moved").read_bytes()

    keys.create_private_key(tmp_path / "key")

    assert (tmp_path / "moved").read_bytes() == before
    assert (tmp_path / "key").read_bytes() != before


def test_a_lone_public_half_stops_the_making_of_a_key(tmp_path):
    (tmp_path / "key.pub").write_bytes(PUBLIC)

    with pytest.raises(ConflictError, match=r"private key .* does not"):
        keys.create_private_key(tmp_path / "key")

    assert (tmp_path / "key.pub").read_bytes() == PUBLIC


def test_opening_makes_the_key_once_and_then_reads_it(tmp_path):
    path = tmp_path / "key"

    first = keys.open_private_key(path)
    second = keys.open_private_key(path)

    assert (first.created, first.exposed) == (True, False)
    assert (second.created, second.key) == (False, first.key)


def test_a_key_that_others_can_read_is_said(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(SEED + PUBLIC)
    path.chmod(0o644)

    assert keys.open_private_key(path).exposed


def test_the_secret_half_is_not_in_the_text_form():
    key = keys.PrivateKey(SEED, PUBLIC)

    assert repr(SEED) not in repr(key)
    assert SEED.hex() not in repr(key)


def test_the_default_key_lies_beside_the_database(tmp_path):
    assert keys.default_key_path(tmp_path / "db") == tmp_path / "db.keys" / "qed_ed25519"


def test_the_public_half_is_shown_as_hex():
    assert keys.format_public(PUBLIC) == PUBLIC.hex()
