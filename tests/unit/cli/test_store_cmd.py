"""`qed store check` and `alerts`; `start` is tried as it is installed in tests/system."""

import contextlib
import json

import pytest

from qed.errors import ContradictionError
from qed.signing.note import VerifierKey, format_verifier_key
from qed.snapshot_store import start as room
from qed.snapshot_store.store import Store
from signed_log import SignedLog

LOG = SignedLog(50)
ML_DSA = 0x06
KEY = format_verifier_key(LOG.key)


@pytest.fixture(name="path")
def store_with_a_conflict(tmp_path):
    with Store.create(tmp_path / "store", LOG.key) as store:
        store.accept(LOG.batch(0, 40))
        store.add_alert(b"two\nlines")
        with contextlib.suppress(ContradictionError):
            store.accept(SignedLog(50, branch=9).batch(0, 40))
    return tmp_path / "store"


def test_a_store_in_order_is_described(run, path):
    done = run("store", "check", str(path))
    assert (done.code, done.err) == (0, "")
    assert done.text == (
        f"{path}: every root agrees with the snapshots\n"
        "    Snapshots: 40\n"
        "    Published: 40\n"
        f"    Root: {LOG.root(40).hex()}\n"
        f"    Origin: {LOG.key.name}\n"
        "    Alerts: 2\n"
        "    Conflicts: 1\n"
        "    Evidence: 1\n"
    )
    document = run("store", "check", "--db-path", str(path), "--json").document
    assert (document["Snapshots"], document["Key"]) == (40, KEY)
    assert run("store", "check", str(path), "--db-path", "/else").code == 2
    assert run("store", "check", str(path / "none")).code == 13


def test_alerts_are_printed_and_evidence_written(run, path, tmp_path):
    done = run("store", "alerts", str(path))
    assert done.code == 0
    assert "posted: two\n    lines\n" in done.text
    assert "store: a.test/log signed two roots for size 40" in done.text
    out = tmp_path / "found"
    document = run("store", "alerts", str(path), "--evidence-dir", str(out), "--json").document
    assert [alert["By"] for alert in document["Alerts"]] == ["posted", "store"]
    (name,) = document["Evidence"]
    assert json.loads((out / name).read_text())["Kind"] == "equivocation"


def test_an_alert_of_a_stranger_moves_no_terminal(run, path):
    with Store.open(path) as store:
        store.add_alert(b"\x1b[2K\rstore: all is well")
    assert "posted: \\x1b[2K\\rstore: all is well\n" in run("store", "alerts", str(path)).text


def test_the_flags_of_start_become_its_configuration(run, path, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(room, "serve", lambda config, **_: seen.append(config))
    key_file = tmp_path / "log.vkey"
    key_file.write_text(KEY + "\n")
    done = run(
        "store", "start", "--key", str(key_file), "--db-path", str(path),
        "--qed-endpoints", "http://a.test,http://b.test", "--max-alerts", "7",
        "--cosigner-key", KEY, "--max-body", "1MiB",
    )  # fmt: skip
    assert done.code == 0, done
    (config,) = seen
    assert (config.key, config.cosigner_keys, config.db_path) == (LOG.key, (LOG.key,), path)
    assert config.qed_endpoints == ("http://a.test", "http://b.test")
    assert (config.max_alerts, config.limits.body_bytes) == (7, 2**20)
    assert run("store", "start", "--key", "nothing").code == 13


def test_a_cosigners_key_may_be_in_a_file(run, path, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(room, "serve", lambda config, **_: seen.append(config))
    key = VerifierKey("cosigner.test", ML_DSA, bytes(1312))
    (tmp_path / "key").write_text(format_verifier_key(key) + "\n")
    words = ("store", "start", "--db-path", str(path), "--cosigner-key")

    assert run(*words, str(tmp_path / "key")).code == 0
    assert seen[0].cosigner_keys == (key,)
    (tmp_path / "none").write_text("no key\n")
    for name, code in (("none", 11), ("missing", 13)):
        done = run(*words, str(tmp_path / name))
        assert (done.code, "--cosigner-key: " in done.err) == (code, True)
