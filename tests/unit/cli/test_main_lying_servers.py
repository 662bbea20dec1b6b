"""Commands against a server whose answers do not parse: its claim is false, nobody's typing is."""

import json

import pytest

from publishing import PublishedLog, serving
from qed.signing.note import format_verifier_key

MEMBERSHIP = ("membership", "--event", "event 1", "--auto-verify")
COMMANDS = {
    "get": ("client", "get", "--version", "1"),
    "membership": ("client", *MEMBERSHIP),
    "incremental": ("client", "incremental", "--start", "0", "--end", "3", "--auto-verify"),
    "receipt": ("client", "receipt", "--event", "event 1", "-o", "-"),
    "checkpoint": ("client", "checkpoint"),
    "audit": ("audit",),
}
ASKS = {
    "/info": COMMANDS,
    "/checkpoint": COMMANDS,
    "/tile/entries/": COMMANDS.keys() - {"checkpoint"},
    "/tile/0/": COMMANDS.keys() - {"checkpoint", "audit"},
    "/info/shards": ("membership", "incremental", "receipt"),
    "/proofs/": ("membership", "incremental", "receipt"),
}
NO_ANSWERS = {
    "nothing": b"",
    "not-utf-8": b"\xff\n",
    "a-page": b"<html><body>welcome</body></html>",
    "an-object": b"{}",
    "null": b"null",
    "deep": b"[" * 2000,
    "endless": b"x" * (3 << 20),
}


@pytest.fixture(name="ask")
def run_against(run, tmp_path, monkeypatch):
    """Give a function that runs a command against a server, which is store, mirror and log."""
    monkeypatch.chdir(tmp_path)

    def ask(command, server):
        place = ("--endpoints", server.url, "--snapshot-store-url", server.url)
        return run(*COMMANDS[command], *(("--replay", server.url) if command == "audit" else place))

    return ask


@pytest.fixture(name="server")
def server_of_four_events():
    log = PublishedLog()
    for number in range(4):
        log.add(b"event %d" % number)
    with serving(log, info={"verifier_key": format_verifier_key(log.key)}) as made:
        made.lies["/info/shards"] = lambda _said: (200, topology(f"127.0.0.1:{made.port}"))
        made.lies["/healthcheck"] = lambda _said: (204, b"")
        yield made


def topology(address):
    shard = {"nodeId": "a", "httpAddr": address}
    said = {"nodeId": "a", "leaderId": "a", "uriScheme": "http", "shards": {"a": shard}}
    return json.dumps(said).encode()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_does_not_lie_is_believed(ask, server, command):
    assert ask(command, server).code == 0


@pytest.mark.parametrize("said", NO_ANSWERS.values(), ids=NO_ANSWERS)
@pytest.mark.parametrize(
    ("command", "path"),
    [(command, path) for path, askers in ASKS.items() for command in sorted(askers)],
)
def test_an_answer_that_does_not_parse_is_a_false_claim(ask, server, command, path, said):
    truths = {start: lie for start, lie in server.lies.items() if start != path}
    server.lies = {path: lambda _said: (200, said), **truths}

    done = ask(command, server)

    assert done.code == 30, done.err
