"""The hyper digest after a group is rewritten on disk, while the server is down.

- The row alone: the next start recomputes it from the events and refuses (41). Nothing is served
  and nothing signed, so there is no evidence; the **monitor** says `silence` after three intervals.
- The attacker rewrites everything that a start compares as well: the derived index, the row of the
  snapshot log. The start takes that, and signs another root for a size that was signed before.
  **Monitor** and **publisher** say `equivocation` with the first checkpoint they get, within 10 s;
  the store keeps what it has. `qed check`, which believes no index, names the row (41).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from attacks.scene import numbered, scene
from process import Qed
from qed.database import Database
from qed.engine import hyper_index, rows
from qed.engine.group_rows import cut_parts, read_groups
from qed.engine.rows import Mark
from qed.engine.snapshots import Trace

VERSION = 2  # ends a group
FALSE = hashlib.sha256(b"another map").digest()


def rewrite_row(db: Path) -> None:
    """Rewrite the row of one group's end."""
    database = Database.open(db, rows.FAMILIES)
    database.commit([(rows.ENDS, rows.encode_version(VERSION), FALSE)])
    database.close()


def rewrite_what_a_start_compares(db: Path) -> None:
    """Let the snapshot log's rows and the derived index say the same as the rewritten row."""
    database = Database.open(db, rows.FAMILIES)
    trace, ends = Trace(), hashlib.sha256()
    for part in cut_parts(read_groups(database)):
        trace, traced = trace.extend(bytes(part.digests), part.counts, bytes(part.hyper_digests))
        ends.update(part.hyper_digests)
        mark = Mark(trace.size, trace.frontier.root)
        database.commit(rows.encode_snapshots(mark, traced.nodes))
    database.close()
    verified = hyper_index.read_index(db)
    assert verified is not None
    hyper_index.write_index(db, replace(verified, ends_digest=ends.digest()))


@pytest.mark.slow
def test_start_refuses_a_rewritten_row(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path, interval_s=1) as stage:
        stage.whole.start_server().start_store()
        stage.whole.start_agent("publisher")
        stage.whole.start_agent("monitor")
        stage.add(*([event] for event in numbered(0, 5)))
        stage.wait_watched(5)
        stage.whole.server.stop()
        since_s = time.monotonic()
        rewrite_row(stage.db)

        assert f"the row ends/{VERSION} has the hyper digest {FALSE.hex()}" in (
            stage.refuses_to_start()
        )

        stage.expect_silence_told(1, since_s=since_s)
        assert stage.whole.evidence_files("monitor") == []


@pytest.mark.slow
def test_monitor_and_publisher_find_two_roots_of_one_size(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path) as stage:
        stage.whole.start()
        stage.add(*([event] for event in numbered(0, 5)))
        stage.wait_watched(5)
        before = stage.snapshots(5)
        stage.whole.server.stop()
        rewrite_row(stage.db)
        rewrite_what_a_start_compares(stage.db)
        stage.whole.server.start()
        since_s = time.monotonic()

        for agent in ("monitor", "publisher"):
            evidence = stage.expect_alert(agent, "equivocation", since_s=since_s)
            assert (
                "it showed two histories" in stage.expect_signed(evidence, "equivocation").finding
            )
        assert stage.snapshots(5) == before
        stage.whole.server.stop()
        checked = qed.run("check", str(stage.db))
        assert (checked.code, f"the row ends/{VERSION} " in checked.err) == (41, True), checked
