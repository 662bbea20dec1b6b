"""What a server is told at its start, typed; the command line builds it from flags."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qed.engine.state import CACHE_BYTES
from qed.errors import MalformedError
from qed.server.publication import INTERVAL_S
from qed.signing.keys import default_key_path
from qed.web.limits import WebLimits
from qed.web.tls import check_tls_flags


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One field a flag of `qed server start` that changes something; defaults are the flags'."""

    db_path: Path
    node_id: str = ""  # empty: the database's own, or the machine's name for a new one
    http_addr: str = "127.0.0.1:8800"
    http_advertise_addr: str = ""  # what clients are told; empty: `http_addr`, never a wildcard
    mgmt_addr: str = "127.0.0.1:8700"
    metrics_addr: str = "127.0.0.1:8600"
    raft_addr: str = ""  # shown in `/info`, used for nothing
    private_key_path: Path | None = None  # None: beside the database
    origin: str | None = None  # of a new log; of one that exists it must be the same
    checkpoint_interval_s: float = INTERVAL_S  # at most one checkpoint in so long; 0: no pause
    cosigner_key_path: Path | None = None  # of an ML-DSA-44 key that signs each checkpoint too
    cosigner_name: str = ""  # the name of that key
    enable_tls: bool = False  # on the data and the management port
    tls_cert_path: Path | None = None
    tls_key_path: Path | None = None
    cache_bytes: int = CACHE_BYTES  # memory for both trees, about; the rest is on disk
    limits: WebLimits = field(default_factory=WebLimits)

    def __post_init__(self) -> None:
        """Refuse flags that contradict each other."""
        check_tls_flags(self)
        if (self.cosigner_key_path is None) != (self.cosigner_name == ""):
            raise MalformedError(
                "a cosigner has a key and a name of its own",
                hint="give both --cosigner-key-path and --cosigner-name, or none",
            )
        if self.limits.queue_events < self.limits.request_events:
            raise MalformedError(
                f"--max-queue-events {self.limits.queue_events} is below "
                f"--max-request-events {self.limits.request_events}",
                hint="the queue must have room for the largest request: change one of them",
            )

    @property
    def key_path(self) -> Path:
        """Where the signing key lies: as told, else beside the database and never inside it."""
        return self.private_key_path or default_key_path(self.db_path)

    @property
    def backups_path(self) -> Path:
        """Where backups are kept; it may be a mount."""
        return self.db_path / "backups"

    @property
    def checkpoints_path(self) -> Path:
        """Where a backup's checkpoint lives while it is made: on the database's file system."""
        return self.db_path / "qed-checkpoints"
