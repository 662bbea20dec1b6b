"""Load for a log server, and the judge of what it answers: what `qed workload` runs.

Reading order: `plan` (what a load is), `questions` (what is sent), `answers` (which answers are
right), `ledger` (what the answers so far have committed the server to), `pacing` (when a request
is due), `responses` (an answer out of bytes), `connection` (one of them, on the event loop),
`runner` (all of it together; the programmatic entry), `asker` (one question at a time, before and
after a load), `tally`, `histogram` and `report` (what it came to).
"""
