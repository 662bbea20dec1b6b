import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Harness, event, events
from qed import durable
from qed.database import Database
from qed.engine import rows
from qed.engine.check import check, read_head
from qed.engine.log import Limits, Log
from qed.errors import (
    ConflictError,
    DamagedError,
    LockedError,
    MalformedError,
    NewerFormatError,
    NotFoundError,
    QedError,
    StoppingError,
    TooLargeError,
)
from qed.trees.values import NO_VERSION
from qed.trees.verify import Root, verify_incremental, verify_membership


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.fixture
def harness(path: Path) -> Iterator[Harness]:
    with contextlib.closing(Harness(path)) as harness:
        yield harness


def test_single_adds(harness) -> None:
    for number in range(9):
        harness.add(event(number))
    harness.reopen()
    harness.add(event(9))


def test_bulks_repeats_and_reopening(harness) -> None:
    harness.add(event(0), event(1), event(0))
    harness.add(event(1))
    harness.reopen()
    harness.add(event(2), event(2), event(0), event(3))
    harness.add(event(3), event(0))
    harness.power_cut()
    harness.add(event(4))
    harness.reopen()


def test_an_empty_log_survives_everything(harness) -> None:
    harness.reopen()
    harness.power_cut()
    assert harness.log.current_version == NO_VERSION
    harness.add(event(0))


def test_a_power_cut_after_each_group_loses_nothing(harness) -> None:
    for number in range(4):
        harness.add(*events(3 * number, 3 * number + 3))
        harness.power_cut()


def test_a_new_log_has_a_name_of_its_own(tmp_path) -> None:
    with Log.create(tmp_path / "a") as first, Log.create(tmp_path / "b") as second:
        assert first.identity.log_id != second.identity.log_id
        assert first.identity.origin == f"qed-{first.identity.log_id.hex()}"
        assert first.head.epoch == first.head.sequence == first.head.size == 0
    with Log.create(tmp_path / "c", origin="log.example/a", node_id="node") as named:
        identity = named.identity
    with Log.open(tmp_path / "c") as again:
        assert again.identity == identity
        assert (identity.origin, identity.node_id) == ("log.example/a", "node")


@pytest.mark.parametrize(
    "origin", ["qed/x", "a/e1", "a b", "a+b", "a\nb", "a\x07b", "x" * 241, "\ud800", "\xa0"]
)
def test_an_origin_that_no_note_can_carry_is_refused(path, origin) -> None:
    with pytest.raises(MalformedError, match="cannot be an origin"):
        Log.create(path, origin=origin)
    assert not path.exists()


def test_create_is_not_open(path) -> None:
    with Log.create(path) as log:
        log.append([event(0)])
    with pytest.raises(ConflictError, match="holds a database already"):
        Log.create(path)
    assert check(path).size == 1


@pytest.mark.parametrize("exists", [True, False])
def test_open_is_not_create(path, exists) -> None:
    if exists:
        path.mkdir()
    with pytest.raises(NotFoundError, match="there is no log in"):
        Log.open(path)
    assert path.exists() is exists
    assert not exists or list(path.iterdir()) == []


def test_an_interrupted_creation_is_finished_by_the_next(path) -> None:
    path.mkdir()
    Database.create(path, ("default",)).close()
    with pytest.raises(NotFoundError, match="interrupted"):
        Log.open(path)
    with Log.create(path) as log:
        log.append([event(0)])
    assert check(path).size == 1


def test_a_new_logs_name_outlives_its_write_ahead_log(path, tmp_path) -> None:
    with Log.create(path) as log:
        shutil.copytree(path, tmp_path / "copy")
        identity = log.identity
    for wal in (tmp_path / "copy").glob("*.log"):
        wal.unlink()
    assert read_head(tmp_path / "copy")[0] == identity


def test_the_node_id_is_checked_when_it_is_given(path) -> None:
    Log.create(path, node_id="server0").close()
    with pytest.raises(ConflictError, match="belongs to node 'server0', not to 'server1'") as wrong:
        Log.open(path, node_id="server1")
    assert "--node-id server0" in wrong.value.hint
    Log.open(path, node_id="server0").close()
    Log.open(path).close()


