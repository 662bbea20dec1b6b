"""The list of backups on the management port."""

import json
from dataclasses import replace

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


def test_a_backup_with_a_problem_has_a_field_more():
    damaged = replace(FIRST, problem='backup 1: /b/"x"\n\udcff is missing')
    body = wire.encode_backups([damaged, EMPTY])

    first, second = json.loads(body)
    assert list(first.items()) == [*json.loads(FIRST_BODY).items(), ("Problem", damaged.problem)]
    assert "Problem" not in second
    assert wire.decode_backups(body) == [damaged, EMPTY]


@pytest.mark.parametrize("value", ["", None, False, 1, [], {}])
def test_a_problem_that_is_no_sentence_is_refused(value):
    body = {**json.loads(FIRST_BODY), "Problem": value}

    with pytest.raises(MalformedError, match="Problem is"):
        wire.decode_backups(json.dumps([body]).encode())


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
