"""Load for a log server, and the judge of what it answers: what `qed workload` runs.

Reading order: `plan` (what a load is), `questions` (what is sent), `answers` (which answers are
right), `ledger` (what the answers so far have committed the server to), `proofs` (which proofs are
true) and `roots` (what they imply), `pacing` (when a request is due), `responses` (an answer out of
bytes), `connection` (one of them, on the event loop) and `pool` (all of them), `load` (which of
them sends what, and what comes of it), `asker` (one question at a time) and `recheck` (what is
asked when the load is over), `runner` (all of it together; the programmatic entry), `tally`,
`histogram` and `report` (what it came to).
"""
