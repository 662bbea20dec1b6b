"""What the metrics port shows."""

import contextlib
import re

import pytest

from qed.errors import ContradictionError
from qed.snapshot_store.app import StorePort
from qed.snapshot_store.metrics import Metrics
from qed.snapshot_store.store import Store
from qed.web.application import Application
from qed.web.limits import WebLimits
from serving import ask, serving
from signed_log import SignedLog

LOG = SignedLog(60)


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "store", LOG.key) as found:
        yield found


def scrape(metrics):
    with serving(Application(metrics.routes(), WebLimits())) as server:
        answer = ask(server.port, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = re.findall(r"^(qed_\S+|process_\S+) (\S+)$", answer.body.decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_the_numbers_are_those_of_the_store(store):
    port = StorePort(store, WebLimits())
    metrics = Metrics(store, port, {200: 3})
    assert scrape(metrics)["qed_store_published_size"] == 0
    store.accept(LOG.batch(0, 40))
    store.accept(LOG.batch(40, 50, 60))
    store.add_alert(b"x")
    with contextlib.suppress(ContradictionError):
        store.accept(SignedLog(60, branch=3).batch(0, 40))
    port.counts.batches_new, port.counts.last_batch_s = 2, 0
    found = scrape(metrics)
    assert found["qed_store_snapshots"] == 50
    assert found["qed_store_published_size"] == 40
    assert found["qed_store_conflicts"] == 1
    assert found['qed_store_alerts{source="store"}'] == 1
    assert found['qed_store_alerts{source="posted"}'] == 1
    assert found['qed_store_batches{result="new"}'] == 2
    assert found['qed_http_answers{port="store",status="200"}'] == 3
    assert found["qed_store_last_batch_age_seconds"] > 10**9
    assert found["qed_store_database_bytes"] > 1000
    assert "process_open_fds" in found


def test_two_stores_in_one_process_do_not_disturb_each_other(store):
    port = StorePort(store, WebLimits())
    assert scrape(Metrics(store, port, {})) == pytest.approx(
        scrape(Metrics(store, port, {})), rel=1
    )
