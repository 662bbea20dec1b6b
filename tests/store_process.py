"""The installed `qed store start` as tests use it, on ports of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from process import Server, free_ports


@dataclass(slots=True)
class StoreProcess(Server):
    """`qed store start`; port 0 is the store's, 1 that of its metrics."""

    ports: Sequence[int] = field(default_factory=lambda: free_ports(2))

    def words(self) -> list[str]:
        addresses = zip(("http", "metrics"), self.ports, strict=True)
        listen = [f"--{name}-addr=127.0.0.1:{port}" for name, port in addresses]
        return ["store", "start", *listen, "--db-path", str(self.db), *self.flags]

    def answers(self) -> bool:
        try:
            return (
                self.call("HEAD", "/healthcheck", limit_s=5).status == 204
                and self.call("GET", "/metrics", port=1, limit_s=5).status == 200
            )
        except OSError:
            return False

    def count(self) -> int:
        return int(self.call("GET", "/count").body)
