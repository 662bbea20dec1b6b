"""A server from its start to its stop, step by step.

What is announced is for people: keys that were made, restores that were swapped in, new logs,
addresses. Nothing secret is among it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import structlog

from qed import durable
from qed.backup.leftovers import clean_leftovers
from qed.backup.repository import list_backups
from qed.backup.restore import finish_pending
from qed.backup.swap import Swapped
from qed.database import holds_engine_files, locked_error
from qed.engine.log import Limits, Log
from qed.errors import ConflictError, NotFoundError, QedError, StoppingError
from qed.server.config import ServerConfig
from qed.server.publication import Publication
from qed.server.sites import ADVERTISE_FLAG, Places, assemble, bind_places
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.cosignature import Cosigner, open_cosigner_key
from qed.signing.keys import PrivateKey, format_public, open_private_key
from qed.signing.note import NoteSigner, format_verifier_key
from qed.trees import kernel
from qed.web.addresses import Address
from qed.web.process import announce_opening, raise_file_limit, short_turns
from qed.web.run import run
from qed.web.stop import Stop
from qed.web.tls import open_tls
from qed.wire import flat

__all__ = ["ServerConfig", "serve"]

_SIGNED_BEYOND = (
    "what was signed beyond the backup stays signed: to add anything else under the same key is a"
    ' second history, for ever; see "What was signed beyond the backup", docs/backup-and-restore.md'
)

# How long one thread may compute while another waits. At Python's 5 ms, a loop that is busy makes
# the writer wait that long several times a group. Measured in docs/adr/0018.
SWITCH_INTERVAL_S = 0.00005

Announce = Callable[[str], None]


def serve(
    config: ServerConfig,
    *,
    announce: Announce,
    stop: Stop | None = None,
    on_ready: Callable[[Places], None] = lambda _places: None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; return when everything in flight is answered.

    A stop that is asked for while the log is still opening ends that: nothing is served then, and
    `on_ready` is never called.

    Raises, before anything is served, what keeps it from starting: an address in use, a key or a
    certificate that cannot be used, `LockedError` when another process has the database,
    `DamagedError` when the log contradicts itself. When the log fails while it serves, requests
    are answered, the log is closed, and its `FatalError` is raised. Requests that are still open
    after the drain's bound are given up; their events are in the log all the same.
    """
    stop = stop or Stop()
    raise_file_limit()
    with stop.on_signals(), short_turns(SWITCH_INTERVAL_S), contextlib.ExitStack() as stack:
        # 1. What can be wrong about flags, before a file is touched.
        tls = open_tls(config)
        places = bind_places(config, stack)
        # 2. The keys, made when they are missing.
        key = _open_key(config.key_path, announce)
        cosigner = _open_cosigner(config, announce)
        # 3. From here until the log is closed nobody else has the directory.
        durable.make_directory(config.db_path)
        stack.enter_context(_hold(config.db_path))
        # 4. The restore that was staged while the last server ran, if any; then the rest of calls
        #    that were interrupted.
        _announce_swap(finish_pending(config.db_path), announce)
        clean_leftovers(config.db_path)
        _announce_twin(announce)
        # 5. The log. Opening it recomputes what it holds.
        try:
            log = stack.enter_context(_open_log(config, announce, stop))
        except StoppingError as error:
            announce(error.message)
            return
        # 6. The signer: it publishes the log as it is, then follows it.
        signer = NoteSigner(key, log.identity.origin)
        publication = stack.enter_context(_publishing(config, log, signer, cosigner, stop))
        # 7. Serve. The stop: no new connection, everything in flight answered.
        program = assemble(config, log, places, tls, stop, signer=signer, publication=publication)
        program.counts.last_backup_s = _last_backup_s(config.backups_path)

        def ready() -> None:
            _announce_places(places, announce, scheme="https" if tls else "http")
            _announce_keys(signer, cosigner, announce)
            on_ready(places)

        def stopping() -> None:
            program.begin_stop()
            announce("stopping: answering what is in flight")

        run(
            program.sites,
            stop=stop,
            drain_s=config.limits.drain_s,
            on_ready=ready,
            on_stop=stopping,
        )
        # 8. Leaving the block publishes what was acknowledged, and ends the signer; then it closes
        #    the log: what is queued is committed. Then the directory goes.
    if stop.error is not None:
        raise stop.error
    announce("stopped")


def _open_key(path: Path, announce: Announce) -> PrivateKey:
    """Read the signing key, or make it (0600) and print its public half."""
    opened = open_private_key(path)
    if opened.created:
        announce(f"created the signing key {path} (public half {format_public(opened.key.public)})")
    if opened.exposed:
        announce(f"warning: others can read the signing key {path}; chmod 600 it")
    return opened.key


def _open_cosigner(config: ServerConfig, announce: Announce) -> Cosigner | None:
    """Read the second key that signs checkpoints, or make it, if there is to be one."""
    if config.cosigner_key_path is None:
        return None
    opened = open_cosigner_key(config.cosigner_key_path)
    if opened.created:
        announce(f"created the cosigner's key {opened.path}")
    if opened.exposed:
        announce(f"warning: others can read the cosigner's key {opened.path}; chmod 600 it")
    return Cosigner(config.cosigner_name, opened.key)


