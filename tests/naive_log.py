"""RFC 6962 as its definitions are written, slowly: what proofs of the snapshot log are held to."""

from __future__ import annotations

from hashlib import sha256


def leaf(i: int) -> bytes:
    """Return 116 bytes that look like the leaf of version i."""
    digests = b"".join(sha256(f"{i} {part}".encode()).digest() for part in range(3))
    return b"qed/snap/v1\n" + i.to_bytes(8, "big") + digests


def hash_leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


class NaiveLog:
    """MTH, PATH and PROOF of RFC 6962, 2.1, over the leaf hashes of versions 0 to n - 1."""

    def __init__(self, n: int) -> None:
        self.leaves = [leaf(i) for i in range(n)]
        self.hashes = [hash_leaf(data) for data in self.leaves]
        self._known: dict[tuple[int, int], bytes] = {}
        self.asked: list[list[tuple[int, int]]] = []

    def root(self, start: int, stop: int) -> bytes:
        if stop - start == 0:
            return sha256(b"").digest()
        if stop - start == 1:
            return self.hashes[start]
        if (start, stop) not in self._known:
            middle = start + split(stop - start)
            children = self.root(start, middle) + self.root(middle, stop)
            self._known[start, stop] = sha256(b"\x01" + children).digest()
        return self._known[start, stop]

    def path(self, m: int, start: int, stop: int) -> list[bytes]:
        """PATH(m, D[start:stop]), m counted from start."""
        n = stop - start
        if n == 1:
            return []
        k = split(n)
        if m < k:
            return [*self.path(m, start, start + k), self.root(start + k, stop)]
        return [*self.path(m - k, start + k, stop), self.root(start, start + k)]

    def proof(self, m: int, stop: int) -> list[bytes]:
        """PROOF(m, D[0:stop]); nothing for m = 0, which the RFC leaves open."""
        return self._subproof(m, 0, stop, whole=True) if m else []

    def _subproof(self, m: int, start: int, stop: int, *, whole: bool) -> list[bytes]:
        n = stop - start
        if m == n:
            return [] if whole else [self.root(start, stop)]
        k = split(n)
        if m <= k:
            left = self._subproof(m, start, start + k, whole=whole)
            return [*left, self.root(start + k, stop)]
        right = self._subproof(m - k, start + k, stop, whole=False)
        return [*right, self.root(start, start + k)]

    def read(self, nodes) -> list[bytes]:
        """Answer as a source of nodes does, and write down what was asked."""
        self.asked.append(list(nodes))
        return [self.root(index << height, (index + 1) << height) for height, index in nodes]


def split(n: int) -> int:
    """Return the largest power of two below n."""
    return 1 << ((n - 1).bit_length() - 1)
