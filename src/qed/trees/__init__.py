"""Pure mathematics: the two trees, their proofs, and the judge of those proofs.

Nothing in this room reads a file, a clock or a random number, starts a thread or logs. What a
function needs it is given, and where it needs stored nodes it asks a reader once. The verifier
shares no code with the prover, so that each judges the other. Reading order: `values` (the shapes
that everybody passes around), `history` (the append-only tree: what was added, in which order),
`hyper` (the map from an event's digest to its newest version), `verify` (how anyone checks a
proof, on hashlib alone; it can be read first), `quick` (the verifier's first opinion, never a no:
`quick_twin` and `_verifier`, compared by `quick_check`), `paths` (proofs without their positions),
`snapshot_log` (the log over the roots of both, which is what gets signed), `tiles` (how it is
served, and proofs of it from what is served), `verify_log` (how anyone checks those, on hashlib),
`kernel` (both trees as objects that take whole groups: `twin` in plain Python, `_kernel` in C;
which of the two is used, once `kernel_check` has asked it questions with known answers) and
`choice` (native or readable, for each such pair).
"""
