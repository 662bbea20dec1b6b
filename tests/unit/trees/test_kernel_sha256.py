"""The native SHA-256, in each implementation that this machine has, against hashlib."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

_kernel = pytest.importorskip("qed.trees._kernel", reason="no native kernel here")

Many = Callable[[Sequence[bytes]], list[bytes]]

# One more process, because the implementation is chosen once, when the module is loaded.
IN_ANOTHER_PROCESS = """
import sys
from qed.trees import _kernel

lengths = [int(word) for word in sys.argv[1].split()]
data = sys.stdin.buffer.read()
messages, start = [], 0
for length in lengths:
    messages.append(data[start : start + length])
    start += length
print(_kernel.sha256_name())
print(b"".join(_kernel.sha256_many(messages)).hex())
"""


def portable_many(messages: Sequence[bytes]) -> list[bytes]:
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, " ".join(str(len(m)) for m in messages)],
        input=b"".join(messages),
        env={**os.environ, "QED_SHA256": "portable"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    name, hashes = done.stdout.decode().splitlines()
    assert name == "portable"
    joined = bytes.fromhex(hashes)
    return [joined[i : i + 32] for i in range(0, len(joined), 32)]


@pytest.fixture(name="sha256_many", params=["chosen", "portable"])
def an_implementation(request: pytest.FixtureRequest) -> Many:
    many: Many = _kernel.sha256_many if request.param == "chosen" else portable_many
    return many


def judged(messages: Sequence[bytes]) -> list[bytes]:
    return [hashlib.sha256(message).digest() for message in messages]


def test_every_length_up_to_five_blocks(sha256_many: Many) -> None:
    messages = [bytes((i * 7 + n) % 256 for i in range(n)) for n in range(301)]
    assert sha256_many(messages) == judged(messages)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 500])
def test_batches_of_any_number_and_mixed_lengths(sha256_many: Many, count: int) -> None:
    chance = random.Random(count)  # noqa: S311  # test data
    messages = [
        chance.randbytes(chance.choice([0, 1, 42, 55, 56, 66, 98, 4000])) for _ in range(count)
    ]
    assert sha256_many(messages) == judged(messages)


def test_a_long_message_beside_short_ones(sha256_many: Many) -> None:
    chance = random.Random(7)  # noqa: S311  # test data
    messages = [b"", chance.randbytes(1_000_003), *(chance.randbytes(n) for n in range(100))]
    assert sha256_many(messages) == judged(messages)


def padded(message: bytes) -> bytes:
    end = b"\x80" + b"\0" * (-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    return message + end


@pytest.mark.parametrize(
    ("blocks", "length"), [(1, 0), (1, 42), (1, 55), (2, 56), (2, 74), (2, 119)]
)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 11, 12, 15, 16, 17, 27, 28, 31, 64, 65])
def test_messages_that_are_padded_already(blocks: int, length: int, count: int) -> None:
    messages = [bytes((i * n + 1) % 256 for i in range(length)) for n in range(count)]
    hashes = _kernel.sha256_padded(b"".join(map(padded, messages)), blocks)
    assert hashes == b"".join(judged(messages))


PADDED_IN_ANOTHER_PROCESS = """
import sys
from qed.trees import _kernel

data = sys.stdin.buffer.read()
print(_kernel.sha256_name())
for blocks in (1, 2):
    for count in range(70):
        print(_kernel.sha256_padded(data[: 64 * blocks * count], blocks).hex())
"""


@pytest.mark.parametrize("wanted", ["portable", "pairs", "sixteen"])
def test_padded_messages_in_each_implementation(wanted: str) -> None:
    messages = [bytes((i * n + 5) % 256 for i in range(74)) for n in range(70)]
    data = b"".join(map(padded, messages))
    done = subprocess.run(
        [sys.executable, "-c", PADDED_IN_ANOTHER_PROCESS],
        input=data,
        env={**os.environ, "QED_SHA256": wanted},
        capture_output=True,
        check=True,
        timeout=60,
    )
    name, *hashes = done.stdout.decode().split("\n")
    if wanted != "sixteen":
        assert "avx512" not in name
    expected = [
        _kernel.sha256_padded(data[: 64 * blocks * count], blocks)
        for blocks in (1, 2)
        for count in range(70)
    ]
    assert [bytes.fromhex(line) for line in hashes[:-1]] == expected
    assert expected[-1] == b"".join(judged(messages[:69]))


@pytest.mark.parametrize(("size", "blocks"), [(64, 0), (64, 2), (65, 1), (192, 3)])
def test_padded_messages_of_other_sizes_are_refused(size: int, blocks: int) -> None:
    with pytest.raises(ValueError, match="no messages"):
        _kernel.sha256_padded(bytes(size), blocks)


def test_the_fastest_one_that_the_machine_has_is_chosen() -> None:
    if os.environ.get("QED_SHA256") == "portable":
        assert _kernel.sha256_name() == "portable"
        return
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        pytest.skip("nothing says what the processor can do")
    one = "sha_ni" if "sha_ni" in flags else "armv8" if "sha2" in flags else "portable"
    # Sixteen at once are used where the clock says that they are faster.
    wide = {one, "sha_ni + avx512" if one == "sha_ni" else "avx512"}
    assert _kernel.sha256_name() in (wide if "avx512bw" in flags else {one})


def test_only_bytes_are_taken() -> None:
    with pytest.raises(TypeError):
        _kernel.sha256_many([b"good", bytearray(b"bad")])
    with pytest.raises(TypeError):
        _kernel.sha256_many(None)
