"""The installed agents: stores are filled whatever stops in between, and a stop is a clean one."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from process import Qed, free_ports
from qed.client.feed import leaves, open_source
from qed.trees.snapshot_log import decode_leaf
from qed.trees.values import Snapshot
from qed.wire import decode_snapshots
from whole import Program, Whole, deadline, get

LIMIT_S = 60.0
BULK = 50


@dataclass
class Publishing:
    """A server, two stores and a publisher, and what was acknowledged."""

    whole: Whole
    stores: list[Program]
    publisher: Program
    snapshots: list[Snapshot] = field(default_factory=list)

    def add(self, bulks: int) -> None:
        for _ in range(bulks):
            first = len(self.snapshots)
            events = [
                base64.b64encode(b"event %d" % n).decode() for n in range(first, first + BULK)
            ]
            answer = self.whole.server.call("POST", "/events/bulk", {"Events": events})
            assert answer.status == 201
            self.snapshots += decode_snapshots(answer.body)

    def wait_published(self) -> None:
        """Wait until everything is under a checkpoint of the server."""
        for _ in deadline(LIMIT_S):
            note = self.whole.server.call("GET", "/checkpoint").body
            if int(note.split(b"\n")[1]) == len(self.snapshots):
                return
        raise AssertionError(note)

    def wait_for(self, *stores: Program, size: int | None = None) -> None:
        """Wait until these stores have everything, or so much."""
        wanted = len(self.snapshots) if size is None else size
        for store in stores:
            for _ in deadline(LIMIT_S):
                count = int(get(store.port, "/count").body)
                if count >= wanted:
                    break
            assert count >= wanted, f"{count} of {wanted}\n{self.said()}"

    def check(self) -> None:
        """Check that both stores have each snapshot once, and that nobody was alarmed."""
        self.wait_for(*self.stores)
        for store in self.stores:
            with open_source(f"http://127.0.0.1:{store.port}") as source:
                found = [one for some in leaves(source, 0, len(self.snapshots)) for one in some]
            assert [decode_leaf(leaf) for leaf in found] == self.snapshots
            assert int(get(store.port, "/count").body) == len(self.snapshots)
        assert json.loads(get(self.stores[0].port, "/alert").body) == [], self.said()

    def said(self) -> str:
        programs = {"publisher": self.publisher, "one": self.stores[0], "other": self.stores[1]}
        return "\n".join(f"=== {name}\n{each.output[-3000:]}" for name, each in programs.items())


@pytest.fixture(name="publishing")
def a_log_with_two_stores(qed: Qed, tmp_path: Path) -> Iterator[Publishing]:
    with Whole(qed, tmp_path / "whole") as whole:
        whole.start_server()
        stores = []
        for number in range(2):
            port, metrics = free_ports(2)
            words = [
                *("store", "start", "--http-addr", f"127.0.0.1:{port}", "--key", whole.key),
                *("--metrics-addr", f"127.0.0.1:{metrics}", "--log", "info"),
                *("--db-path", str(tmp_path / f"store {number}")),
            ]
            whole.programs[f"store {number}"] = Program(qed, words, port, "/count")
            stores.append(whole.programs[f"store {number}"].start())
        (port,) = free_ports(1)
        urls = ",".join(f"http://127.0.0.1:{store.port}" for store in stores)
        words = [
            *("agent", "publisher", "--qed-endpoints", whole.server_url, "--key", whole.key),
            *("--store-endpoint", urls, "--state-path", str(tmp_path / "publisher")),
            *("--notifier-endpoint", f"http://127.0.0.1:{stores[0].port}/alert"),
            *("--metrics-addr", f"127.0.0.1:{port}", "--interval", "1s", "--log", "info"),
        ]
        whole.programs["publisher"] = Program(qed, words, port, "/metrics")
        yield Publishing(whole, stores, whole.programs["publisher"])


@pytest.mark.slow
def test_a_store_that_is_down_for_a_while_holds_up_nobody(publishing: Publishing) -> None:
    one, other = publishing.stores
    publishing.publisher.start()
    publishing.add(4)
    publishing.wait_for(one, other)
    other.kill()
    publishing.add(4)
    publishing.wait_for(one)
    other.start()
    publishing.check()
    assert publishing.publisher.stop() == 0


@pytest.mark.slow
def test_kill_9_skips_nothing_and_brings_nothing_twice(publishing: Publishing) -> None:
    drawn = random.Random(5)  # noqa: S311 - to be drawn again
    one = publishing.stores[0]
    for _ in range(12):
        publishing.publisher.start()
        publishing.add(drawn.randrange(1, 4))
        before = int(get(one.port, "/count").body)
        publishing.wait_for(one, size=drawn.randrange(before, len(publishing.snapshots) + 1))
        publishing.publisher.kill()
    publishing.publisher.start()
    publishing.check()


@pytest.mark.slow
def test_a_stop_lets_the_step_in_hand_finish_and_the_next_start_goes_on(
    publishing: Publishing,
) -> None:
    for _ in range(3):
        publishing.publisher.start()
        publishing.add(3)
        assert publishing.publisher.stop() == 0
        assert publishing.publisher.output.endswith("stopped\n")
    publishing.publisher.start()
    publishing.check()


@pytest.mark.slow
def test_a_store_that_was_emptied_is_filled_again_and_that_is_told(
    publishing: Publishing, tmp_path: Path
) -> None:
    one, other = publishing.stores
    publishing.publisher.start()
    publishing.add(4)
    publishing.wait_for(one, other)
    other.kill()
    (tmp_path / "store 1").rename(tmp_path / "lost")
    other.start()
    publishing.wait_for(other)
    alerts: list[str] = []
    for _ in deadline(LIMIT_S):
        alerts = json.loads(get(one.port, "/alert").body)
        if alerts:
            break
    assert [alert.split(": ")[0] for alert in alerts] == ["store-lost"], publishing.said()


@pytest.mark.slow
def test_one_round_of_each_agent_says_by_its_exit_code_how_it_is(
    publishing: Publishing, qed: Qed, tmp_path: Path
) -> None:
    one, other = publishing.stores
    publishing.add(2)
    publishing.wait_published()
    words = [
        *("--qed-endpoints", publishing.whole.server_url, "--key", publishing.whole.key),
        *("--store-endpoint", f"http://127.0.0.1:{one.port}", "--once", "--json"),
        *("--store-endpoint", f"http://127.0.0.1:{other.port}"),
    ]

    def run(name: str) -> Any:
        return qed.run("agent", name, *words, "--state-path", str(tmp_path / f"once {name}"))

    assert run("publisher").code == 0
    publishing.check()
    assert run("monitor").document()["Role"] == "monitor"
    assert run("auditor").code == 0
    other.stop()
    assert run("monitor").code == 24
    assert run("publisher").code == 24


@pytest.mark.slow
def test_a_second_agent_on_a_directory_is_refused(publishing: Publishing, qed: Qed) -> None:
    publishing.publisher.start()
    words = [word for word in publishing.publisher.words if word != "--log"]
    done = qed.run(*words[: words.index("--metrics-addr")], "--metrics-addr", "127.0.0.1:0")
    assert done.code == 22
    assert "--state-path" in done.err
