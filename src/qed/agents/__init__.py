"""Agents: publisher, auditor and monitor, which watch a log from outside.

Reading order: `runtime` (what all of them share), `positions` (how far one has come), `backoff`,
`metrics`, `alerts`, `outbox` and `notifiers` (who hears of it), `publisher` (copies what was signed
to the stores), `monitor` (everything signed extends the rest), `auditor` and `replay` (what was
signed is what the events lead to).
Source: SPEC 10 and 11.
"""
