"""A store whose leaves do not lead to the checkpoint that it serves: which one is false?

The true leaf comes from the log's server, under the same checkpoint, so the evidence needs nobody's
word: a receipt of what was signed, and beside it what was served.
"""

from __future__ import annotations

from qed.agents import claims
from qed.agents.proving import logged_receipt
from qed.agents.runtime import Station
from qed.client import feed
from qed.client.evidence import new_snapshot
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.errors import FatalError, QedError, VerificationError
from qed.trees.snapshot_log import decode_leaf


def tell_false_leaves(  # noqa: PLR0913 - who tells, of whom, with whose help, and of what
    station: Station,
    trusted: Trusted,
    store: Source,
    server: Source,
    *,
    first: int,
    error: VerificationError,
) -> None:
    """Tell that the leaves of a store from `first` on are not under the checkpoint that it serves.

    As `snapshot`, with evidence, where a leaf is found that is not the server's; else as `feed`.
    Raises: StorageError when it cannot be told.
    """
    store.forget()
    try:
        absurd = error.step == "size"  # no leaf was read, and there is no end of them
        version = None if absurd else _find_difference(trusted, store, server, first)
        if version is not None:
            receipt = logged_receipt(trusted, server, version)
            (served,) = next(iter(feed.leaves(store, version, version + 1)))[:1]
            evidence = new_snapshot(receipt, decode_leaf(served), found=error.message)
            text = f"it serves another snapshot of version {version} than the log signed"
            claims.tell(station, "snapshot", store.name, text, evidence)
            return
    except FatalError:
        raise
    except QedError:  # the server does not answer, or has another leaf than was signed
        server.forget()
    station.alert("feed", store.name, error.message)


def _find_difference(trusted: Trusted, store: Source, server: Source, first: int) -> int | None:
    """Return the first version whose leaves differ between the two, None when there is none."""
    both = zip(
        feed.leaves(store, first, trusted.size),
        feed.leaves(server, first, trusted.size),
        strict=True,
    )
    for ours, theirs in both:
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if one != other:
                return first + at
        first += len(ours)
    return None
