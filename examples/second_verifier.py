"""docs/receipts.md's ten steps, from that page alone: second_verifier.py VKEY EVENT KIND <FILE."""

# ruff: noqa: D103, E731, PLR2004, RET503, SIM905 - 100 lines, to be read beside that page
import json
import re
import sys
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAME, NUMBER = r"[^\s+\x00-\x1f]+", "(?:0|[1-9][0-9]{0,19})"
FILE = re.compile(
    rf"c2sp\.org/tlog-proof@v1\nextra (?P<extra>\S+)\nindex (?P<index>{NUMBER})\n"
    rf"(?P<path>(?:\S{{44}}\n){{0,63}})\n(?P<text>(?P<origin>(?!qed/){NAME})\n(?P<size>{NUMBER})\n"
    rf"(?P<root>\S{{44}})\n)\n(?P<signatures>(?:— {NAME} \S+\n){{1,64}})"
)
EXTRA, LEAF = ["Format", "Kind", "Snapshot", "Answer"], ["KeyDigest", "Version", "History"]
SNAPSHOT = ["EventDigest", "HistoryDigest", "HyperDigest", "Version"]
ANSWER = "Exists Hyper History CurrentVersion QueryVersion ActualVersion KeyDigest Key".split()


def h256(data: bytes, times: int = 1) -> bytes:  # of an empty node, times is its height + 1
    return h256(sha256(data).digest() * 2, times - 1) if times > 1 else sha256(data).digest()


def check(step: str, holds: object) -> None:
    if not holds:
        raise ValueError(f"refused at step {step}")


def un64(text: str, size: int = 32) -> bytes:
    data = b64decode(text, validate=True)
    check("1", b64encode(data).decode() == text and size in (len(data), 0))
    return data


def history_root(key: bytes, at: int, c: int, path: dict[str, str]) -> bytes:
    pos = lambda h: (at >> h << h).to_bytes(8, "big") + h.to_bytes(2, "big")
    node, starts = h256(key + pos(0)), [(at >> h ^ 1) << h for h in range(c.bit_length())]
    check("8, 9", at <= c and {*path} == {f"{i}|{h}" for h, i in enumerate(starts) if i <= c})
    for h, i in enumerate(starts):
        sibling = un64(path[f"{i}|{h}"]) if i <= c else b""
        node = h256((sibling + node if i < at else node + sibling) + pos(h + 1))
    return node


def hyper_root(d: int, version: int | None, path: dict[str, str]) -> bytes:  # None: no leaf there
    pos, low = lambda h: h.to_bytes(2, "big") + (d >> h << h).to_bytes(32, "big"), 256 - len(path)
    siblings = [un64(path[f"0x{(d >> h ^ 1) << h:064x}|{h}"]) for h in range(low, 256)]  # step 7
    empty, top = h256(b"\0\0", low + 1), 255 if version is None else 232
    check("8, 9", low == top == 232 or ((top == 255) <= low <= top and siblings[0] != empty))
    node = empty if version is None else h256(version.to_bytes(32, "big") + pos(low))
    for h, sibling in enumerate(siblings, low):
        node = h256((node + sibling if d >> h & 1 else sibling + node) + pos(h + 1))
    return node


def verify(key: str, data: bytes, asked: bytes, kind: str) -> None:
    file = FILE.fullmatch(data.decode()) or {}
    raw, index, size = un64(file["extra"], 0), int(file["index"]), int(file["size"])
    said, (name, key_id, public) = json.loads(raw), key.split("+", 2)
    s, a = said["Snapshot"], said["Answer"]
    check("1", json.dumps(said, separators=(",", ":")).encode() == raw and len(raw) <= 2**17)
    check("1", ([*said], [*s], said["Format"]) == (EXTRA, SNAPSHOT, "qed/receipt/v1"))
    signed = [(who, un64(t, 0)) for who, t in re.findall("— (.+) (.+)\n", file["signatures"])]
    ours = [data[4:] for who, data in signed if (who, data[:4].hex()) == (name, key_id)]
    check("2", ours and file["origin"] == name and all(len(data) > 4 for _, data in signed))
    sign = Ed25519PublicKey.from_public_bytes(un64(public, 33)[1:]).verify
    check("2", all(sign(one, file["text"].encode()) is None for one in ours))  # or it raises
    numbers = [s["Version"], *([] if a is None else [a[one] for one in ANSWER[3:6]])]
    check("1", len(data) <= 2**19 and all(type(n) is int and 0 <= n < 2**64 for n in numbers))
    check("3", index < size < 2**64 and s["Version"] == index and said["Kind"] == kind)
    event, past, now = (un64(s[one]) for one in SNAPSHOT[:3])  # step 4: the leaf, and up
    node = h256(b"\0qed/snap/v1\n" + index.to_bytes(8, "big") + event + past + now)
    near, path = (index ^ size - 1).bit_length(), file["path"].split()
    check("4", len(path) == near + (index >> near).bit_count())
    for h, one in enumerate(map(un64, path)):
        node = h256(b"\1" + (one + node if h >= near or index >> h & 1 else node + one))
    check("4", node == un64(file["root"]))
    if kind == "logged":
        return check("5", a is None and event == asked)
    check("6", un64(a["KeyDigest"]) == asked and numbers[:3] == [index] * 3)
    leaf, absent = a.get("HyperLeaf"), kind == "absent"
    check("8, 9", a["Exists"] is (not absent) and a["Key"] is None)
    key, version, history = (a[one] for one in ("KeyDigest", "ActualVersion", "History"))
    if absent:
        check("9", version == index and history is None)
        key, version, history = [leaf[one] for one in LEAF] if leaf is not None else [key, None, {}]
    d, other = int.from_bytes(asked, "big"), int.from_bytes(un64(key), "big")
    names = ANSWER + ["HyperLeaf"] * absent, LEAF, sorted(a["Hyper"]), sorted(history)
    check("1", ([*a], [*(leaf or LEAF)], [*a["Hyper"]], [*history]) == names)
    check("9", not leaf or (type(version) is int and 0 < other ^ d < 1 << 256 - len(a["Hyper"])))
    check("8, 9", hyper_root(d, version, a["Hyper"]) == now)
    check("8, 9", version is None or history_root(un64(key), version, index, history) == past)


if __name__ == "__main__":
    verify(sys.argv[1], sys.stdin.buffer.read(), h256(sys.argv[2].encode()), sys.argv[3])
    print("it holds; not proven: that the map is complete, and when it was signed")  # step 10
