"""`qed client bulk`: lines are events, whatever they hold; batches are added whole."""

import io

import pytest

from qed.cli import client_bulk_cmd, output
from qed.errors import BusyError, MalformedError, TooLargeError


def read(data, size, *, skip_empty=False):
    return list(client_bulk_cmd.read_batches(io.BytesIO(data), size, skip_empty=skip_empty))


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\n\tb \n", [b"a\r", b"\tb "]),
        (b"\xff\xfe\n\x00\n", [b"\xff\xfe", b"\x00"]),
        (b"", []),
    ],
)
def test_the_bytes_of_a_line_are_an_event(data, events):
    assert [event for batch, _ in read(data, 10) for event in batch] == events


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (1, 9, [1]), (3, 1, [1, 1, 1])]
)
def test_batches_are_full_but_for_the_last(count, size, sizes):
    batches = read(b"x\n" * count, size)

    assert [len(batch) for batch, _ in batches] == sizes
    assert batches[-1][1] == 2 * count


def test_a_batch_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(client_bulk_cmd, "BATCH_LIMIT_BYTES", 10)

    assert [len(batch) for batch, _ in read(b"xxxx\n" * 5, 100)] == [2, 2, 1]
    assert [len(batch) for batch, _ in read(b"x" * 20 + b"\nx\n", 100)] == [1, 1]


def test_an_empty_line_is_refused_after_the_lines_before_it():
    batches = client_bulk_cmd.read_batches(io.BytesIO(b"a\nb\n\nc\n"), 10, skip_empty=False)

    assert next(batches)[0] == [b"a", b"b"]
    with pytest.raises(MalformedError, match="line 3 is empty"):
        next(batches)


def test_empty_lines_are_passed_over_when_asked():
    assert [batch for batch, _ in read(b"\na\n\n\nb\n\n", 10, skip_empty=True)] == [[b"a", b"b"]]


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(client_bulk_cmd, "LINE_LIMIT_BYTES", 10)

    assert read(b"x" * 9 + b"\n", 1)[0][0] == [b"x" * 9]
    with pytest.raises(TooLargeError, match="line 2"):
        read(b"a\n" + b"x" * 20, 10)


@pytest.mark.parametrize("piped", [True, False])
def test_the_lines_are_added_and_told(run, client, tmp_path, piped):
    path = tmp_path / "lines"
    path.write_bytes(b"a\nb\nc\n")

    source, given = ("-", path.read_bytes()) if piped else (str(path), b"")
    done = run("client", "bulk", source, "--batch-size", "2", given=given)

    assert done.code == 0
    assert (client.added, client.batches) == ([b"a", b"b", b"c"], [2, 1])
    assert done.text == "".join(
        f"{one.version}\t{one.event_digest.hex()}\t{one.history_digest.hex()}"
        f"\t{one.hyper_digest.hex()}\n"
        for one in client.log.snapshots
    )
    assert done.err == "3 events were added, the last one as version 2\n"


def test_quiet_prints_no_line_for_an_event(run, client):
    done = run("client", "bulk", "-", "--quiet", given=b"a\n")

    assert (done.code, done.out, client.added) == (0, b"", [b"a"])


def test_with_json_each_batch_is_told(run, client):
    done = run("client", "bulk", "-", "--batch-size=2", "--json", given=b"a\nb\nc\n")

    last = client.log.snapshots[2]
    assert done.document["Added"] == 3
    assert [one["FirstVersion"] for one in done.document["Batches"]] == [0, 2]
    assert done.document["Batches"][1]["HistoryDigest"] == last.history_digest.hex()


def test_no_lines_are_no_events(run, client):
    done = run("client", "bulk", "-")

    assert (done.code, client.added) == (0, [])
    assert done.err == "no event was added\n"


def test_what_was_added_before_a_failure_is_said(run, client):
    done = run("client", "bulk", "-", "--batch-size=2", given=b"a\nb\n\n")

    assert (done.code, client.added) == (11, [b"a", b"b"])
    assert "2 events were added, the last one as version 1 before this failed" in done.err
    assert "Error: line 3 is empty" in done.err


def test_a_batch_that_is_refused_ends_the_command(run, client):
    client.failure = BusyError("the queue is full")

    done = run("client", "bulk", "-", given=b"a\n")

    assert (done.code, done.out) == (21, b"")
    assert "no event was added before this failed" in done.err


def test_a_reader_that_went_away_is_told_what_was_added(run, client, monkeypatch):
    def closed(_):
        raise output.OutputClosedError

    monkeypatch.setattr(output, "emit", closed)

    done = run("client", "bulk", "-", "--batch-size=1", given=b"a\nb\n")

    assert (done.code, client.added) == (1, [b"a"])
    assert "1 event was added" in done.err


def test_a_missing_file_is_an_error(run, client, tmp_path):
    assert run("client", "bulk", str(tmp_path / "no")).code == 42
    assert client.added == []


@pytest.mark.parametrize("size", ["0", "20001", "x"])
def test_a_batch_that_no_server_takes_is_refused(run, size):
    assert run("client", "bulk", "-", "--batch-size", size).code == 2
