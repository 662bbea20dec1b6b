"""The database is rebuilt over another event and put in the place of the old one.

Same key, same origin, same log id, and every node above the replaced digest is recomputed: it is an
honest database of other events, so the start takes it. What it signs excludes what it has signed.
**Monitor** and **publisher** say `equivocation` with the first checkpoint they get, within 10 s.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.scene import digest_of, numbered, scene
from process import Qed
from qed.database import Database
from qed.engine import rows
from qed.engine.group_rows import read_groups
from qed.engine.log import Log
from qed.engine.replay import read_meta
from qed.engine.state import empty_head

SIZE = 6


def rebuild(db: Path, old: bytes, new: bytes) -> None:
    """Put a log with the same name in the place of another: one digest of it is replaced."""
    database = Database.open(db, rows.FAMILIES)
    identity, _ = read_meta(database)
    groups = [group.digests for group in read_groups(database)]
    database.close()
    db.rename(db.with_name("db of before"))
    db.mkdir()
    database = Database.create(db, rows.FAMILIES)
    database.commit(rows.encode_creation(identity, empty_head(identity.log_id)))
    database.close()
    assert any(old in digests for digests in groups)
    with Log.open(db) as log:
        for digests in groups:
            log.append(digests.replace(old, new))


@pytest.mark.slow
def test_monitor_and_publisher_find_two_histories(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path) as stage:
        stage.whole.start()
        stage.add(numbered(0, 3), numbered(3, SIZE))
        stage.wait_watched(SIZE)
        before = stage.snapshots(SIZE)
        stage.whole.server.stop()
        rebuild(stage.db, digest_of("event 1"), digest_of("another event 1"))
        assert qed.run("check", str(stage.db)).code == 0
        stage.whole.server.start()
        since_s = time.monotonic()

        for agent in ("monitor", "publisher"):
            evidence = stage.expect_alert(agent, "equivocation", since_s=since_s)
            stage.expect_signed(evidence, "equivocation")
        assert stage.snapshots(SIZE) == before
        assert stage.client("membership", "--event", "another event 1", "--auto-verify").code == 30
