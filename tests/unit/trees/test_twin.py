"""The readable kernel's own promises; the laws that both kernels obey are in `test_kernel_*`."""

from __future__ import annotations

from pure_log import event_digests
from qed.trees.twin import History, Hyper, newest_entries, sha256_many

DIGESTS = event_digests(9)


def test_the_first_of_equal_events_keeps_the_entry():
    assert newest_entries(7, [DIGESTS[1], DIGESTS[2], DIGESTS[1]]) == {DIGESTS[1]: 7, DIGESTS[2]: 8}


def test_an_accepted_plan_lets_go_of_its_base():
    log = History()
    first = log.plan(b"".join(DIGESTS[:4]))
    second = log.plan(b"".join(DIGESTS[4:6]), first)
    log.accept(first)
    log.accept(second)

    assert second.base is None
    assert log.root(5) == second.roots[-32:]


def test_the_twin_forgets_nothing():
    log = History()
    log.freeze(b"".join(DIGESTS))

    assert log.forget(0) == 0
    assert log.memory_bytes > 9 * 64 - 32
    assert Hyper(log).memory_bytes == 0


def test_hashing_many():
    assert sha256_many([b""])[0].hex().startswith("e3b0c442")
