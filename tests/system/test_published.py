"""The installed command against a real server and a real store: got, verified, late, forked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from process import Finished, Qed, Server
from store_process import StoreProcess
from system import printed

pytestmark = pytest.mark.slow


class Places:
    """A server, a store, and a publisher that goes when it is told to."""

    def __init__(self, qed: Qed, server: Server, store: StoreProcess) -> None:
        self.qed = qed
        self.server = server
        self.store = store

    def publish(self) -> None:
        """Bring all that is signed into the store."""
        places = (f"--qed-endpoints={self.server.endpoint}", f"--store-endpoint={self.store_url}")
        assert self.qed.run("agent", "publisher", "--once", *places).code == 0

    @property
    def store_url(self) -> str:
        return self.store.endpoint

    def client(self, *words: str) -> Finished:
        """Run a client command as QED's manual writes it, with these addresses."""
        places = ("--endpoints", self.server.endpoint, "--snapshot-store-url", self.store_url)
        return self.qed.run("client", *words, *places)


@pytest.fixture(name="places")
def server_and_store(qed: Qed, tmp_path: Path) -> Iterator[Places]:
    with (
        Server(qed, tmp_path / "db") as server,
        StoreProcess(qed, tmp_path / "store", ["--qed-endpoints", server.endpoint]) as store,
    ):
        for number in range(4):
            server.add(f"event {number}")
        yield Places(qed, server, store)


def auto(event: str, version: int) -> str:
    return (
        f"\nAuto-Verifying event with:\n\n    EventDigest: {printed.digest(event)}\n"
        f"    Version: {version}\n\nVerify: OK\n\n"
    )


def test_what_the_store_has_is_got_and_verified(
    places: Places, snapshots: list[dict[str, Any]]
) -> None:
    places.publish()
    got = places.client("get", "--version", "3")
    want = snapshots[3]
    assert got.code == 0, got
    assert got.out == (
        "\nRetrieved snapshot with values:\n\n"
        f"    EventDigest: {want['EventDigest']}\n"
        f"    HyperDigest: {want['HyperDigest']}\n"
        f"    HistoryDigest: {want['HistoryDigest']}\n"
        "    Version: 3\n\n"
    )
    assert "trusting on first use" in got.err
    for event, version in (("event 0", 3), ("never added", 3)):
        done = places.client("membership", "--event", event, "--auto-verify")
        assert (done.code, done.err) == (0, ""), done
        assert done.out.endswith(auto(event, version))
    done = places.client("membership", "--event=event 0", "--version=1", "--auto-verify")
    assert done.out.endswith(auto("event 0", 1))
    done = places.client("incremental", "--start", "0", "--end", "3", "--auto-verify")
    assert done.out.endswith(
        "\nAuto-Verifying event with:\n\n    Start: 0\n    End: 3\n\nVerify: OK\n\n"
    )


def test_what_the_store_does_not_have_yet_is_waited_for(places: Places) -> None:
    words = ("membership", "--event", "event 0", "--auto-verify")
    late = places.client(*words, "--timeout", "300ms")
    assert late.code == 25, late
    assert "no checkpoint yet" in late.err
    assert "Verify:" not in late.out

    done: list[Finished] = []
    waiting = threading.Thread(target=lambda: done.append(places.client(*words, "--timeout=50s")))
    waiting.start()
    places.publish()
    waiting.join(60)
    assert done[0].code == 0, done[0]
    assert places.client("get", "--version=3", "--from-server").code == 0
    places.server.add("event 4")
    assert places.client(*words, "--timeout", "300ms").code == 25
    assert places.client(*words, "--from-server").code == 0
    # The store is now behind what the server has shown: not believed before it has caught up.
    behind = places.client("get", "--version=0", "--timeout=300ms")
    assert (behind.code, "was seen before" in behind.err) == (25, True), behind
    places.publish()
    assert places.client("get", "--version=0").code == 0


def test_a_server_with_another_history_is_caught(places: Places, qed: Qed, tmp_path: Path) -> None:
    assert places.client("get", "--version", "3", "--from-server").code == 0
    key = ("--private-key-path", str(tmp_path / "db.keys" / "qed_ed25519"))
    origin = places.server.call("GET", "/info").document()["origin"]
    places.server.stop()
    other = Server(qed, tmp_path / "other", [*key, "--origin", origin], ports=places.server.ports)
    with other:
        for number in range(5):
            other.add(f"other {number}")
        done = places.client("get", "--version=4", "--from-server")
        assert done.code == 31, done
        (evidence,) = (qed.home / "data" / "qed" / "evidence").iterdir()
        assert str(evidence) in done.err
        shown = other.call("GET", "/info").document()["verifier_key"]
        assert qed.run("verify", str(evidence), "--key", shown).code == 31
    places.server.start()
