"""The head: what was verified is handed on at once, and an end ends the waiting."""

import threading

import pytest

from qed.agents.head import Head, Shown
from qed.signing.checkpoint import Checkpoint

DEADLINE_S = 20.0


def shown(size):
    return Shown(b"note %d" % size, Checkpoint("log", size, bytes(32)), "http://a:8800")


def test_at_first_nothing_is_known():
    head = Head()
    assert head.newest is None
    assert head.wait_beyond(0, 0.0) is None


@pytest.mark.parametrize(("size", "found"), [(0, True), (6, True), (7, False), (8, False)])
def test_only_more_than_asked_is_news(size, found):
    head = Head()
    head.show(shown(7))
    assert head.wait_beyond(size, 0.0) == (shown(7) if found else None)


def test_who_waits_is_woken_by_news():
    head, found = Head(), []
    thread = threading.Thread(target=lambda: found.append(head.wait_beyond(3, DEADLINE_S)))
    thread.start()
    head.show(shown(3))
    head.show(shown(4))
    thread.join(DEADLINE_S)
    assert found == [shown(4)]


def test_who_waits_is_woken_by_the_end():
    head, found = Head(), []
    thread = threading.Thread(target=lambda: found.append(head.wait_beyond(3, DEADLINE_S)))
    thread.start()
    head.close()
    thread.join(DEADLINE_S)
    assert found == [None]
    assert head.closed


def test_what_was_shown_before_the_end_is_still_there():
    head = Head()
    head.show(shown(4))
    head.close()
    assert head.wait_beyond(3, DEADLINE_S) == shown(4)
