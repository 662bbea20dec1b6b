"""The client that blocks. Same methods in the same order as `async_client`.

from qed import Client, ClientConfig

with Client(ClientConfig(endpoints=["http://127.0.0.1:8800"])) as client:
    snapshot = client.add(b"event 0")
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import httpx2

from qed import wire
from qed.client import calls
from qed.client.calls import Response
from qed.client.config import ClientConfig, create_tls_context
from qed.client.endpoints import (
    Endpoints,
    Failure,
    Outcome,
    Send,
    Step,
    Steps,
    no_answer,
    not_sent,
    oversized,
    too_slow,
)
from qed.client.verify_answers import (
    history_root,
    verify_incremental_answer,
    verify_with_snapshots,
    versions_needed,
)
from qed.trees.values import IncrementalProof, MembershipProof, Snapshot
from qed.version import VERSION
from qed.wire.topology import InfoValue

if TYPE_CHECKING:
    from qed.client.published import Published
    from qed.client.request_receipt import FreshReceipt

T = TypeVar("T")

# Nothing reached a server when one of these is raised.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Client:
    """Add to a log, ask it for proofs, and back it up; the methods raise by the tree of errors.

    `RequestError` fix the call, `UnavailableError` make it again later, `VerificationError` the
    answer is not about what was asked. After an `UnreachableError` of an addition it is unknown
    whether the log has it; adding again is allowed and gives a second version.
    A client may be shared by threads. `membership` and `incremental` return
    proofs *unverified*; the methods with `verify_` in their names do not.
    """

    def __init__(self, config: ClientConfig | None = None) -> None:
        """Keep the settings; nothing is resolved or opened before the first call."""
        self._config = ClientConfig() if config is None else config
        self._endpoints = Endpoints(self._config)
        self._opening = threading.Lock()
        self._published: Published | None = None  # made once, under the lock above
        # By scheme; two threads that make one at once leave the loser to the garbage collector.
        self._connections: dict[str, httpx2.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; the client opens new ones when it is used again."""
        if self._published is not None:
            self._published.close()
        while self._connections:
            self._connections.popitem()[1].close()

    def add(self, event: bytes) -> Snapshot:
        """Add one event and return its snapshot, checked to be of this event."""
        return self._run(self._endpoints.exchange(calls.build_add(event)))

    def add_bulk(self, events: Sequence[bytes]) -> list[Snapshot]:
        """Add events as one group, all or nothing, and return a snapshot for each, in order."""
        return self._run(self._endpoints.exchange(calls.build_add_bulk(events)))

    def add_digests(self, digests: Sequence[bytes]) -> list[Snapshot]:
        """Add events by their SHA-256 digests, which is all that the server learns of them."""
        return self._run(self._endpoints.exchange(calls.build_add_digests(digests)))

    def membership(
        self,
        *,
        event: bytes | None = None,
        digest: bytes | None = None,
        version: int | None = None,
    ) -> MembershipProof:
        """Ask for the proof that an event is in the log, or that it is not; not verified.

        Only the digest is sent. `NotProvenError` means that there is no proof as of that version,
        never that the event is absent.
        """
        call = calls.build_membership(event=event, digest=digest, version=version)
        return self._run(self._endpoints.exchange(call))

    def incremental(self, start: int, end: int) -> IncrementalProof:
        """Ask for the proof that the log of version `end` extends that of `start`; not verified."""
        return self._run(self._endpoints.exchange(calls.build_incremental(start, end)))

    def verify_membership(
        self,
        *,
        snapshots: Iterable[Snapshot],
        event: bytes | None = None,
        digest: bytes | None = None,
        version: int | None = None,
    ) -> MembershipProof:
        """Ask as `membership` does, verify the answer against trusted snapshots, and return it.

        `exists` of what is returned is then proven, either way. Besides the snapshot of `version`
        that of the current version is needed; when it is not given, RequestError names it.
        """
        proof = self.membership(event=event, digest=digest, version=version)
        verify_with_snapshots(
            proof, snapshots=snapshots, event=event, digest=digest, version=version
        )
        return proof

    def verify_incremental(self, start: Snapshot, end: Snapshot) -> IncrementalProof:
        """Ask as `incremental` does, verify the answer against both snapshots, and return it."""
        proof = self.incremental(start.version, end.version)
        verify_incremental_answer(proof, start=history_root(start), end=history_root(end))
        return proof

    def get(self, version: int) -> Snapshot:
        """Return the published snapshot of a version, believed under the pinned key only.

        It is read from `snapshot_store_url` and must lie under a signed checkpoint that extends
        those seen before. One that is not published yet is waited for within `timeout_s`, then a
        `NotPublishedError`. Without `key` and `pin` the key that the server shows is trusted.
        """
        return self._open_published().snapshots([version])[0]

    def auto_verify_membership(
        self,
        *,
        event: bytes | None = None,
        digest: bytes | None = None,
        version: int | None = None,
    ) -> MembershipProof:
        """Ask as `membership` does, verify the answer against published snapshots, and return it.

        `exists` of what is returned is then proven, either way. The snapshots come as by `get`,
        that of the answer's current version too.
        """
        proof = self.membership(event=event, digest=digest, version=version)
        versions = versions_needed(proof)
        snapshots = self._open_published().snapshots(versions)
        verify_with_snapshots(
            proof, snapshots=snapshots, event=event, digest=digest, version=version
        )
        return proof

    def auto_verify_incremental(self, start: int, end: int) -> IncrementalProof:
        """Ask as `incremental` does, verify the answer against published snapshots, return it."""
        proof = self.incremental(start, end)
        snapshots = self._open_published().snapshots([start, end])
        first, last = snapshots[0], snapshots[-1]
        verify_incremental_answer(proof, start=history_root(first), end=history_root(last))
        return proof

    def receipt(
        self,
        *,
        event: bytes | None = None,
        digest: bytes | None = None,
        kind: str = "logged",
        version: int | None = None,
    ) -> FreshReceipt:
        """Return a receipt of an event, verified: a file that shows others offline what it says.

        The kinds are `logged` (of `version`, or the newest one), `newest` and `absent`, both as of
        now. The log is read as by `get`; `NotProvenError` where the log says the opposite.
        """
        # It needs what `get` needs, and is loaded as late.
        from qed.client.request_receipt import finish_receipt, needs_answer  # noqa: PLC0415

        asked = calls.digest_of(event=event, digest=digest)
        answer = self.membership(digest=asked) if needs_answer(kind, version) else None
        return finish_receipt(
            self._open_published(), answer, digest=asked, kind=kind, version=version
        )

    def checkpoint(self) -> bytes:
        """Return the newest signed checkpoint of the published log, verified as by `get`."""
        return self._open_published().checkpoint()

    def consistency(self, older: bytes) -> bytes:
        """Return a file that shows that the newest checkpoint's log begins with an older one's.

        `older` is a signed note; one that the newest excludes is a `ContradictionError`.
        """
        from qed.client.consistency import Consistency, encode_consistency  # noqa: PLC0415

        newest, proof = self._open_published().growth(older)
        return encode_consistency(Consistency(older, newest, proof))

    def info(self) -> dict[str, InfoValue]:
        """Return what the server says about itself."""
        return self._run(self._endpoints.exchange(calls.build_info()))

    def shards(self) -> wire.Shards:
        """Return which nodes there are and who leads them."""
        return self._run(self._endpoints.exchange(calls.build_shards()))

    def create_backup(self) -> None:
        """Make a backup; it exists when this returns. Management port."""
        self._run(self._endpoints.exchange_management(calls.build_create_backup()))

    def backups(self) -> list[wire.BackupEntry]:
        """Return the backups that there are. Management port."""
        return self._run(self._endpoints.exchange_management(calls.build_backups()))

    def delete_backup(self, backup_id: int) -> None:
        """Delete one backup; NotFoundError when there is none of this id. Management port."""
        self._run(self._endpoints.exchange_management(calls.build_delete_backup(backup_id)))

    def _open_published(self) -> Published:
        # Signatures take a library that takes longer to load than an addition does.
        from qed.client.published import Published  # noqa: PLC0415

        with self._opening:
            if self._published is None:
                self._published = Published(self._config)
        return self._published

    def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                outcome = self._do(steps.send(outcome))
        except StopIteration as done:
            result: T = done.value
            return result

    def _do(self, step: Step) -> Outcome:
        if isinstance(step, Send):
            return self._send(step)
        time.sleep(step.duration_s)
        return None

    def _send(self, step: Send) -> Response | Failure:
        timeout = httpx2.Timeout(step.timeout_s, connect=step.connect_timeout_s)
        began_s = time.monotonic()
        try:
            with self._connect(step.base_url).stream(
                step.request.method,
                step.url,
                content=step.request.body,
                headers=dict(step.request.headers),
                timeout=timeout,
            ) as answer:
                body = bytearray()
                for chunk in answer.iter_raw():
                    body += chunk
                    if len(body) > step.request.max_answer_bytes:
                        return oversized(step)
                    if step.timeout_s and time.monotonic() - began_s > step.timeout_s:
                        return too_slow(step)
                return Response(answer.status_code, dict(answer.headers), bytes(body))
        except _NOT_SENT as error:
            return not_sent(step, error)
        except httpx2.HTTPError as error:
            return no_answer(step, error)

    def _connect(self, base_url: str) -> httpx2.Client:
        scheme = base_url.partition(":")[0]
        if scheme not in self._connections:
            context = create_tls_context(insecure=self._config.insecure, scheme=scheme)
            headers = {"user-agent": f"qed/{VERSION}", "accept-encoding": "identity"}
            if self._config.api_key:
                headers["api-key"] = self._config.api_key
            # The environment is not trusted: no proxy and no password file is taken from it.
            self._connections[scheme] = httpx2.Client(
                verify=context, headers=headers, trust_env=False, follow_redirects=False
            )
        return self._connections[scheme]
