"""What a batch with a checkpoint would change, computed beside the state; nothing here writes.

`open_offer` is what can be said of a batch alone, `plan_offer` what can be said of it before a
state: a plan to be committed, or the conflict that it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qed.database import Put
from qed.errors import ConflictError, MalformedError, VerificationError
from qed.signing.checkpoint import open_note_checkpoint
from qed.signing.cosignature import CHECKS
from qed.signing.note import Note, VerifierKey, format_note, parse_note, verified_signatures
from qed.signing.snapshot_signature import verify_snapshot_signature
from qed.snapshot_store import rows
from qed.snapshot_store.claims import Claim
from qed.snapshot_store.conflicts import (
    Conflict,
    find_other_leaves,
    find_other_root,
    find_passed,
    same_size,
)
from qed.snapshot_store.runs import Run
from qed.snapshot_store.state import State
from qed.snapshot_store.view import Stored, View
from qed.trees.tiles import compute_root
from qed.trees.values import DIGEST_BYTES, Snapshot
from qed.trees.verify_log import verify_consistency
from qed.wire.batches import Batch

MAX_WAITING = 64  # checkpoints beyond the leaves that are held against what comes
NOTE_LEAVES = 4096  # a checkpoint is kept for each so many leaves, to be held against a fork


@dataclass(frozen=True, slots=True)
class Offer:
    """A batch whose checkpoint the log's key signed; whether it covers the leaves is open."""

    run: Run
    hashes: bytes  # of the leaves
    signatures: Sequence[bytes]
    claim: Claim
    key: VerifierKey  # the log's


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows to be written at once, the state after that, and the number of new leaves."""

    puts: Sequence[Put]
    after: State
    added: int


def dense_run(snapshots: Sequence[Snapshot]) -> Run:
    """Return snapshots as leaves; a gap between their versions is a `MalformedError`."""
    for expected, snapshot in enumerate(snapshots, snapshots[0].version):
        if snapshot.version != expected:
            raise MalformedError(
                f"the versions of a batch follow each other: {expected} stands before "
                f"{snapshot.version}"
            )
    return Run.of_snapshots(snapshots)


def open_offer(batch: Batch, keys: Sequence[VerifierKey]) -> Offer:
    """Return the offer of a batch that has a checkpoint; the first key is the log's.

    Of the note the signatures by these keys stay. What nobody here can verify is dropped, so that
    no stranger's bytes are kept or served.

    Raises: MalformedError, or VerificationError when the log's key did not sign the checkpoint, a
    signature by a known key is false, or the checkpoint is smaller than the batch.
    """
    run = dense_run(batch.snapshots)
    note = parse_note(batch.checkpoint or b"")
    checkpoint = open_note_checkpoint(note, keys[0])
    known = {(key.name, key.key_id) for key in verified_signatures(note, keys, CHECKS)}
    kept = tuple(one for one in note.signatures if (one.name, one.key_id) in known)
    claim = Claim(format_note(Note(note.text, kept)), checkpoint, batch.consistency)
    if run.stop > claim.size:
        raise VerificationError(
            f"the batch ends at {run.stop}, beyond its checkpoint of size {claim.size}",
            step="checkpoint",
        )
    return Offer(run, run.hash_leaves(), batch.signatures, claim, keys[0])


def plan_offer(state: State, stored: Stored, offer: Offer) -> Plan | Conflict:
    """Return what an offer changes, or the conflict that it shows.

    Raises: ConflictError for a gap, VerificationError when the checkpoint does not cover the
    leaves, or a signature of a new snapshot is false.
    """
    run, claim = offer.run, offer.claim
    own = View(stored, state.size, peaks=state.peaks)
    common = min(run.stop, state.size)
    ours = stored.hashes(0, run.first, common)
    differs = offer.hashes[: len(ours)] != ours
    conflict = _find_conflict(state, own, claim)
    if conflict is not None:
        fork = _prove_fork(stored, offer) if differs else None
        return conflict if fork is None else replace(conflict, run=_other_leaves(offer, ours))
    if run.first > state.size:
        raise ConflictError(
            f"the store has {state.size} snapshots, the batch begins at {run.first}",
            hint=f"send the batch that begins at {state.size}",
        )
    if differs:
        fork = _prove_fork(stored, offer)
        if fork is None:
            raise _not_covered(offer)
        known = [*_known_claims(state), *stored.notes(run.first, run.stop, offer.key)]
        return find_other_leaves(fork, _other_leaves(offer, ours), claim, known)
    if run.stop <= state.size:
        return _plan_known(state, own, offer)
    return _plan_new(state, stored, offer)


def _find_conflict(state: State, own: View, claim: Claim) -> Conflict | None:
    """Return what a claim contradicts by itself, whatever leaves it brings."""
    for known in _known_claims(state):
        if known.size == claim.size:
            return same_size(known, claim)
    if state.cover is None or claim.size > state.size:
        return None
    return find_other_root(own, state.cover, claim)


def _known_claims(state: State) -> Iterator[Claim]:
    """Yield the checkpoints that the state holds."""
    yield from (one for one in (state.cover, state.published) if one is not None)
    yield from state.waiting.values()


def _prove_fork(stored: Stored, offer: Offer) -> View | None:
    """Return the tree that an offer proves to be under its claim, None when it proves none."""
    fork = View(stored, offer.run.first, offer.hashes)
    claim = offer.claim
    try:
        verify_consistency(fork.size, fork.root, claim.size, claim.root, claim.path)
    except VerificationError:
        return None
    return fork


def _other_leaves(offer: Offer, ours: bytes) -> Run:
    """Return the leaves of an offer from the first one on that is another here."""
    at = 0
    while offer.hashes[at : at + DIGEST_BYTES] == ours[at : at + DIGEST_BYTES]:
        at += DIGEST_BYTES
    return offer.run.cut(offer.run.first + at // DIGEST_BYTES, offer.run.stop)


def _plan_known(state: State, own: View, offer: Offer) -> Plan:
    """Plan for leaves that are all here; the checkpoint may be newer than the published one."""
    claim = offer.claim
    if claim.size > state.size:
        _check_cover(offer, offer.run.stop, compute_root(own.read, offer.run.stop))
    elif state.published is None or claim.size > state.published.size:
        # Its root was compared with that of as many leaves.
        after = replace(state, published=replace(claim, path=()))
        return Plan([rows.encode_published(claim.note)], after, 0)
    return Plan([], state, 0)


def _plan_new(state: State, stored: Stored, offer: Offer) -> Plan | Conflict:
    """Plan for leaves that are not here yet, if the claim covers them."""
    new = offer.run.cut(state.size, offer.run.stop)
    hashes = offer.hashes[(state.size - offer.run.first) * DIGEST_BYTES :]
    view = View(stored, state.size, hashes, peaks=state.peaks)
    _check_cover(offer, view.size, view.root)
    passed = [one for one in state.waiting.values() if one.size <= view.size]
    conflict = find_passed(view, offer.claim, passed)
    if conflict is not None:
        return conflict
    after = _next_state(state, view, offer.claim, passed)
    puts = [
        *rows.encode_run(new),
        *(rows.encode_node(*node) for node in view.nodes),
        *_encode_signatures(offer, new),
        *_encode_state(state, after, offer.claim),
    ]
    return Plan(puts, after, new.size)


def _next_state(state: State, view: View, claim: Claim, passed: Sequence[Claim]) -> State:
    """Return the state after leaves that `claim` covers and that reached `passed`."""
    waiting = {size: one for size, one in state.waiting.items() if size > view.size}
    reached = [*passed, *([claim] if claim.size == view.size else [])]
    candidates = [*([state.published] if state.published else []), *reached]
    published = max(candidates, key=lambda one: one.size, default=None)
    if claim.size > view.size and len(waiting) < MAX_WAITING:
        waiting.setdefault(claim.size, replace(claim, path=()))
    kept = max([state.kept_size, *(one.size for one in passed)])
    if claim.size == view.size and claim.size // NOTE_LEAVES > kept // NOTE_LEAVES:
        kept = claim.size
    return State(view.size, view.peaks, view.root, published, claim, waiting, kept)


def _encode_state(before: State, after: State, claim: Claim) -> list[Put]:
    """Return the rows in which two states differ, beside leaves and nodes."""
    puts = [
        rows.encode_head(after.size, after.root),
        rows.encode_cover(rows.Cover(claim.note, claim.path)),
    ]
    if after.published is not None and after.published != before.published:
        puts.append(rows.encode_published(after.published.note))
    if claim.size in after.waiting.keys() - before.waiting.keys():
        puts.append(rows.encode_note(claim.size, claim.note))
    if after.kept_size == claim.size and claim.size not in before.waiting:
        puts.append(rows.encode_note(claim.size, claim.note))
    return puts


def _encode_signatures(offer: Offer, new: Run) -> list[Put]:
    """Return the rows of the signatures that came with new snapshots; a false one refuses all."""
    given = offer.signatures[offer.run.size - new.size :]
    if not any(given):
        return []
    puts = []
    signed = zip(new.leaves(), given, strict=True)
    for version, (leaf, signature) in enumerate(signed, new.first):
        if signature:
            verify_snapshot_signature(offer.key, leaf, signature)
            puts.append(rows.encode_signature(version, signature))
    return puts


def _check_cover(offer: Offer, size: int, root: bytes) -> None:
    claim = offer.claim
    try:
        verify_consistency(size, root, claim.size, claim.root, claim.path)
    except VerificationError as error:
        raise _not_covered(offer) from error


def _not_covered(offer: Offer) -> VerificationError:
    return VerificationError(
        f"the checkpoint of size {offer.claim.size} does not cover the snapshots "
        f"[{offer.run.first}, {offer.run.stop}) after those that are here",
        step="consistency",
        hint="if they are the log's all the same, it has two histories: send the batch in which "
        "they part, and both are kept",
    )
