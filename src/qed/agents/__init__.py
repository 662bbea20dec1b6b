"""Agents: publisher, auditor and monitor, which watch a log from outside.

Reading order: `runtime` (what all of them share), `positions` (how far one has come), `trust` (what
it trusts, kept), `backoff`, `metrics`, `alerts`, `outbox` and `notifiers` (who hears of it); then
`publisher` with `head` and `batching` (what is signed is brought to the stores) and `monitor` with
`claims` (everything signed is of one history).

The auditor: `auditor` and `verdicts` (the server proves every snapshot), `replay`, `replay_files`
and `replay_work` (every root is computed again), `sweep` and `false_leaves` (what stores serve),
over `leaves` and `proving` (what is published, authenticated). Source: SPEC 10 and 11.
"""
