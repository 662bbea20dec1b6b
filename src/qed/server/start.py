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
from qed.errors import ConflictError, LockedError, NotFoundError, QedError, StoppingError
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
