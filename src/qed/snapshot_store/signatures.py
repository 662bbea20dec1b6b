"""Signatures that a store does not have, asked of the log's own server when a reader wants one.

Only the log server has the key, and publishers send no signatures. What a server answers counts
only if it verifies over the store's own leaf; so a server that lies, is slow, or is down costs a
reader the signature and nothing else. Source: SPEC 7 and 10.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from qed.client.feed import open_source
from qed.errors import QedError, VerificationError
from qed.signing.note import VerifierKey
from qed.signing.snapshot_signature import verify_snapshot_signature
from qed.trees.snapshot_log import encode_leaf
from qed.trees.values import Snapshot
from qed.wire.batches import decode_signed_snapshot
from qed.wire.bounds import BOUNDS

AT_ONCE = 4
WAIT_S = 2.0
KEPT = 4096  # signatures in memory, 64 bytes each

_OK = 200


class Signatures:
    """Asks servers, in threads of its own; used on the loop's thread only."""

    def __init__(
        self, key: VerifierKey, endpoints: Sequence[str], *, insecure: bool = False
    ) -> None:
        """Believe what verifies under the key; without endpoints nobody is asked."""
        self._key = key
        self._endpoints = tuple(endpoints)
        self._insecure = insecure
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._told = False  # that a server answered a false one; a race tells it twice at most
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="signatures")

    def close(self) -> None:
        """Ask nobody any more; what is under way ends within its bound, and nobody waits for it."""
        self._endpoints = ()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find(self, snapshot: Snapshot) -> bytes:
        """Return the log's signature of a snapshot, or `b""` when none was had within `WAIT_S`."""
        version = snapshot.version
        if version in self._kept:
            self._kept.move_to_end(version)
            return self._kept[version]
        if not self._endpoints:  # nobody to ask, or closed
            return b""
        deadline_s = time.monotonic() + WAIT_S
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._ask_all, snapshot, deadline_s)
        try:
            signature = await asyncio.wait_for(asked, WAIT_S)
        except TimeoutError:
            return b""
        if signature:
            self._kept[version] = signature
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return signature

    def _ask_all(self, snapshot: Snapshot, deadline_s: float) -> bytes:
        """Return the first signature that verifies, asking one server after the other."""
        for endpoint in self._endpoints:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                break
            try:
                signature = self._ask(endpoint, snapshot, left_s)
            except VerificationError as error:
                self._tell(endpoint, error)
            except QedError:
                continue  # down, or busy: a reader's answer does without
            else:
                if signature:
                    return signature
        return b""

    def _ask(self, endpoint: str, snapshot: Snapshot, timeout_s: float) -> bytes:
        with open_source(
            endpoint, timeout_s=timeout_s, dial_timeout_s=timeout_s, insecure=self._insecure
        ) as source:
            path = f"/snapshot?v={snapshot.version}"
            answer = source.get(path, max_answer_bytes=BOUNDS.snapshot_bytes)
            if answer.status != _OK:
                return b""
            _, signature = source.parse(path, decode_signed_snapshot, answer.body)
        if signature:
            # Over the leaf that is here: what the server says of the snapshot is not looked at.
            leaf = encode_leaf(
                snapshot.version,
                snapshot.event_digest,
                snapshot.history_digest,
                snapshot.hyper_digest,
            )
            verify_snapshot_signature(self._key, leaf, signature)
        return signature

    def _tell(self, endpoint: str, error: VerificationError) -> None:
        """Log the first false answer. Nobody signed it, so it is evidence of nothing: no alert."""
        if not self._told:
            self._told = True
            structlog.get_logger().warning(
                "a server answered what is no signature of the log's; said once",
                server=endpoint,
                why=error.message,
            )