def test_a_newer_format_is_left_alone(path) -> None:
    Log.create(path).close()
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        database.commit([("default", b"format", b"\x00\x02")])
    with pytest.raises(NewerFormatError, match="has format 2, this program reads up to format 1"):
        Log.open(path)
    with pytest.raises(NewerFormatError):
        check(path)


def test_the_directory_is_held_until_the_log_is_closed(path) -> None:
    with Log.create(path):
        for second in (Log.open, Log.create, check):
            with pytest.raises(
                LockedError, match=rf"in use by another process \(pid {os.getpid()}"
            ):
                second(path)
    with durable.lock_directory(path, exclusive=True):
        with pytest.raises(LockedError):
            Log.open(path)
        with Log.open(path, held=True):
            pass


def test_another_process_is_told_who_has_it(harness) -> None:
    refused = in_another_process("Log.open(path)", harness.path)
    assert refused == (
        f"LockedError database {harness.path} is in use by another process (pid {os.getpid()})"
    )
    harness.add(event(0))
    assert refused == in_another_process("Log.open(path)", harness.path)


def in_another_process(call: str, path: Path) -> str:
    code = f"""
import sys
from pathlib import Path
from qed.engine.log import Log
from qed.errors import QedError
path = Path(sys.argv[1])
try:
    {call}
except QedError as error:
    print(type(error).__name__, error)
"""
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_refused_open_leaves_nothing_locked(path) -> None:
    Log.create(path, node_id="a").close()
    for _ in range(2):
        with pytest.raises(ConflictError):
            Log.open(path, node_id="b")
    Log.open(path, node_id="a").close()


def test_requests_that_cannot_be_added_are_refused_and_add_nothing(path) -> None:
    with Log.create(path, limits=Limits(group_events=3)) as log:
        for digests, error in (
            ([], MalformedError),
            ([event(0), b"x" * 31], MalformedError),
            ([b"x" * 64], MalformedError),
            (events(0, 4), TooLargeError),
        ):
            with pytest.raises(error):
                log.append(digests)
        assert log.head.size == 0
        assert log.append(events(0, 3)).first_version == 0


def test_close_commits_what_is_queued_and_takes_nothing_more(path) -> None:
    log = Log.create(path)
    futures = [log.submit([event(number)]) for number in range(50)]
    log.close()
    assert [future.result(timeout=0).first_version for future in futures] == list(range(50))
    with pytest.raises(StoppingError):
        log.submit([event(50)])
    log.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "qed-writer"]
    assert check(path).size == 50


