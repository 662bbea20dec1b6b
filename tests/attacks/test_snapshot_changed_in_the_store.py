"""A snapshot is changed in the store.

- In its database, while it is down: its own start recomputes every root, refuses (41) and names the
  row, also where the attacker has made the store's rows fit each other, for no signature fits them.
- On the way, or by a store that lies: the signed root does not cover it. The **auditor** reads
  every snapshot of the store over and over, and says `snapshot` within 5 s, with the receipt of the
  true one. `qed client get` and `--auto-verify` refuse it (30).
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from attacks.proxy import Said, changed, proxy
from attacks.scene import Scene, digest_of, numbered, scene
from process import Qed
from qed.database import Database
from qed.snapshot_store import rows
from qed.snapshot_store.runs import Run
from qed.trees import kernel, snapshot_log

SIZE, VERSION = 6, 2
TRUE, FALSE = digest_of(f"event {VERSION}"), digest_of("another event")


def change_leaf(database: Database) -> Run:
    """Put another event digest into the row of leaves that has the version; return its leaves."""
    (key, value), *_ = database.scan(rows.LEAVES, b"")
    assert TRUE in value
    database.commit([(rows.LEAVES, key, value.replace(TRUE, FALSE))])
    return rows.decode_run((key, value.replace(TRUE, FALSE)))


def change_head(database: Database, run: Run) -> None:
    """Let the head say the root that the changed leaves lead to."""
    peaks, _ = kernel.extend_snapshots(0, b"", run.hash_leaves())
    database.commit([rows.encode_head(run.stop, snapshot_log.root(peaks))])


def store_refuses_to_start(stage: Scene) -> str:
    code = stage.whole.store.spawn().end()
    assert code == 41, stage.whole.store.output
    return stage.whole.store.output


@pytest.mark.slow
def test_store_refuses_to_start_and_names_the_row(qed: Qed, tmp_path: Path) -> None:
    refused = re.compile(r"the row \S+ of the snapshot store has another root than the")
    with scene(qed, tmp_path) as stage:
        stage.whole.start_server().start_store()
        stage.whole.start_agent("publisher")
        stage.add(numbered(0, SIZE))
        stage.wait_watched(SIZE)
        stage.expect_peace()
        assert stage.whole.store.stop() == 0
        database = Database.open(tmp_path / "whole" / "store", rows.FAMILIES)
        run = change_leaf(database)
        database.close()

        assert refused.search(store_refuses_to_start(stage)), stage.whole.store.output

        database = Database.open(tmp_path / "whole" / "store", rows.FAMILIES)
        change_head(database, run)
        database.close()
        assert refused.search(store_refuses_to_start(stage)), stage.whole.store.output


@pytest.mark.slow
def test_auditor_and_clients_refuse_what_a_store_serves(qed: Qed, tmp_path: Path) -> None:
    def lie(said: Said) -> Said:
        if not said.path.startswith("/tile/entries/"):
            return said
        assert TRUE in said.body
        return changed(said, said.body.replace(TRUE, FALSE))

    with scene(qed, tmp_path) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.real_store_url) as store:
            stage.whole.start_agent("publisher")
            stage.start_agent("auditor", store=store.url)
            stage.start_agent("monitor", store=store.url)
            stage.add(numbered(0, SIZE))
            stage.wait_watched(SIZE)
            stage.expect_peace()
            get = ("get", "--version", str(VERSION))
            event = f"event {VERSION}"
            verify = ("membership", "--event", event, "--version", str(VERSION), "--auto-verify")
            assert stage.client(*get, store=store.url).code == 0
            assert stage.client(*verify, store=store.url).code == 0

            store.lie = lie
            since_s = time.monotonic()

            evidence = stage.expect_alert("auditor", "snapshot", since_s=since_s)
            shown = stage.verify(evidence)
            assert (shown.code, shown.kind, shown.signed) == (31, "snapshot", False), shown
            assert f"version {VERSION}" in shown.finding
            for words in (get, verify):
                asked = stage.client(*words, store=store.url)
                assert asked.code == 30, asked
                assert stage.client(*words).code == 0
