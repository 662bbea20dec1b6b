"""What has been verified of one log, and the only ways to extend it. No I/O.

A `Trusted` begins with a pinned key, and with a checkpoint where one is remembered. From then on:

1. The key never changes, and with it the origin: a note counts only with this key's signature over
   this origin.
2. The trusted checkpoint only grows. A larger one takes its place when it is signed and begins with
   the trusted one, shown by a consistency proof; the first one of a new pin has nothing to begin
   with, so its signature is all there is to check (that is trust on first use).
3. One of the same size must have the same root, a smaller one must be a beginning of the trusted
   one. Neither takes its place.
4. Two signed checkpoints that exclude each other are a `ContradictionError`, with the evidence. It
   says so only where the log's own hashes show it: hashes that lead to neither root are the
   source's fault alone, a `VerificationError`.
5. A leaf is believed when a path leads from it to the root of the trusted checkpoint.

Each public method is one step of these, and whatever it raises, nothing was taken over. Hashes come
through a reader that may lie: `read_nodes(nodes, size)` returns the roots of perfect subtrees of
the tree of that size, and is asked once for a proof. Source: SPEC 10 and 11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qed.client import evidence
from qed.errors import ContradictionError, MalformedError, VerificationError
from qed.signing.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from qed.signing.note import VerifierKey
from qed.trees import tiles, verify_log
from qed.trees.snapshot_log import decode_leaf
from qed.trees.values import Snapshot

ReadNodes = Callable[[Sequence[tiles.Node], int], Sequence[bytes]]
"""Return the roots of perfect subtrees of the tree of a size, in the order asked."""


class Trusted:
    """The newest checkpoint of a log that was verified, under one pinned key.

    Not locked: it belongs to one thread.
    """

    def __init__(self, key: VerifierKey, note: bytes | None = None) -> None:
        """Trust a key, and the checkpoint that was verified under it before, if there is one.

        Raises:
            VerificationError: the note is not a checkpoint of this key's.
        """
        self._key = key
        empty = Checkpoint(key.name, 0, verify_log.EMPTY_ROOT)
        self._newest = (
            SignedCheckpoint(b"", empty)
            if note is None
            else SignedCheckpoint(note, self.read(note))
        )

    @property
    def key(self) -> VerifierKey:
        """The pinned key."""
        return self._key

    @property
    def origin(self) -> str:
        """The log's name, which is the key's."""
        return self._key.name

    @property
    def size(self) -> int:
        """How many leaves the trusted checkpoint covers; 0 before the first one."""
        return self._newest.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self._newest.root

    @property
    def note(self) -> bytes:
        """The signed note of the trusted checkpoint, as it came; empty before the first one."""
        return self._newest.note

    def read(self, note: bytes) -> Checkpoint:
        """Return what a note says once its signature by the pinned key holds; trust nothing new.

        Raises:
            VerificationError: it is no checkpoint, of another origin, or not signed by the key.
        """
        return open_checkpoint(note, self._key)

    def compare(self, note: bytes, read_nodes: ReadNodes) -> Checkpoint:
        """Return the checkpoint of a note that fits the trusted one, and trust it if it is larger.

        Args:
            note: a signed checkpoint, as it came.
            read_nodes: for the proof between the two; of the tree of the larger size, so a source
                that is behind cannot answer for the trusted one's.

        Raises:
            VerificationError: it is not signed by the key, or the hashes read prove nothing.
            ContradictionError: it excludes the trusted one; both are signed.
            QedError: whatever `read_nodes` raises.
        """
        found = SignedCheckpoint(note, self.read(note))
        if found.size > self.size:
            self._check_growth(self._newest, found, read_nodes)
            # Stop here: the larger one is signed, and nothing below it has changed.
            self._newest = found
        elif found.size < self.size:
            self._check_growth(found, self._newest, read_nodes)
        elif found.root != self.root and self.note:
            raise self._contradiction(self._newest, found)
        elif found.root != self.root:
            raise VerificationError(f"{self.origin} has signed a false root of no leaves")
        elif not self.note:
            self._newest = found
        return found.checkpoint

    def authenticate(self, leaf: bytes, index: int, path: Sequence[bytes]) -> Snapshot:
        """Return the snapshot of a leaf that the trusted checkpoint covers, shown by its path.

        Raises:
            VerificationError: it is no leaf, of another version than `index`, beyond the
                checkpoint, or the path does not lead from it to the root.
        """
        try:
            snapshot = decode_leaf(leaf)
        except MalformedError as error:
            raise VerificationError(error.message, step="leaf") from error
        if snapshot.version != index:
            raise VerificationError(
                f"the leaf at {index} says that it is of version {snapshot.version}", step="leaf"
            )
        leaf_hash = verify_log.hash_leaf(leaf)
        verify_log.verify_inclusion(leaf_hash, index, self.size, path, self.root)
        return snapshot

    def prove(self, read_nodes: ReadNodes, leaf: bytes, index: int) -> list[bytes]:
        """Return the path of a leaf to the trusted root, made of hashes read and verified.

        Raises: as `authenticate`; QedError: whatever `read_nodes` raises.
        """
        size = self.size
        if not 0 <= index < size:
            raise VerificationError(f"no tree of {size} leaves has leaf {index}", step="question")
        path = tiles.prove_inclusion(lambda nodes: read_nodes(nodes, size), index, size)
        self.authenticate(leaf, index, path)
        return path

    def _check_growth(
        self, older: SignedCheckpoint, newer: SignedCheckpoint, read_nodes: ReadNodes
    ) -> None:
        """Return if the newer checkpoint begins with the older; both are signed.

        A proof that does not hold is judged once more with the older root that the same hashes
        give: if that leads to the newer root, the signed newer one contradicts the signed older.
        """

        def read(nodes: Sequence[tiles.Node]) -> Sequence[bytes]:
            return read_nodes(nodes, newer.size)

        proof = tiles.prove_consistency(read, older.size, newer.size)
        try:
            verify_log.verify_consistency(older.size, older.root, newer.size, newer.root, proof)
        except VerificationError as error:
            root = tiles.compute_root(read, older.size)
            try:
                verify_log.verify_consistency(older.size, root, newer.size, newer.root, proof)
            except VerificationError:
                sizes = f"{older.size} and {newer.size} leaves"
                raise VerificationError(
                    f"the hashes served do not link the checkpoints of {sizes}: {error.message}",
                    step="consistency",
                ) from error
            raise self._contradiction(older, newer, root, proof) from error

    def _contradiction(
        self,
        older: SignedCheckpoint,
        newer: SignedCheckpoint,
        root: bytes | None = None,
        proof: Sequence[bytes] = (),
    ) -> ContradictionError:
        """Return the error; `root` is the one of the older size according to the newer."""
        what = f"two roots of {older.size} leaves"
        if root is not None:
            what = f"a checkpoint of {newer.size} leaves that excludes its own of {older.size}"
        sentence = f"{self.origin} has signed {what}"
        shown = evidence.new_equivocation(
            older.note, newer.note, root=root, consistency=proof, found=sentence
        )
        return ContradictionError(
            sentence,
            step="consistency",
            hint="keep the evidence and show it to others: it needs nobody's word",
            evidence=shown.encode(),
        )
