"""Signers whose keys are the same in each run."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from qed.signing.checkpoint import Checkpoint
from qed.signing.cosignature import Cosigner
from qed.signing.keys import PrivateKey
from qed.signing.note import ED25519_COSIGNATURE, NoteSigner, Signature, VerifierKey


def signer(name: str, *, seed: bytes = b"") -> NoteSigner:
    """Return a log's signer; another `seed` is another key of the same name."""
    secret = sha256(b"log" + name.encode() + seed).digest()
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return NoteSigner(PrivateKey(secret, public), name)


def cosigner(name: str, *, seed: bytes = b"") -> Cosigner:
    """Return an ML-DSA-44 cosigner."""
    secret = sha256(b"cosigner" + name.encode() + seed).digest()
    return Cosigner(name, MLDSA44PrivateKey.from_seed_bytes(secret))


class Ed25519Witness:
    """A witness of the older kind, 0x04, as others run it."""

    def __init__(self, name: str) -> None:
        self.name = name
        secret = sha256(b"witness" + name.encode()).digest()
        self.key = Ed25519PrivateKey.from_private_bytes(secret)

    @property
    def verifier_key(self) -> VerifierKey:
        public = self.key.public_key().public_bytes_raw()
        return VerifierKey(self.name, ED25519_COSIGNATURE, public)

    def cosign_text(self, text: str, timestamp_s: int) -> Signature:
        message = f"cosignature/v1\ntime {timestamp_s}\n{text}".encode()
        data = timestamp_s.to_bytes(8, "big") + self.key.sign(message)
        return Signature(self.name, self.verifier_key.key_id, data)


def checkpoint(origin: str, size: int) -> Checkpoint:
    """Return a checkpoint whose root is made up."""
    return Checkpoint(origin, size, sha256(b"root %d" % size).digest())
