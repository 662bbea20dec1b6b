"""`qed verify`: verify files offline: receipts, saved proofs, checkpoints, evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import click

from qed import durable
from qed.cli import forms, output, values, verification
from qed.cli.documents import incremental_document, membership_document
from qed.cli.events import name_event
from qed.cli.exit_codes import exit_code
from qed.cli.groups import Command, flag
from qed.cli.verify_files import (
    CONTRADICTION,
    Judged,
    Question,
    carries_signatures,
    format_document,
    is_saved_proof,
    judge_file,
)
from qed.client import blind
from qed.client.known import Known
from qed.client.pins import read_key
from qed.client.receipt_text import KINDS
from qed.client.saved import SavedMembership, read_saved
from qed.errors import ContradictionError, QedError, VerificationError
from qed.signing.note import NOTE_LIMIT_BYTES
from qed.signing.policy import POLICY_LIMIT_BYTES, parse_policy, policy_of_key

_HELP = """Verify files offline: no server, no database, no network.

A receipt (of `qed client receipt`), a consistency file or a checkpoint (of `qed client
checkpoint`), and evidence (of an agent) are verified with the log's key, which you pinned, or with
a policy (c2sp.org/tlog-policy). Several files are also held against each other: two roots of one
size contradict. Exit code 0: what the files say holds. 31: a contradiction, or evidence of one.
30: a file proves nothing.

A saved proof (of --save) is verified by digests from snapshots that you trust, one file at a time.

\b
  qed verify event0.tlog-proof --event 'event 0' --key qed-5f0c...+1a2b3c4d+AdJx...
  qed verify *.tlog-proof --policy trusted.policy --kind newest --json
  qed verify today.checkpoint yesterday.checkpoint --key log.vkey
  qed verify event0.proof --hyper-digest 6a05...a0cb --history-digest b8fd...1846
  qed verify growth.proof --start-digest b8fd...1846 --end-digest 4f95...db13
