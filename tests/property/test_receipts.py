"""Law: of every log and every digest one of two receipts can be had, and it proves just that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laws import digests, logs
from publishing import PublishedLog
from qed.client.receipts import verify_under_key
from qed.errors import VerificationError
from receipt_log import receipt


def publish(groups: list[list[bytes]]) -> PublishedLog:
    log = PublishedLog()
    for group in groups:
        for snapshot in log.log.add(group):
            log._append(snapshot)
    log.publish()
    return log


@given(logs, digests)
def test_a_digest_is_newest_or_absent_and_never_both(groups, digest):
    log = publish(groups)
    there = digest in [snapshot.event_digest for snapshot in log.snapshots]
    kind, other = ("newest", "absent") if there else ("absent", "newest")
    data = receipt(log, kind, digest)

    found = verify_under_key(data, log.key, digest=digest, kind=kind)

    assert found.current == len(log.snapshots) - 1
    assert found.version == (log.log.membership(digest).actual_version if there else None)
    with pytest.raises(VerificationError):
        verify_under_key(receipt(log, other, digest), log.key, digest=digest)


@given(logs)
def test_every_version_is_logged_as_its_event_and_no_other(groups):
    log = publish(groups)
    for snapshot in log.snapshots:
        data = receipt(log, "logged", snapshot.event_digest, version=snapshot.version)
        found = verify_under_key(data, log.key, digest=snapshot.event_digest, kind="logged")
        assert (found.version, found.snapshot) == (snapshot.version, snapshot)


@given(logs, logs, digests, st.data())
def test_parts_of_two_receipts_make_no_third(groups, others, digest, draw):
    """Lines of the receipts of two logs under one key, put together in any way."""
    one, other = publish(groups), publish(others)
    lines, strange = (
        receipt(log, "logged", digest, version=0).split(b"\n") for log in (one, other)
    )
    true = b"\n".join(lines), b"\n".join(strange)
    for place in range(min(len(lines), len(strange))):
        if draw.draw(st.booleans()):
            lines[place] = strange[place]
    mixed = b"\n".join(lines)
    if mixed in true:
        return

    try:
        found = verify_under_key(mixed, one.key)
    except VerificationError:
        return
    # What both logs signed alike is true of either.
    assert found.snapshot in (one.snapshots[0], other.snapshots[0])
