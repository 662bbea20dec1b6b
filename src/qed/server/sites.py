"""Where the three ports are, and which application each of them serves."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from functools import partial

from qed.engine.log import Log
from qed.errors import FatalError
from qed.server.config import ServerConfig
from qed.server.data_port import DataPort
from qed.server.hot_port import HotPort
from qed.server.management_port import ManagementPort
from qed.server.metrics import Counts, Metrics
from qed.server.publication import Publication
from qed.server.tiles import LogTiles, SnapshotPort
from qed.signing.note import NoteSigner, format_verifier_key
from qed.signing.snapshot_signature import sign_snapshot
from qed.version import VERSION
from qed.web.addresses import Address, advertised_address, bind, bound_address, parse_address
from qed.web.application import Application
from qed.web.run import Site
from qed.web.stop import Stop
from qed.web.tiles import TilePort
from qed.wire.topology import InfoValue, Shard, Shards

HTTP_FLAG, MGMT_FLAG, METRICS_FLAG = "--http-addr", "--mgmt-addr", "--metrics-addr"
ADVERTISE_FLAG = "--http-advertise-addr"


@dataclass(frozen=True, slots=True)
class Place:
    """A bound socket that does not listen yet."""

    flag: str
    address: Address
    listener: socket.socket


@dataclass(frozen=True, slots=True)
class Places:
    """The three ports, and what clients are told of the first and the second."""

    data: Place
    management: Place
    metrics: Place
    http_advertised: Address
    mgmt_advertised: Address


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that one process serves."""

    sites: tuple[Site, Site, Site]
    data_port: DataPort
    tile_port: TilePort
    counts: Counts

    def begin_stop(self) -> None:
        """Say that this address is about to go, and answer those that wait for news."""
        self.data_port.stopping = True
        self.tile_port.release()


def bind_places(config: ServerConfig, stack: contextlib.ExitStack) -> Places:
    """Take the three addresses, or say which one cannot be had; the stack closes the sockets."""
    wanted = (
        (HTTP_FLAG, config.http_addr),
        (MGMT_FLAG, config.mgmt_addr),
        (METRICS_FLAG, config.metrics_addr),
    )
    parsed = [(flag, parse_address(text, flag)) for flag, text in wanted]
    # A wrong address to advertise is refused before a socket is taken.
    advertised_address(parsed[0][1], config.http_advertise_addr, ADVERTISE_FLAG)
    places = []
    for flag, address in parsed:
        listener = bind(address, flag)
        stack.callback(listener.close)
        places.append(Place(flag, bound_address(address, listener), listener))
    data, management, metrics = places
    told = advertised_address(data.address, config.http_advertise_addr, ADVERTISE_FLAG)
    behind = management.address
    mgmt_told = Address(told.host, behind.port) if behind.is_wildcard else behind
    return Places(data, management, metrics, told, mgmt_told)


def assemble(  # noqa: PLR0913 - the one place where all of them meet
    config: ServerConfig,
    log: Log,
    places: Places,
    tls: ssl.SSLContext | None,
    stop: Stop,
    *,
    signer: NoteSigner,
    publication: Publication,
) -> Program:
    """Put the three applications on their sockets."""
    limits, counts = config.limits, Counts()
    node_id = log.identity.node_id or config.node_id or socket.gethostname()
    data_port = DataPort(
        log,
        counts,
        limits,
        info=_info(config, log, signer, places, node_id),
        shards=Shards(
            node_id=node_id,
            leader_id=node_id,
            uri_scheme="https" if tls else "http",
            shards={node_id: Shard(node_id, str(places.http_advertised))},
        ),
    )
    tiles = LogTiles(log, publication)
    tile_port = TilePort(tiles, limits, at_once=tiles.at_once)
    publication.follow(tile_port.notify)
    snapshot_port = SnapshotPort(tiles, partial(sign_snapshot, signer), counts)
    management_port = ManagementPort(
        log, counts, limits, directory=config.backups_path, scratch=config.checkpoints_path
    )

    def stop_if_the_log_failed(_error: FatalError) -> None:
        # A backup that failed harms no log; a commit that failed is the end of this process.
        if log.failure is not None:
            stop.request(log.failure)

    hot = HotPort(log, counts, limits).routes()
    routes = [*data_port.routes(), *tile_port.routes(), *snapshot_port.routes()]
    data = Application(routes, limits, stop.request, hot)
    management = Application(management_port.routes(), limits, stop_if_the_log_failed)
    answers = {"data": data.answers, "management": management.answers}
    measured = Metrics(log, counts, publication, tile_port, answers, config.db_path)
    metrics = Application(measured.routes(), limits)
    sites = (
        _site("data", places.data, data, tls),
        _site("management", places.management, management, tls),
        _site("metrics", places.metrics, metrics, None),
    )
    return Program(sites, data_port, tile_port, counts)


def _site(name: str, place: Place, application: Application, tls: ssl.SSLContext | None) -> Site:
    return Site(name, place.flag, place.address, place.listener, application, tls)


def _info(
    config: ServerConfig, log: Log, signer: NoteSigner, places: Places, node_id: str
) -> dict[str, InfoValue]:
    """Return `/info`: QED's four fields, then ours."""
    return {
        "node_id": node_id,
        "raft_addr": config.raft_addr,
        "mgmt_addr": str(places.mgmt_advertised),
        "http_addr": str(places.http_advertised),
        "log_id": log.identity.log_id.hex(),
        "origin": log.identity.origin,
        "verifier_key": format_verifier_key(signer.verifier_key),
        "version": VERSION,
    }
