from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from harness import event, events
from qed.engine import replay as replay_module
from qed.engine.hyper_index import decode_index, encode_index, read_index, write_index
from qed.engine.log import Log
from qed.engine.replay import Verified

VERIFIED = Verified(
    log_id=bytes(range(16)),
    size=258,
    history_digest=b"h" * 32,
    hyper_digest=b"y" * 32,
    ends_digest=b"e" * 32,
)


def test_the_bytes_of_the_index() -> None:
    data = encode_index(VERIFIED)
    body = (
        b"qed-idx\x01"
        + bytes(range(16))
        + bytes([0, 0, 0, 0, 0, 0, 1, 2])
        + b"h" * 32
        + b"y" * 32
        + b"e" * 32
    )
    assert data == body + sha256(body).digest()
    assert decode_index(data) == VERIFIED


def test_no_changed_bit_is_read() -> None:
    data = encode_index(VERIFIED)
    for offset in range(len(data)):
        changed = bytearray(data)
        changed[offset] ^= 1
        assert decode_index(bytes(changed)) is None


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 159])
def test_no_cut_file_is_read(cut) -> None:
    assert decode_index(encode_index(VERIFIED)[:cut]) is None
    assert decode_index(encode_index(VERIFIED) + b"x") is None


def test_another_format_is_as_good_as_none() -> None:
    body = b"qed-idx\x02" + encode_index(VERIFIED)[8:-32]
    assert decode_index(body + sha256(body).digest()) is None


def test_what_is_written_is_read(tmp_path) -> None:
    assert read_index(tmp_path) is None
    write_index(tmp_path, VERIFIED)
    assert read_index(tmp_path) == VERIFIED
    assert [path.name for path in (tmp_path / "qed-index").iterdir()] == ["verified"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of three groups, with its index."""
    with Log.create(tmp_path / "db") as log:
        for digests in (events(0, 3), [event(1)], events(3, 5)):
            log.append(digests)
    return tmp_path / "db"


def record(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note how replay makes the hyper tree: built at once, or compared group by group."""
    steps: list[str] = []
    build, extend = replay_module._Replay._agrees, replay_module._Replay._extend

    def noted_build(self, verified) -> bool:
        steps.append("built")
        return build(self, verified)

    def noted_extend(self, part) -> None:
        steps.append(f"{len(part.counts)} groups compared")
        extend(self, part)

    monkeypatch.setattr(replay_module._Replay, "_agrees", noted_build)
    monkeypatch.setattr(replay_module._Replay, "_extend", noted_extend)
    return steps


def opened_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Open a log, prove that it works, and return the steps in which its hyper tree was made."""
    with monkeypatch.context() as patch:
        steps = record(patch)
        log = Log.open(path)
    try:
        assert log.prove_membership(event(1)).actual_version == 3
        assert log.head.size == 6
    finally:
        log.close()
    return steps


def test_a_clean_close_leaves_an_index_that_the_next_open_uses(path, monkeypatch) -> None:
    assert read_index(path) is not None
    assert opened_in(path, monkeypatch) == ["built"]


def delete(file: Path) -> None:
    file.unlink()


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)


def enlarge(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(10_000))


def replace_by_another_logs(file: Path) -> None:
    with Log.create(file.parents[1] / "other") as log:
        for digests in (events(0, 3), [event(1)], events(3, 5)):
            log.append(digests)
    other = file.parents[1] / "other" / "qed-index" / "verified"
    file.write_bytes(other.read_bytes())


def replace_by_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "harm",
    [delete, truncate, empty, flip, enlarge, replace_by_another_logs, replace_by_a_directory],
)
def test_a_lost_or_wrong_index_costs_time_and_nothing_else(
    path, monkeypatch, harm: Callable[[Path], None]
) -> None:
    harm(path / "qed-index" / "verified")
    assert opened_in(path, monkeypatch) == ["3 groups compared"]
    if harm is not replace_by_a_directory:
        assert opened_in(path, monkeypatch) == ["built"], "the close wrote it again"


def test_an_older_index_is_caught_up(path, monkeypatch) -> None:
    file = path / "qed-index" / "verified"
    old = file.read_bytes()
    with Log.open(path) as log:
        log.append([event(1)])
        log.append([event(9)])
    file.write_bytes(old)
    steps = record(monkeypatch)
    with Log.open(path) as log:
        assert steps == ["built", "2 groups compared"]
        assert log.prove_membership(event(1)).actual_version == 6


def test_no_index_is_written_by_a_log_that_has_stopped(path, monkeypatch) -> None:
    file = path / "qed-index" / "verified"
    file.unlink()
    log = Log.open(path)
    monkeypatch.setattr(log._database, "commit", lambda _: 1 / 0)
    assert log.submit([event(7)]).exception(timeout=10) is not None
    log.close()
    assert not file.exists()
