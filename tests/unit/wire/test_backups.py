"""The list of backups on the management port."""

import json

import pytest

from qed import wire
from qed.errors import MalformedError

FIRST = wire.BackupEntry(1, 1563365606, 2048, 4, "1")
EMPTY = wire.BackupEntry(2, 1563365607, 0, 4, "18446744073709551615")
FIRST_BODY = b'{"ID":1,"Timestamp":1563365606,"Size":2048,"NumFiles":4,"Metadata":"1"}'


def test_the_list_is_written_as_spec_6_says():
    assert wire.encode_backups([]) == b"[]"
    assert wire.encode_backups([FIRST]) == b"[" + FIRST_BODY + b"]"
    assert wire.decode_backups(b"[]") == []
    assert wire.decode_backups(b"[" + FIRST_BODY + b"]") == [FIRST]


def test_the_list_is_sorted_by_id():
    assert wire.encode_backups([EMPTY, FIRST]) == wire.encode_backups([FIRST, EMPTY])
    assert wire.decode_backups(wire.encode_backups([EMPTY, FIRST])) == [FIRST, EMPTY]


def test_unknown_fields_are_passed_over():
    body = {**json.loads(FIRST_BODY), "Signed": True}

    assert wire.decode_backups(json.dumps([body]).encode()) == [FIRST]


@pytest.mark.parametrize("name", ["ID", "Timestamp", "Size", "NumFiles", "Metadata"])
def test_a_field_that_is_missing_or_of_another_type_is_refused(name):
    body = json.loads(FIRST_BODY)
    for other in (None, -1, 1.5, True, [], {}, 2**64):
        with pytest.raises(MalformedError, match=name):
            wire.decode_backups(json.dumps([{**body, name: other}]).encode())
    del body[name]
    with pytest.raises(MalformedError, match=name):
        wire.decode_backups(json.dumps([body]).encode())


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1]", b"[null]", b"[[]]"])
def test_what_is_no_list_of_backups_is_refused(body):
    with pytest.raises(MalformedError):
        wire.decode_backups(body)
