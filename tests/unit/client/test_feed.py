"""Reading a published log: a server and a mirror give the same, and what is no tile is refused."""

import pytest

from publishing import PublishedLog, serving
from qed import errors, wire
from qed.client import feed
from qed.client.feed import BOUNDS, leaves, open_source
from qed.trees import tiles, verify_log
from qed.trees.snapshot_log import hash_leaf

SIZE = 700


@pytest.fixture(name="log", scope="module")
def filled_log():
    log = PublishedLog()
    log.fill(SIZE)
    return log


@pytest.fixture(name="source", params=["server", "prefix", "mirror"])
def opened(request, log, tmp_path):
    if request.param == "mirror":
        with open_source(str(log.write_mirror(tmp_path / "mirror"))) as source:
            yield source
        return
    with serving(log) as server, open_source(server.url) as source:
        yield source


def test_what_is_there_is_read(source, log):
    assert source.checkpoint() == log.note
    assert source.checkpoint(after=3, wait_s=0.2) == log.note
    assert source.tile(0, 1) == b"".join(log.rows[0][256:512])
    assert source.tile(0, 2, 188) == b"".join(log.rows[0][512:700])
    assert source.tile(1, 0, 2) == b"".join(log.rows[1])
    assert source.bundle(0) == log.leaves[:256]
    assert source.bundle(2, 188) == log.leaves[512:700]


def test_leaves_come_bundle_by_bundle(source, log):
    assert [len(part) for part in leaves(source, 100, SIZE)] == [156, 256, 188]
    for first, stop in ((0, SIZE), (256, 512), (255, 257), (600, SIZE), (5, 5)):
        whole = [leaf for part in leaves(source, first, stop) for leaf in part]
        assert whole == log.leaves[first:stop]


def test_proofs_are_made_of_what_is_read(source, log):
    root = tiles.compute_root(lambda nodes: source.read_nodes(nodes, SIZE), SIZE)
    for index in (0, 255, 256, 511, 512, 699):
        path = tiles.prove_inclusion(lambda nodes: source.read_nodes(nodes, SIZE), index, SIZE)
        verify_log.verify_inclusion(hash_leaf(log.leaves[index]), index, SIZE, path, root)


def test_what_is_not_there_is_not_found(source):
    for ask in (lambda: source.tile(0, 9), lambda: source.bundle(9), lambda: source.tile(1, 0)):
        with pytest.raises(errors.NotFoundError, match="tile/"):
            ask()
    with pytest.raises(errors.NotFoundError, match=r"neither tile/0/009.p/3 nor the full tile"):
        source.tile(0, 9, 3)


def test_a_partial_tile_that_is_gone_is_read_from_the_full_one(log, tmp_path):
    source = open_source(str(log.write_mirror(tmp_path)))

    assert source.tile(0, 1, 7) == b"".join(log.rows[0][256:263])
    assert source.bundle(1, 7) == log.leaves[256:263]
    assert [len(part) for part in leaves(source, 250, 300)] == [6, 44]


def test_full_tiles_are_asked_for_once_and_memory_is_bounded(log, monkeypatch):
    monkeypatch.setattr(feed, "BOUNDS", feed.Bounds(kept_tiles=1))
    with serving(log) as server, open_source(server.url) as source:
        for index in (0, 0, 1, 0, 0):
            source.tile(0, index)
        source.tile(0, 0, 3)
        asked = list(server.asked)
        source.forget()
        source.tile(0, 0)
        source.tile(0, 2, 188)
        source.tile(0, 2, 188)

    first, second = "GET /tile/0/000", "GET /tile/0/001"
    assert asked == [first, second, first]
    assert server.asked[3:] == [first, *["GET /tile/0/002.p/188"] * 2]
    assert server.connections == 1


def test_a_proof_asks_for_each_tile_once(log):
    with serving(log) as server, open_source(server.url) as source:
        tiles.prove_inclusion(lambda nodes: source.read_nodes(nodes, SIZE), 600, SIZE)
    assert sorted(server.asked) == [
        "GET /tile/0/002.p/188",
        "GET /tile/1/000.p/2",
    ]


