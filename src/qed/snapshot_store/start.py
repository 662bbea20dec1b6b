"""A snapshot store from its start to its stop, step by step."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from qed.client.feed import open_source
from qed.client.pins import ask_key
from qed.database import holds_engine_files
from qed.errors import (
    ConflictError,
    MalformedError,
    NotFoundError,
    StoppingError,
    UnavailableError,
)
from qed.signing.note import VerifierKey, format_verifier_key
from qed.snapshot_store.app import StorePort
from qed.snapshot_store.config import StoreConfig
from qed.snapshot_store.metrics import Metrics
from qed.snapshot_store.signatures import Signatures
from qed.snapshot_store.store import Store
from qed.trees import kernel
from qed.web.addresses import Address, bind, bound_address, parse_address
from qed.web.application import Application
from qed.web.process import announce_opening, raise_file_limit, short_turns
from qed.web.run import Site, run
from qed.web.stop import Stop
from qed.web.tls import open_tls

__all__ = ["StoreConfig", "serve"]

HTTP_FLAG, METRICS_FLAG = "--http-addr", "--metrics-addr"
FIRST_USE_S = 60.0  # how long a server that does not answer yet is asked for its key
_ASK_EVERY_S = 0.5
_SWITCH_INTERVAL_S = 0.0005  # of threads: the loop waits this long for one that verifies

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StorePlaces:
    """The two addresses, and which log is mirrored there."""

    store: Address
    metrics: Address
    key: VerifierKey


def serve(
    config: StoreConfig,
    *,
    announce: Announce,
    stop: Stop | None = None,
    on_ready: Callable[[StorePlaces], None] = lambda _places: None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; return when everything in flight is answered.

    Raises, before anything is served, what keeps it from starting: an address in use, a key that
    is missing or another one than the store's, `LockedError` when another process has the
    database, `DamagedError` when its rows contradict each other. When the disk fails while it
    serves, requests are answered and the error is raised.
    """
    stop = stop or Stop()
    raise_file_limit()
    with stop.on_signals(), short_turns(_SWITCH_INTERVAL_S), contextlib.ExitStack() as stack:
        # 1. What can be wrong about flags, before a file is touched.
        tls = open_tls(config)
        at_store = _bind(config.http_addr, HTTP_FLAG, stack)
        at_metrics = _bind(config.metrics_addr, METRICS_FLAG, stack)
        if kernel.WHY_TWIN:
            announce(f"warning: running on the {kernel.NAME}, many times slower: {kernel.WHY_TWIN}")
        # 2. The store, whose rows are all recomputed; or a new one, and the key that it is for.
        #    From here until it is closed nobody else has the directory.
        try:
            store = stack.enter_context(_open_store(config, announce, stop))
        except StoppingError as error:
            announce(error.message)
            return
        # 3. Serve. The stop: no new connection, everything in flight answered.
        signatures = Signatures(store.key, config.qed_endpoints, insecure=config.insecure)
        port = StorePort(store, config.limits, signatures)
        application = Application(port.routes(), config.limits, stop.request)
        metrics = Metrics(store, port, application.answers)
        scraped = Application(metrics.routes(), config.limits)
        sites = [
            Site("store", HTTP_FLAG, *at_store, application, tls),
            Site("metrics", METRICS_FLAG, *at_metrics, scraped),
        ]
        places = StorePlaces(at_store[0], at_metrics[0], store.key)

        def ready() -> None:
            announce(f"snapshot store {'https' if tls else 'http'}://{places.store}")
            announce(f"metrics port   http://{places.metrics}")
            on_ready(places)

        def stopping() -> None:
            port.stop()
            announce("stopping: answering what is in flight")

        run(sites, stop=stop, drain_s=config.limits.drain_s, on_ready=ready, on_stop=stopping)
        # 4. Leaving the block closes the store after the batch that is being written.
    if stop.error is not None:
        raise stop.error
    announce("stopped")


def _bind(text: str, flag: str, stack: contextlib.ExitStack) -> tuple[Address, socket.socket]:
    """Take an address, or say why it cannot be had; the stack closes the socket."""
    address = parse_address(text, flag)
    listener = bind(address, flag)
    stack.callback(listener.close)
    return bound_address(address, listener), listener


def _open_store(config: StoreConfig, announce: Announce, stop: Stop) -> Store:
    """Open the store of the directory, or create one for the key that is given or asked for.

    `StoppingError` when a stop is asked for before it is open.
    """
    try:
        if not holds_engine_files(config.db_path):
            raise NotFoundError("no store")  # noqa: TRY301  # the same way as a blank one below
        store = Store.open(
            config.db_path,
            config.key,
            cosigner_keys=config.cosigner_keys,
            max_alerts=config.max_alerts,
            progress=announce_opening("store", "snapshots", announce, stop),
        )
    except NotFoundError:
        key = config.key or _ask_for_key(config, announce, stop)
        store = Store.create(
            config.db_path,
            key,
            cosigner_keys=config.cosigner_keys,
            max_alerts=config.max_alerts,
        )
        announce(f"created a new, empty snapshot store of the log {format_verifier_key(key)}")
        return store
    announce(f"opened the snapshot store of the log {store.key.name}: {store.count} snapshots")
    return store


def _ask_for_key(config: StoreConfig, announce: Announce, stop: Stop) -> VerifierKey:
    """Return the key that a server says it signs with: trusted on first use, and then for ever."""
    if not config.qed_endpoints:
        raise MalformedError(
            "a new snapshot store needs the key of the log that it is to mirror",
            hint="add --key with the verifier key that the server printed at its start, or "
            "--qed-endpoints to take the one that a server says",
        )
    deadline_s = time.monotonic() + FIRST_USE_S
    pause = threading.Event()
    while True:
        try:
            return _ask_servers(config, announce)
        except UnavailableError as error:
            if stop.is_requested:
                raise StoppingError("stopped before the log's key was known") from error
            if time.monotonic() >= deadline_s:
                raise
        pause.wait(_ASK_EVERY_S)


def _ask_servers(config: StoreConfig, announce: Announce) -> VerifierKey:
    """Return the one key that all servers say; two keys are two logs."""
    keys = {endpoint: _ask_server(endpoint, config) for endpoint in config.qed_endpoints}
    if len(set(keys.values())) > 1:
        said = ", ".join(f"{one}: {format_verifier_key(key)}" for one, key in keys.items())
        raise ConflictError(
            f"the servers say different keys ({said})", hint="say with --key which log is meant"
        )
    endpoint, key = next(iter(keys.items()))
    announce(
        f"trusting the key {format_verifier_key(key)} on first use, because {endpoint} says so; "
        "--key would make sure"
    )
    return key


def _ask_server(endpoint: str, config: StoreConfig) -> VerifierKey:
    with open_source(endpoint, insecure=config.insecure) as source:
        return ask_key(source)
