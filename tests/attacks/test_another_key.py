"""What another key signed, under the same origin.

- The server is restarted with another key: **monitor** and **publisher** say `signature` within
  10 s, with the note as evidence, which says of itself that the pinned key did not sign it. Nothing
  of it gets into the store, and clients with a pin refuse (30).
- A store serves a note that another key has signed: the **auditor** says `signature` within 5 s,
  and a client refuses (30). Whoever puts such a note into the store's database, while it is down,
  has its own start refuse and name the row (41).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.proxy import changed, proxy
from attacks.scene import Scene, numbered, scene
from process import Qed
from qed.client.feed import open_source
from qed.database import Database
from qed.signing.checkpoint import read_checkpoint, sign_checkpoint
from qed.signing.keys import open_private_key
from qed.signing.note import NoteSigner
from qed.snapshot_store import rows

SIZE = 4


def sign_again(stage: Scene) -> bytes:
    """Return the checkpoint that the store serves, signed by another key of the same name."""
    with open_source(stage.whole.real_store_url) as source:
        true = read_checkpoint(source.checkpoint())
    key = open_private_key(stage.scratch / "another key").key
    return sign_checkpoint(NoteSigner(key, true.origin), true.size, true.root)


def expect_not_signed(stage: Scene, evidence: Path) -> None:
    """Expect evidence that holds, and that is only its author's word."""
    shown = stage.verify(evidence)
    assert (shown.code, shown.kind, shown.signed) == (31, "signature", False), shown


@pytest.mark.slow
def test_server_is_restarted_with_another_key(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path) as stage:
        stage.whole.start()
        stage.add(numbered(0, SIZE))
        stage.wait_watched(SIZE)
        stage.expect_peace()
        member = ("membership", "--event", "event 1", "--auto-verify", "--from-server")
        assert stage.client(*member).code == 0

        stage.whole.server.stop()
        stage.whole.server.flags = ("--private-key-path", str(tmp_path / "another key"))
        stage.whole.server.start()
        stage.add(numbered(SIZE, SIZE + 2))
        since_s = time.monotonic()

        for agent in ("monitor", "publisher"):
            expect_not_signed(stage, stage.expect_alert(agent, "signature", since_s=since_s))
        asked = stage.client(*member)
        assert asked.code == 30, asked
        assert stage.whole.count() == SIZE


@pytest.mark.slow
def test_store_serves_what_another_key_signed(qed: Qed, tmp_path: Path) -> None:
    with scene(qed, tmp_path) as stage:
        stage.whole.start_server().start_store()
        with proxy(stage.whole.real_store_url) as store:
            stage.whole.start_agent("publisher")
            stage.start_agent("auditor", store=store.url)
            stage.add(numbered(0, SIZE))
            stage.wait_watched(SIZE)
            stage.expect_peace()
            get = ("get", "--version", "1")
            assert stage.client(*get, store=store.url).code == 0

            note = sign_again(stage)
            store.lie = lambda said: changed(said, note) if said.path == "/checkpoint" else said
            since_s = time.monotonic()

            expect_not_signed(stage, stage.expect_alert("auditor", "signature", since_s=since_s))
            asked = stage.client(*get, store=store.url)
            assert asked.code == 30, asked

        stage.whole.store.stop()
        database = Database.open(tmp_path / "whole" / "store", rows.FAMILIES)
        database.commit([rows.encode_published(note)])
        database.close()
        assert stage.whole.store.spawn().end() == 41
        assert "the row default/published" in stage.whole.store.output