@contextlib.contextmanager
def _publishing(
    config: ServerConfig, log: Log, signer: NoteSigner, cosigner: Cosigner | None, stop: Stop
) -> Iterator[Publication]:
    """Publish a log for the length of the block; a failure of it is a reason to stop.

    A cosigner under the name of the log's own key is refused: each has a name of its own.
    """
    if cosigner is not None and cosigner.name == signer.name:
        raise ConflictError(
            f"the cosigner has the name of the log, {signer.name!r}",
            hint="give it another one with --cosigner-name",
        )
    publication = Publication(
        log,
        partial(sign_checkpoint, signer, cosigner=cosigner),
        interval_s=config.checkpoint_interval_s,
        on_failure=stop.request,
    )
    publication.start()
    try:
        yield publication
    finally:
        publication.stop()


def _announce_twin(announce: Announce) -> None:
    """Say why the log is slower than it could be, when it is."""
    if kernel.WHY_TWIN:
        announce(f"warning: running on the {kernel.NAME}, many times slower: {kernel.WHY_TWIN}")
    elif flat.WHY_TWIN:
        announce(f"warning: running on the {flat.NAME} for bodies, slower: {flat.WHY_TWIN}")


def _hold(path: Path) -> contextlib.AbstractContextManager[None]:
    """Hold the database's lock; a refusal names the process that has it."""
    return durable.lock_directory(path, exclusive=True, refusal=lambda: locked_error(path))


def _announce_swap(swapped: Swapped | None, announce: Announce) -> None:
    if swapped is None:
        return
    announce(
        f"restored backup {swapped.backup_id}: the log has {swapped.size} events "
        f"({_name_version(swapped.size)})"
    )
    if swapped.kept_aside is not None:
        beyond = _name_lost(swapped.lost_versions)
        announce(f"the database that was there is kept in {swapped.kept_aside}: {beyond}")
        if swapped.lost_versions != 0:
            announce(_SIGNED_BEYOND)


def _name_lost(lost: int | None) -> str:
    if lost is None:
        return "it could not be opened"
    return "1 version is only there" if lost == 1 else f"{lost} versions are only there"


def _open_log(config: ServerConfig, announce: Announce, stop: Stop) -> Log:
    """Open the log of the directory, or create one where there is none.

    `StoppingError` when a stop is asked for before it is open.
    """
    limits = Limits(
        group_events=config.limits.request_events,
        queue_events=config.limits.queue_events,
        queue_requests=config.limits.queue_requests,
        cache_bytes=config.cache_bytes,
    )
    try:
        if not holds_engine_files(config.db_path):
            raise NotFoundError("no log")  # noqa: TRY301  # the same way as a blank one below
        log = Log.open(
            config.db_path,
            node_id=config.node_id,
            limits=limits,
            held=True,
            progress=announce_opening("log", "events", announce, stop),
        )
    except NotFoundError:
        log = Log.create(
            config.db_path,
            origin=config.origin,
            node_id=config.node_id or socket.gethostname(),
            limits=limits,
            held=True,
        )
        announce(f"created a new, empty log {log.identity.log_id.hex()}")
        return log
    if config.origin is not None and config.origin != log.identity.origin:
        origin = log.identity.origin
        log.close()
        raise ConflictError(
            f"the log in {config.db_path} has the origin {origin!r}, not {config.origin!r}",
            hint="leave --origin out, or check --db-path: an origin never changes",
        )
    announce(
        f"opened log {log.identity.log_id.hex()}: {log.head.size} events "
        f"({_name_version(log.head.size)})"
    )
    return log


def _last_backup_s(directory: Path) -> int:
    """Return when the newest backup was made, 0 without one; trouble with it stops nobody."""
    try:
        return max((backup.created_s for backup in list_backups(directory)), default=0)
    except QedError as error:
        structlog.get_logger().warning("the backups cannot be listed", why=error.message)
        return 0


def _announce_places(places: Places, announce: Announce, *, scheme: str) -> None:
    host = places.http_advertised.host
    announce(f"data port       {scheme}://{_name_place(places.data.address, host)}")
    announce(f"management port {scheme}://{_name_place(places.management.address, host)}")
    announce(f"metrics port    http://{_name_place(places.metrics.address, host)}")
    if places.http_advertised != places.data.address:
        announce(f"clients are told {places.http_advertised} ({ADVERTISE_FLAG})")


def _announce_keys(signer: NoteSigner, cosigner: Cosigner | None, announce: Announce) -> None:
    announce(f"verifier key    {format_verifier_key(signer.verifier_key)}")
    if cosigner is not None:
        announce(f"cosigner's key  {format_verifier_key(cosigner.verifier_key)}")


def _name_place(address: Address, host: str) -> str:
    """Return an address that can be typed; behind a wildcard it has the advertised host."""
    if address.is_wildcard:
        return f"{Address(host, address.port)} (on every interface)"
    return str(address)


def _name_version(size: int) -> str:
    return "empty" if size == 0 else f"newest version {size - 1}"