@pytest.mark.parametrize(
    "lie",
    [
        lambda body: body[:-1],
        lambda body: body + b"\0",
        lambda _: b"",
        lambda body: body[:-32],
        lambda body: body + body,
    ],
    ids=["short", "long", "empty", "one less", "double"],
)
def test_what_is_no_tile_is_a_false_claim(log, lie):
    with serving(log, lies={"/tile/": lie}) as server, open_source(server.url) as source:
        for ask in (
            lambda: source.tile(0, 0),
            lambda: source.tile(0, 2, 188),
            lambda: source.bundle(0),
            lambda: source.bundle(2, 188),
        ):
            with pytest.raises(errors.VerificationError):
                ask()


def test_a_bundle_of_other_versions_is_a_false_claim(log):
    other = {"/tile/entries/000": lambda _: log.tile(tiles.Tile(tiles.ENTRIES, 1))}
    with (
        serving(log, lies=other) as server,
        open_source(server.url) as source,
        pytest.raises(errors.VerificationError, match="no tile/entries/000"),
    ):
        source.bundle(0)


def test_news_is_waited_for_and_no_news_is_the_old_note():
    log = PublishedLog()
    log.add(b"event 0")
    with serving(log) as server, open_source(server.url, timeout_s=0.2) as source:
        old = log.note
        assert source.checkpoint(after=1, wait_s=0.3) == old  # longer than timeout_s alone
        log.add(b"event 1")
        assert source.checkpoint(after=1, wait_s=10) == log.note != old
    assert server.asked == [f"GET /checkpoint?after=1&wait={n}ms" for n in (300, 10_000)]


def test_the_wait_is_never_longer_than_servers_take(log):
    with serving(log) as server, open_source(server.url) as source:
        source.checkpoint(after=0, wait_s=1e6)
        source.checkpoint(after=0, wait_s=-1)
    assert server.asked[0].endswith(f"wait={int(BOUNDS.wait_s)}000ms")
    assert server.asked[1].endswith("wait=0ms")


def test_a_server_says_who_it_is_and_nonsense_is_a_false_claim(log):
    with serving(log, info={"verifier_key": "k"}) as server, open_source(server.url) as source:
        assert source.info() == {"node_id": "a", "verifier_key": "k"}
        server.lies["/info"] = lambda _: b"<html>"
        with pytest.raises(errors.VerificationError, match="does not parse as /info"):
            source.info()


def test_a_mirror_has_no_info(log, tmp_path):
    with pytest.raises(errors.NotFoundError, match="has no info"):
        open_source(str(log.write_mirror(tmp_path))).info()


def test_any_path_can_be_asked_and_bodies_sent(log):
    with serving(log) as server, open_source(server.url) as source:
        assert source.get("/nothing").status == 404
        question = wire.encode_digest_query(log.snapshots[3].event_digest, None)
        answer = source.post("/proofs/digest-membership", question, "application/json")
        assert wire.decode_membership(answer.body).actual_version == 3
    assert server.bodies[-1] == question


def test_many_bodies_are_answered_in_order(log, tmp_path):
    questions = [wire.encode_digest_query(one.event_digest, None) for one in log.snapshots[:40]]
    with serving(log) as server, open_source(server.url) as source:
        answers = source.post_many("/proofs/digest-membership", questions, "application/json")
        found = [wire.decode_membership(one.body).actual_version for one in answers]
        assert found == list(range(40))
    with open_source(str(log.write_mirror(tmp_path))) as mirror:
        assert mirror.post_many("/any", [], "text/plain") == []
        with pytest.raises(errors.RequestError):
            mirror.post_many("/any", [b"one"], "text/plain")


def test_refusals_keep_their_branch(log):
    lies = {"/checkpoint": lambda _: (503, b"too many wait\n"), "/tile": lambda _: (500, b"")}
    with serving(log, lies=lies) as server, open_source(server.url) as source:
        for ask in (source.checkpoint, lambda: source.tile(0, 0)):
            with pytest.raises(errors.UnavailableError):
                ask()
        server.lies["/checkpoint"] = lambda _: b"x" * (BOUNDS.checkpoint_bytes + 1)
        with pytest.raises(errors.VerificationError, match="more than"):
            source.checkpoint()
