"""What a store is told at its start, typed; the command line builds it from flags."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qed.signing.note import VerifierKey
from qed.snapshot_store.alerts import MAX_ALERTS
from qed.web.limits import WebLimits
from qed.web.tls import check_tls_flags


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """One field a flag of `qed store start`; defaults are the flags'."""

    db_path: Path
    http_addr: str = "127.0.0.1:8888"
    metrics_addr: str = "127.0.0.1:8889"
    key: VerifierKey | None = None  # the log's; None: the store's own, or the one a server says
    cosigner_keys: tuple[VerifierKey, ...] = ()  # whose signatures are kept beside the log's
    qed_endpoints: tuple[str, ...] = ()  # asked for the key on first use, and for signatures
    max_alerts: int = MAX_ALERTS
    enable_tls: bool = False
    tls_cert_path: Path | None = None
    tls_key_path: Path | None = None
    insecure: bool = False  # take a server's TLS certificate that nobody vouches for
    limits: WebLimits = field(default_factory=WebLimits)

    def __post_init__(self) -> None:
        """Refuse flags that contradict each other."""
        check_tls_flags(self)
