"""Blinded events: the formula, the files of the secrets, and what is refused."""

import hashlib
import hmac
import stat

import pytest

from qed import errors
from qed.client.blind import (
    blind,
    create_salt_file,
    draw_salt,
    fingerprint,
    read_blind_key,
    read_salt,
)

KEY = bytes(range(32))


def test_the_digest_is_an_hmac_with_a_tag():
    expected = hmac.new(KEY, b"qed/blind/v1\nyes", hashlib.sha256).digest()

    assert blind(KEY, b"yes") == expected
    assert blind(KEY, b"yes").hex() == (
        "d0cc121b0c022fe64723912cc9f51fedbf4af66cde10ebd058a002aae16efcea"
    )
    assert blind(KEY, b"no") != expected
    assert blind(bytes(32), b"yes") != expected


def test_the_fingerprint_says_nothing_of_the_key():
    assert fingerprint(KEY) == hashlib.sha256(b"qed/blind-key/v1\n" + KEY).hexdigest()
    assert fingerprint(bytes(32)) != fingerprint(KEY)


def test_a_salt_is_written_once_privately(tmp_path):
    path = tmp_path / "a.salt"
    salt = create_salt_file(path)

    assert read_salt(path) == salt == path.read_bytes()
    assert len(salt) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(errors.ConflictError, match="never overwritten"):
        create_salt_file(path)
    assert path.read_bytes() == salt


def test_a_salt_that_was_drawn_is_written_and_no_two_are_alike(tmp_path):
    salt = draw_salt()
    assert create_salt_file(tmp_path / "a", salt) == read_salt(tmp_path / "a") == salt
    assert draw_salt() != salt
    with pytest.raises(errors.MalformedError):
        create_salt_file(tmp_path / "b", salt[:-1])
    with pytest.raises(errors.ConflictError, match="no directory"):
        create_salt_file(tmp_path / "nothing" / "b", salt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize("read", [read_salt, read_blind_key])
def test_a_file_of_another_length_is_no_secret(tmp_path, read):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    assert read(path) == KEY
    for data in (b"", KEY[:-1], KEY + b"\n", b"x" * 10_000):
        path.write_bytes(data)
        with pytest.raises(errors.MalformedError, match="is not a"):
            read(path)
    with pytest.raises(errors.NotFoundError):
        read(tmp_path / "nothing")


def test_a_secret_of_another_length_and_an_empty_event_are_refused():
    for ask in (
        lambda: blind(KEY[:-1], b"yes"),
        lambda: blind(b"", b"yes"),
        lambda: blind(KEY, b""),
        lambda: fingerprint(KEY + b"\0"),
    ):
        with pytest.raises(errors.MalformedError):
            ask()