def test_two_threads_may_close(path) -> None:
    log = Log.create(path)
    closers = [threading.Thread(target=log.close) for _ in range(3)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()
    Log.open(path).close()


def test_a_closed_log_still_proves_from_memory(path) -> None:
    with Log.create(path) as log:
        log.append([event(0)])
    assert log.prove_membership(event(0)).exists


def test_progress_is_reported_while_opening(path) -> None:
    with Log.create(path) as log:
        for number in range(3):
            log.append([event(number)])
    seen: list[tuple[int, int]] = []
    Log.open(path, progress=lambda done, total: seen.append((done, total))).close()
    assert seen[-1] == (3, 3)


def test_checkpoints_stand_at_group_ends_while_others_write(path, tmp_path) -> None:
    with Log.create(path) as log:
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                log.append(events(number, number + 5))
                number += 5

        writer = threading.Thread(target=write)
        writer.start()
        copies = [tmp_path / f"copy-{n}" for n in range(5)]
        for copy in copies:
            before = log.head.size
            log.checkpoint(copy)
            after = log.head.size
            assert before <= read_head(copy)[1].size <= after
            assert all(wal.stat().st_size == 0 for wal in copy.glob("*.log"))
        stop.set()
        writer.join()
        with pytest.raises(ConflictError):
            log.checkpoint(copies[0])
    for copy in copies:
        assert check(copy).size % 5 == 0
        with Log.open(copy) as restored:
            restored.append([b"r" * 32])


def test_a_checkpoint_is_made_between_two_groups(path, tmp_path, monkeypatch) -> None:
    with Log.create(path) as log:
        at_rest = []
        monkeypatch.setattr(
            log._database,
            "checkpoint",
            lambda _: at_rest.append(log._committer._commit_lock.locked()),
        )
        log.checkpoint(tmp_path / "copy")
        assert at_rest == [True]


def test_readers_see_one_consistent_version_while_others_write(path) -> None:
    log = Log.create(path)
    snapshots = {snapshot.version: snapshot for snapshot in log.append(events(0, 8)).snapshots()}
    done = threading.Event()
    failures: list[BaseException] = []
    proofs = []

    def read() -> None:
        try:
            while not done.is_set():
                proofs.append(log.prove_membership(event(len(proofs) % 8)))
                size = log.head.size
                proofs.append(log.prove_incremental(size // 3, size - 1))
        except BaseException as error:
            failures.append(error)
            raise

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(8, 60):
        for snapshot in log.append([event(number)]).snapshots():
            snapshots[snapshot.version] = snapshot
    done.set()
    for reader in readers:
        reader.join()
    log.close()
    assert failures == []
    assert len(proofs) > 20
    for proof in proofs[:: max(1, len(proofs) // 200)]:
        verify(proof, snapshots)


def verify(proof, snapshots) -> None:
    if hasattr(proof, "audit_path"):
        roots = [Root(v, snapshots[v].history_digest) for v in (proof.start, proof.end)]
        verify_incremental(proof, start=roots[0], end=roots[1])
        return
    current = proof.current_version
    verify_membership(
        proof,
        digest=proof.key_digest,
        version=None,
        hyper=Root(current, snapshots[current].hyper_digest),
        history=Root(current, snapshots[current].history_digest),
    )


def test_kill_9_loses_nothing_that_was_acknowledged(path) -> None:
    """A child adds and prints each version; it is killed in the middle, several times."""
    code = """
import sys
from hashlib import sha256
from pathlib import Path
from qed.engine.log import Log
path = Path(sys.argv[1])
log = Log.open(path)
while True:
    size = log.head.size
    futures = [log.submit([sha256(b"event %d" % (size + n)).digest()]) for n in range(10)]
    for future in futures:
        print(future.result().first_version, flush=True)
"""
    Log.create(path).close()
    for round_ in range(3):
        command = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(30 + 7 * round_):
                acknowledged = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split("\n")
        acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
        assert check(path).size > acknowledged
        with Log.open(path) as log:
            for number in range(acknowledged + 1):
                assert log.prove_membership(event(number)).actual_version == number
            # Round off what was cut short, so that the next child goes on with its own numbers.
            size = log.head.size
            assert all(log.prove_membership(event(n)).exists for n in range(size))


def test_a_program_that_forgets_to_close_ends_and_has_committed(path) -> None:
    Log.create(path).close()
    call = "log = Log.open(path); futures = [log.submit([bytes([n]) * 32]) for n in range(9)]"
    assert in_another_process(call, path) == ""
    assert check(path).size == 9
    # So many that the writer would use its second thread, which has ended by then.
    call = "log = Log.open(path); futures = [log.submit([bytes(32)] * 300) for _ in range(99)]"
    assert in_another_process(call, path) == ""
    assert check(path).size == 9 + 99 * 300


@pytest.mark.parametrize("kind", ["*.sst", "*.log"])
def test_no_flipped_byte_is_served(tmp_path, kind) -> None:
    """Flip single bytes all over a file: opening refuses, or nothing has changed."""
    original = tmp_path / "original"
    log = Log.create(original)
    for number in range(30):
        log.append(events(10 * number, 10 * number + 10))
    source = tmp_path / "source"
    if kind == "*.log":
        shutil.copytree(original, source)
    log.close()
    if kind == "*.sst":
        shutil.copytree(original, source)
    head = log.head
    refused = 0
    name = max(source.glob(kind), key=lambda file: file.stat().st_size).name
    size = (source / name).stat().st_size
    for offset in range(0, size, max(1, size // 40)):
        copy = tmp_path / "copy"
        shutil.copytree(source, copy)
        data = bytearray((copy / name).read_bytes())
        data[offset] ^= 0x10
        (copy / name).write_bytes(data)
        try:
            with Log.open(copy) as opened:
                assert opened.head == head
                assert opened.prove_membership(event(17)).exists
        except DamagedError:
            refused += 1
        shutil.rmtree(copy)
    assert refused > 25


def test_refusals_carry_a_hint(path) -> None:
    with pytest.raises(QedError) as missing:
        Log.open(path)
    assert missing.value.hint