"""

_OF_SAVED = ("hyper_digest", "history_digest", "start_digest", "end_digest")
_OF_SIGNED = (
    "event",
    "event_file",
    "event_digest",
    "kind",
    "key",
    "policy",
    "known",
    "salt_file",
    "blind_key",
    "blind_fingerprint",
)


@click.command("verify", cls=Command, help=_HELP, short_help="Verify files without a server.")
@click.argument("files", type=values.PATH, nargs=-1, required=True, metavar="FILE...")
@flag(
    "--key",
    type=values.VERIFIER_KEY,
    metavar="VKEY|FILE",
    help="The log's verifier key, or a file of it.",
)
@flag("--policy", type=values.PATH, help="Logs and witnesses that are trusted (tlog-policy).")
@flag("--event", type=values.TEXT, help="The event that receipts must be about.")
@flag("--event-file", type=values.TEXT, metavar="F", help="A file that holds it; - is the input.")
@flag("--event-digest", type=values.DIGEST, help="Its digest.")
@flag("--kind", type=click.Choice(KINDS), help="The kind that receipts must be of; any without.")
@flag(
    "--known",
    type=values.PATH,
    multiple=True,
    metavar="F",
    help="A signed checkpoint that is known already; may be repeated.",
)
@flag("--salt-file", type=values.PATH, help="The salt that blinded the event.")
@flag("--blind-key", type=values.PATH, help="The owner's key that blinded it.")
@flag("--blind-fingerprint", type=values.DIGEST, help="That key's fingerprint, known before.")
@flag("--hyper-digest", type=values.DIGEST, help="Saved proof: of the current version.")
@flag("--history-digest", type=values.DIGEST, help="Saved proof: of the version asked for.")
@flag("--start-digest", type=values.DIGEST, help="Saved proof: of the earlier version.")
@flag("--end-digest", type=values.DIGEST, help="Saved proof: of the later version.")
@click.pass_context
def verify(ctx: click.Context, /, files: tuple[Path, ...], **flags: Any) -> None:
    """Tell saved proofs from files that carry signatures, and verify them."""
    signed = flags["key"] is not None or flags["policy"] is not None
    if len(files) == 1 and (is_saved_proof(files[0]) or not signed):
        if carries_signatures(files[0]):
            raise click.UsageError(f"{files[0]} carries signatures: say --key or --policy", ctx)
        _refuse_foreign(ctx, flags, _OF_SIGNED, "a saved proof")
        _verify_saved(ctx, files[0], flags)
        return
    if not signed:
        raise click.UsageError("say whose signatures count: --key or --policy", ctx)
    for path in files:
        if is_saved_proof(path):
            raise click.UsageError(f"{path} is a saved proof: verify it by itself", ctx)
    _refuse_foreign(ctx, flags, _OF_SAVED, "signatures")
    question = _read_question(ctx, flags)
    notes = [durable.read_file(path, NOTE_LIMIT_BYTES) for path in flags["known"]]
    known = Known(question.policy, notes)
    _tell(ctx, [judge_file(path, question, known) for path in files])


def _read_question(ctx: click.Context, flags: dict[str, Any]) -> Question:
    """Return what is asked of every file, from the flags."""
    if flags["key"] is not None and flags["policy"] is not None:
        raise click.UsageError("say either --key or --policy, not both", ctx)
    if flags["key"] is not None:
        policy = policy_of_key(read_key(flags["key"]))
    else:
        policy = parse_policy(durable.read_file(flags["policy"], POLICY_LIMIT_BYTES))
    digest = _read_digest(ctx, flags)
    return Question(policy, digest, flags["kind"], salted=flags["salt_file"] is not None)


def _read_digest(ctx: click.Context, flags: dict[str, Any]) -> bytes | None:
    """Return the digest that is asked about, blinded where a salt or key is given."""
    salt_file, blind_key = flags["salt_file"], flags["blind_key"]
    if (blind_key is None) != (flags["blind_fingerprint"] is None):
        raise click.UsageError("--blind-key needs its --blind-fingerprint, and the other way", ctx)
    if all(flags[name] is None for name in ("event", "event_file", "event_digest")):
        if salt_file or blind_key:
            raise click.UsageError("a salt or blinding key needs the --event itself", ctx)
        return None
    named = name_event(
        ctx, event=flags["event"], event_file=flags["event_file"], digest=flags["event_digest"]
    )
    if salt_file is None and blind_key is None:
        return named.digest
    if named.body is None or (salt_file and blind_key):
        raise click.UsageError(
            "blinding takes the event itself, and either --salt-file or --blind-key", ctx
        )
    if salt_file:
        return blind.blind(blind.read_salt(salt_file), named.body)
    key = blind.read_blind_key(blind_key)
    if blind.fingerprint(key) != flags["blind_fingerprint"].hex():
        raise VerificationError(
            f"{blind_key} is not the key of the fingerprint: its own is {blind.fingerprint(key)}",
            step="blind",
            hint="a key that the owner chose afterwards proves nothing about an absence",
        )
    return blind.blind(key, named.body)


def _tell(ctx: click.Context, judged: list[Judged]) -> None:
    """Print what came of each file, and leave with the exit code of the worst."""
    failures = [one.error for one in judged if one.error is not None]
    if output.wants_json(ctx):
        if len(judged) == 1 and judged[0].document is None:
            raise failures[0]
        documents = [_document_of(one) for one in judged]
        output.emit_document(documents[0] if len(judged) == 1 else {"Files": documents})
    else:
        output.emit("".join(map(_form_of, judged)))
    if not failures:
        return
    if len(judged) == 1 and not output.wants_json(ctx):
        raise failures[0]
    for one in judged:
        if one.error is not None:
            output.remark(f"Error: {one.path}: {one.error.message}")
    ctx.exit(exit_code(_worst(failures)))


def _worst(failures: list[QedError]) -> QedError:
    """Return the contradiction if there is one, else a false claim, else the highest code."""
    for branch in (ContradictionError, VerificationError):
        for error in failures:
            if isinstance(error, branch):
                return error
    return max(failures, key=exit_code)


def _document_of(one: Judged) -> dict[str, Any]:
    if one.document is not None:
        return one.document
    assert one.error is not None  # noqa: S101 - it is one of the two
    document = {"File": str(one.path), **output.describe_error(one.error)}
    return document | ({"Verify": _verdict(one)} if _is_judged(one) else {})


def _form_of(one: Judged) -> str:
    if one.document is not None:
        return format_document(one.document)
    verdict = f"Verify: {_verdict(one)}\n\n" if _is_judged(one) else ""
    return f"\nNot verified: {one.path}\n\n{verdict}"


def _is_judged(one: Judged) -> bool:
    """Return whether there is a verdict: not about a file that could not be read."""
    return isinstance(one.error, VerificationError)


def _verdict(one: Judged) -> str:
    return CONTRADICTION if isinstance(one.error, ContradictionError) else "KO"


def _verify_saved(ctx: click.Context, file: Path, digests: dict[str, Any]) -> None:
    """Read a saved proof, print what it answers, verify it."""
    saved = read_saved(file)
    printed = not output.wants_json(ctx)

    def ask(prompt: str, missing: str) -> NoReturn:
        version = prompt.partition("[ ")[2].partition(" ]")[0]
        raise click.UsageError(f"this proof needs {missing}, of version {version}", ctx)

    if isinstance(saved, SavedMembership):
        _refuse_foreign(ctx, digests, ("start_digest", "end_digest"), "a membership proof")
        if printed:
            output.emit(forms.format_membership(saved.proof))
        verification.check_membership(
            ctx,
            saved,
            hyper_digest=digests["hyper_digest"],
            history_digest=digests["history_digest"],
            ask=ask,
        )
        document = membership_document(saved.proof, verified=True)
    else:
        _refuse_foreign(ctx, digests, ("hyper_digest", "history_digest"), "an incremental proof")
        if printed:
            output.emit(forms.format_incremental(saved.proof))
        verification.check_incremental(
            ctx,
            saved,
            start_digest=digests["start_digest"],
            end_digest=digests["end_digest"],
            ask=ask,
        )
        document = incremental_document(saved.proof, verified=True)
    if not printed:
        output.emit_document(document)


def _refuse_foreign(
    ctx: click.Context, flags: dict[str, Any], names: tuple[str, ...], kind: str
) -> None:
    """Refuse flags that what is in the file has no use for."""
    for name in names:
        if flags[name] not in (None, ()):
            spelled = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"the file holds {kind}, which has no use for {spelled}", ctx)
