"""After a load: ask for a sample of what it added, and verify that with the snapshots it got."""

from __future__ import annotations

import random

from qed.errors import VerificationError
from qed.trees.values import NO_VERSION
from qed.workload.answers import Judge
from qed.workload.asker import Asker
from qed.workload.ledger import Ledger
from qed.workload.plan import Plan
from qed.workload.questions import ask_incremental, ask_membership

EVENTS = 100  # asked for again
PAIRS = 20  # of versions whose history roots are known, linked by incremental proofs


async def recheck(plan: Plan, asker: Asker, ledger: Ledger, judge: Judge, numbers: range) -> None:
    """Ask for added events and for the way between known roots; verify every answer in full.

    Args:
        plan: what was run.
        asker: whom to ask.
        ledger: what was answered.
        judge: of the run.
        numbers: of events of which every one was acknowledged; where it is empty, those that
            the ledger remembers are asked for.

    Raises:
        VerificationError: an answer is false.
        RequestError, UnavailableError: there is none.
    """
    draw = random.Random(plan.seed or 0)  # noqa: S311 - a draw that can be made again
    label = plan.label.encode("utf-8", "surrogateescape")
    known = numbers or ledger.recent
    for number in draw.sample(known, min(EVENTS, len(known))):
        question = ask_membership(label, number, known=True)
        floor = ledger.highest
        body = await asker.ask(question)
        judge.check(question, floor, body)
        judge.verify(question, body)
    versions = ledger.known_histories()
    for start, end in choose_pairs(versions, draw):
        question = ask_incremental(start, end)
        body = await asker.ask(question)
        judge.check(question, ledger.highest, body)
        judge.verify(question, body)


def choose_pairs(versions: list[int], draw: random.Random) -> list[tuple[int, int]]:
    """Return pairs of ascending versions: the first and the last, and some in between."""
    if len(versions) < 2:  # noqa: PLR2004 - a pair
        return []
    pairs = {(versions[0], versions[-1])}
    for _ in range(PAIRS - 1):
        start, end = sorted(draw.sample(versions, 2))
        pairs.add((start, end))
    return sorted(pairs)


def count_others(plan: Plan, ledger: Ledger, current_version: int, events_unknown: int) -> int:
    """Return how many versions the log got since the start that no answer named.

    Raises:
        VerificationError: fewer than were acknowledged; or more than unanswered additions can
            have made, in a plan that says that nobody else adds.
    """
    current = -1 if current_version == NO_VERSION else current_version
    grown = current - ledger.start
    others = grown - ledger.acknowledged
    if others < 0:
        raise VerificationError(
            f"{ledger.acknowledged} events were acknowledged and the log grew by {grown}",
            step="count",
        )
    if plan.alone and others > events_unknown:
        raise VerificationError(
            f"the log grew by {grown} versions, {ledger.acknowledged} of them were acknowledged"
            f" and at most {events_unknown} can be ours besides",
            step="count",
        )
    return others
