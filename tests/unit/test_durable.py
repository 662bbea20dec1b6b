"""Files that survive power loss: what is synced when, and what is left after a failure."""

import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qed import durable
from qed.errors import ConflictError, LockedError, NotFoundError, StorageError

Trace = list[tuple[str, str]]


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Every write, fsync and rename, in order, with the name that the descriptor has then."""
    calls: Trace = []
    write, fsync, rename, replace = os.write, os.fsync, os.rename, os.replace

    def name(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name

    def traced_write(descriptor: int, data: bytes) -> int:
        calls.append(("write", name(descriptor)))
        return write(descriptor, data)

    def traced_fsync(descriptor: int) -> None:
        calls.append(("fsync", name(descriptor)))
        fsync(descriptor)

    def traced_rename(call: Callable[..., None]) -> Callable[..., None]:
        def rename_and_note(source: Path, target: Path) -> None:
            calls.append(("rename", f"{Path(source).name} -> {Path(target).name}"))
            call(source, target)

        return rename_and_note

    monkeypatch.setattr(os, "write", traced_write)
    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "rename", traced_rename(rename))
    monkeypatch.setattr(os, "replace", traced_rename(replace))
    return calls


def fail(monkeypatch: pytest.MonkeyPatch, call: str, number: int, *, times: int = 1) -> None:
    """Let the next `times` calls of `os.<call>` fail."""
    real = getattr(os, call)
    left = [times]

    def failing(*arguments: object) -> object:
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    monkeypatch.setattr(os, call, failing)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# write_file


def test_a_file_is_written_beside_synced_renamed_and_its_name_synced(
    tmp_path: Path, trace: Trace
) -> None:
    durable.write_file(tmp_path / "head", b"new")
    assert (tmp_path / "head").read_bytes() == b"new"
    assert trace == [
        ("write", ".head.tmp"),
        ("fsync", ".head.tmp"),
        ("rename", ".head.tmp -> head"),
        ("fsync", tmp_path.name),
    ]


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod", "replace"])
def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    durable.write_file(tmp_path / "head", b"old")
    fail(monkeypatch, call, errno.ENOSPC)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        durable.write_file(tmp_path / "head", b"new")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.hint == "free some space, then do it again"
    assert [path.name for path in tmp_path.iterdir()] == ["head"]
    assert (tmp_path / "head").read_bytes() == b"old"
    durable.write_file(tmp_path / "head", b"new")
    assert (tmp_path / "head").read_bytes() == b"new"


def test_a_failed_sync_of_the_directory_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    fail(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(StorageError, match="cannot sync"):
        durable.sync_directory(tmp_path / "sub")


def test_what_an_interrupted_write_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".head.tmp").write_bytes(b"half of something longer")
    durable.write_file(tmp_path / "head", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["head"]
    assert (tmp_path / "head").read_bytes() == b"new"


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".head.tmp").symlink_to(victim)
    with pytest.raises(StorageError):
        durable.write_file(tmp_path / "head", b"new")
    assert victim.read_bytes() == b"mine"
    durable.write_file(tmp_path / "head", b"new")
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o644, 0o666])
def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path, wanted: int) -> None:
    before = os.umask(0o077)
    try:
        durable.write_file(tmp_path / "key", b"x", wanted)
    finally:
        os.umask(before)
    assert mode(tmp_path / "key") == wanted
    assert durable.is_private(tmp_path / "key") is (wanted == 0o600)


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    durable.write_file(tmp_path / "head", b"0123456789")
    assert (tmp_path / "head").read_bytes() == b"0123456789"


# write_new_file


def test_a_new_file_is_never_written_over_another(tmp_path: Path) -> None:
    durable.write_new_file(tmp_path / "key", b"first")
    with pytest.raises(ConflictError, match="exists already"):
        durable.write_new_file(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"


def test_half_a_new_file_does_not_stand_in_the_way_of_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "write", errno.ENOSPC)
    with pytest.raises(StorageError):
        durable.write_new_file(tmp_path / "key", b"first")
    assert list(tmp_path.iterdir()) == []
    durable.write_new_file(tmp_path / "key", b"first")


def test_a_new_file_is_synced_and_the_directory_is_left_to_the_caller(
    tmp_path: Path, trace: Trace
) -> None:
    durable.write_new_file(tmp_path / "key", b"first")
    assert trace == [("write", "key"), ("fsync", "key")]


# make_directory


def test_each_new_directory_is_synced_in_its_parent(tmp_path: Path, trace: Trace) -> None:
    durable.make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert trace[-2:] == [("fsync", tmp_path.name), ("fsync", "a")]


def test_a_directory_whose_maker_was_killed_is_synced_by_the_next(
    tmp_path: Path, trace: Trace
) -> None:
    (tmp_path / "a").mkdir()
    durable.make_directory(tmp_path / "a")
    assert trace == [("fsync", tmp_path.name)]


def test_two_makers_at_once_both_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir

    def other_is_faster(path: Path, mode: int = 0o777) -> None:
        mkdir(path, mode)
        mkdir(path, mode)

    monkeypatch.setattr(Path, "mkdir", other_is_faster)
    durable.make_directory(tmp_path / "a")
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize("under", [Path(), Path("deeper")])
def test_a_file_in_the_way_is_named(tmp_path: Path, under: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ConflictError, match="/a is in the way"):
        durable.make_directory(tmp_path / "a" / under)


def test_a_link_to_nowhere_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConflictError, match="in the way"):
        durable.make_directory(tmp_path / "a")


def test_looking_tells_files_from_directories_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"12345")
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("b")
    assert [path.name for path in durable.list_directory(tmp_path)] == ["a", "b", "link"]
    looked = [
        (
            durable.exists(path),
            durable.is_directory(path),
            durable.is_link(path),
            durable.size_bytes(path),
        )
        for path in (tmp_path / "a", tmp_path / "b", tmp_path / "link", tmp_path / "nothing")
    ]
    assert looked == [
        (True, True, False, None),
        (True, False, False, 5),
        (True, False, True, None),
        (False, False, False, None),
    ]
    assert durable.size_bytes(tmp_path / "b" / "below a file") is None


@pytest.mark.parametrize(
    "look", [durable.exists, durable.is_directory, durable.is_link, durable.size_bytes]
)
def test_trouble_with_looking_is_an_error_and_not_a_no(
    look: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(StorageError) as caught:
        look(tmp_path / ("n" * 300))
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_missing_directory_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing"):
        durable.list_directory(tmp_path / "nothing")


def test_a_link_to_a_directory_will_do(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "real")
    durable.make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "real" / "b").is_dir()


# copy_file and the readers


def test_a_copy_shows_its_chunks_and_is_synced(tmp_path: Path, trace: Trace) -> None:
    data = os.urandom(durable.COPY_CHUNK_BYTES + 5)
    (tmp_path / "from").write_bytes(data)
    seen: list[bytes] = []
    durable.copy_file(tmp_path / "from", tmp_path / "to", seen.append)
    assert (tmp_path / "to").read_bytes() == data == b"".join(seen)
    assert [len(chunk) for chunk in seen] == [durable.COPY_CHUNK_BYTES, 5]
    assert trace[-1] == ("fsync", "to")


def test_a_copy_onto_a_hard_link_leaves_the_other_name_alone(tmp_path: Path) -> None:
    (tmp_path / "live").write_bytes(b"live")
    (tmp_path / "stage").hardlink_to(tmp_path / "live")
    (tmp_path / "from").write_bytes(b"from the backup")
    durable.copy_file(tmp_path / "from", tmp_path / "stage")
    assert (tmp_path / "live").read_bytes() == b"live"
    assert (tmp_path / "stage").read_bytes() == b"from the backup"


def test_a_copy_onto_itself_keeps_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "live").write_bytes(b"live")
    durable.copy_file(tmp_path / "live", tmp_path / "live")
    assert (tmp_path / "live").read_bytes() == b"live"


def test_a_copy_does_not_follow_a_link_at_its_target(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"new")
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "to").symlink_to(tmp_path / "victim")
    durable.copy_file(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert (tmp_path / "to").read_bytes() == b"new"


def test_a_full_disk_during_a_copy_names_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "from").write_bytes(b"x")
    fail(monkeypatch, "write", errno.ENOSPC)
    with pytest.raises(StorageError, match=r"/from to .*/to: No space left") as caught:
        durable.copy_file(tmp_path / "from", tmp_path / "to")
    assert caught.value.errno == errno.ENOSPC


def test_an_error_of_the_watcher_of_chunks_passes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"x")

    def refuse(_: bytes) -> None:
        raise ConflictError("no")

    with pytest.raises(ConflictError, match="no"):
        durable.copy_file(tmp_path / "from", tmp_path / "to", refuse)


def test_a_small_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"12345")
    assert durable.read_file(tmp_path / "small", 5) == b"12345"
    with pytest.raises(ConflictError, match="larger than the 4 bytes"):
        durable.read_file(tmp_path / "small", 4)
    with pytest.raises(NotFoundError, match="does not exist"):
        durable.read_file(tmp_path / "missing", 4)
    with pytest.raises(StorageError, match="Is a directory"):
        durable.read_file(tmp_path, 4)


def test_a_hash_is_that_of_all_the_bytes(tmp_path: Path) -> None:
    data = os.urandom(durable.COPY_CHUNK_BYTES * 2 + 1)
    (tmp_path / "big").write_bytes(data)
    assert durable.sha256_file(tmp_path / "big") == hashlib.sha256(data).digest()
    with pytest.raises(StorageError, match="cannot read"):
        durable.sha256_file(tmp_path / "missing")


# rename and remove


def test_a_move_is_synced_on_both_sides(tmp_path: Path, trace: Trace) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x")
    durable.rename(tmp_path / "a" / "file", tmp_path / "b" / "file")
    assert trace == [("rename", "file -> file"), ("fsync", "b"), ("fsync", "a")]


def test_a_move_within_a_directory_is_synced_once(tmp_path: Path, trace: Trace) -> None:
    (tmp_path / "old").write_bytes(b"x")
    durable.rename(tmp_path / "old", tmp_path / "new")
    assert trace == [("rename", "old -> new"), ("fsync", tmp_path.name)]
    with pytest.raises(StorageError, match="cannot rename"):
        durable.rename(tmp_path / "old", tmp_path / "new")


@pytest.mark.parametrize("remove", [durable.remove_file, durable.remove_tree])
def test_a_missing_thing_is_removed_already(tmp_path: Path, remove: Callable[[Path], None]) -> None:
    remove(tmp_path / "missing")
    remove(tmp_path / "missing" / "deeper")


def test_a_removed_file_is_gone_durably(tmp_path: Path, trace: Trace) -> None:
    (tmp_path / "file").write_bytes(b"x")
    durable.remove_file(tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert trace == [("fsync", tmp_path.name)]
    with pytest.raises(StorageError, match="cannot remove"):
        durable.remove_file(tmp_path)


def test_a_removed_tree_is_gone_durably(tmp_path: Path, trace: Trace) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    durable.remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
    assert trace == [("fsync", tmp_path.name)]


def test_a_removed_tree_is_gone_and_what_its_links_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"x")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    durable.remove_tree(tmp_path / "tree")
    durable.remove_tree(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


# lock_directory


@pytest.mark.parametrize(
    ("held", "asked", "refused"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_one_writer_or_many_readers(
    tmp_path: Path, *, held: bool, asked: bool, refused: bool
) -> None:
    with durable.lock_directory(tmp_path, exclusive=held):
        if refused:
            with (
                pytest.raises(LockedError, match="in use by another process"),
                durable.lock_directory(tmp_path, exclusive=asked),
            ):
                pass
        else:
            with durable.lock_directory(tmp_path, exclusive=asked):
                pass
    with durable.lock_directory(tmp_path, exclusive=True):
        pass
    assert list(tmp_path.iterdir()) == []


HOLDER = """
import sys, pathlib
from qed.durable import lock_directory
with lock_directory(pathlib.Path(sys.argv[1]), exclusive=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_is_refused_a_lock_is_told_in_the_callers_words(tmp_path: Path) -> None:
    def refusal() -> LockedError:
        return LockedError("somebody works here", hint="go elsewhere")

    with durable.lock_directory(tmp_path, exclusive=True, refusal=refusal):
        with (
            pytest.raises(LockedError, match=r"^somebody works here$") as caught,
            durable.lock_directory(tmp_path, exclusive=True, refusal=refusal),
        ):
            raise AssertionError("held twice")
        assert caught.value.hint == "go elsewhere"


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError), durable.lock_directory(tmp_path, exclusive=True):
            pass
        holder.kill()
        holder.wait()
    with durable.lock_directory(tmp_path, exclusive=True):
        pass


def test_a_missing_directory_cannot_be_locked(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="cannot open"),
        durable.lock_directory(tmp_path / "missing", exclusive=True),
    ):
        pass


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int, __: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(durable.fcntl, "flock", refuse)
    with (
        pytest.raises(StorageError, match="cannot lock"),
        durable.lock_directory(tmp_path, exclusive=True),
    ):
        pass


def test_the_owner_of_a_posix_lock_is_known_to_others(tmp_path: Path) -> None:
    path = tmp_path / "LOCK"
    path.touch()
    assert durable.lock_owner(path) is None
    assert durable.lock_owner(tmp_path / "missing") is None
    code = (
        "import sys, pathlib, qed.durable; print(qed.durable.lock_owner(pathlib.Path(sys.argv[1])))"
    )
    with path.open("rb+") as locked:
        fcntl.lockf(locked, fcntl.LOCK_EX)
        asked = subprocess.run(
            [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
        )
        assert asked.stdout.strip() == str(os.getpid())


def test_a_mount_between_two_names_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="cannot move") as caught,
        durable.storage_errors("move", tmp_path),
    ):
        raise OSError(errno.EXDEV, "other device")

    assert caught.value.hint == "something is mounted between the two: unmount it, then do it again"
