"""Calling a log server, and believing nothing that it says before it is checked.

Reading order: `calls` (what is sent and how answers are read, pure), `refusals` (answers that say
no), `endpoints` (where calls go, as steps without I/O), `sync_client` and `async_client` (two thin
loops over those steps), `verify_answers` (is the proof true?), `verify_many` (thousands of them at
once), `saved` (a proof in a file) and `config` (every setting).

What a log publishes: `pipelining`, `places` and `feed` (where it is read), `trusted` (what has
been verified of it, and the only ways to extend that), `pins` (remembered between two calls),
`published` (its snapshots, with the wait for them), `blind` (digests that tell nothing of an
event).

What convinces others offline: `receipt_text` and `receipts` (a proof in one file),
`request_receipt` (how one is got), `known` (checkpoints to hold others against), `consistency` (two
that fit), `evidence` (two claims that do not, with `evidence_frame`, `evidence_checkpoints`,
`evidence_map`, `evidence_replay`, `evidence_snapshot`).
"""
