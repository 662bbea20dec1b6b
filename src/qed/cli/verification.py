"""A verification as the command line does it: the digests, the form, the verdict.

The judge is `qed.client`; here stands only how the digests that it needs are got and how its
verdict is told. Used with a server's answer at hand, and by `qed verify` with a saved one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from qed.cli import forms, output
from qed.client.saved import SavedIncremental, SavedMembership, SavedProof, verify_saved
from qed.client.verify_answers import roots_needed, versions_needed
from qed.errors import VerificationError
from qed.trees.values import Snapshot

AskDigest = Callable[[str, str], bytes]
"""Get a digest that was not given: from the prompt for it and the flag that would give it."""

Fetch = Callable[[int], Snapshot]
"""Get the published snapshot of a version."""


def check_membership(
    ctx: click.Context,
    saved: SavedMembership,
    *,
    hyper_digest: bytes | None,
    history_digest: bytes | None,
    ask: AskDigest,
) -> None:
    """Verify an answer for or against an event, and tell the verdict.

    A digest is asked for only when it is needed and was not given.

    Raises: VerificationError after `Verify: KO` has been printed; NotProvenError for an empty log.
    """
    needed = roots_needed(saved.proof)
    if hyper_digest is None:
        hyper_digest = ask(forms.ask_hyper_digest(needed.hyper_version), "--hyper-digest")
    history_digests = {}
    if needed.history_version is not None:
        if history_digest is None:
            prompt = forms.ask_history_digest(needed.history_version)
            history_digest = ask(prompt, "--history-digest")
        history_digests[needed.history_version] = history_digest
    elif history_digest is not None:
        output.remark("this answer needs no history digest: the one given is not compared")
    form = forms.format_membership_check(
        saved.digest, hyper_digest, history_digest or b"", saved.proof.query_version
    )
    hyper_digests = {needed.hyper_version: hyper_digest}
    _tell(
        ctx,
        form,
        lambda: verify_saved(saved, hyper_digests=hyper_digests, history_digests=history_digests),
    )


def check_incremental(
    ctx: click.Context,
    saved: SavedIncremental,
    *,
    start_digest: bytes | None,
    end_digest: bytes | None,
    ask: AskDigest,
) -> None:
    """Verify that one version extends another, and tell the verdict.

    Raises: VerificationError after `Verify: KO` has been printed.
    """
    if start_digest is None:
        start_digest = ask(forms.ask_start_digest(saved.start), "--start-digest")
    if end_digest is None:
        end_digest = ask(forms.ask_end_digest(saved.end), "--end-digest")
    form = forms.format_incremental_check(saved.start, start_digest, saved.end, end_digest)
    if saved.start == saved.end and start_digest != end_digest:
        _tell(ctx, form, _refuse_two_roots)
    digests = {saved.start: start_digest, saved.end: end_digest}
    _tell(ctx, form, lambda: verify_saved(saved, history_digests=digests))


def auto_check_membership(ctx: click.Context, saved: SavedMembership, fetch: Fetch) -> None:
    """Verify an answer for or against an event with published snapshots, and tell the verdict.

    Raises: VerificationError after `Verify: KO` has been printed; NotProvenError for an empty log;
    NotPublishedError without a verdict.
    """
    versions = versions_needed(saved.proof)
    form = forms.format_auto_membership_check(saved.digest, saved.proof.query_version)
    _tell(ctx, form, lambda: _judge(saved, versions, fetch))


def auto_check_incremental(ctx: click.Context, saved: SavedIncremental, fetch: Fetch) -> None:
    """Verify that one version extends another with published snapshots, and tell the verdict.

    Raises: VerificationError after `Verify: KO` has been printed; NotPublishedError without one.
    """
    form = forms.format_auto_incremental_check(saved.start, saved.end)
    _tell(ctx, form, lambda: _judge(saved, [saved.start, saved.end], fetch))


def _judge(saved: SavedProof, versions: Iterable[int], fetch: Fetch) -> None:
    # The newest first: where it has to be waited for, its checkpoint covers the others too.
    snapshots = [fetch(version) for version in sorted(set(versions), reverse=True)]
    verify_saved(
        saved,
        hyper_digests={one.version: one.hyper_digest for one in snapshots},
        history_digests={one.version: one.history_digest for one in snapshots},
    )


def _refuse_two_roots() -> None:
    """Raise for two digests of one version: at most one of them can be its."""
    raise VerificationError(
        "two different history digests were given for the same version", step="question"
    )


def _tell(ctx: click.Context, form: str, judge: Callable[[], None]) -> None:
    """Print the form, judge, print the verdict; with `--json` only judge."""
    printed = not output.wants_json(ctx)
    if printed:
        output.emit(form)
    try:
        judge()
    except VerificationError:
        if printed:
            output.emit(forms.format_verdict(good=False))
        raise
    if printed:
        output.emit(forms.format_verdict(good=True))
