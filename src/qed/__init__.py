"""A tamper-evident log: add events, prove that they are in it and that nothing before them changed.

Reading order: `trees/` (the mathematics; `trees/verify.py` alone is what a verifier needs),
`engine/` (the log), `backup/`, then the programs `server/`, `client/` and `cli/`.
ARCHITECTURE.md draws the rooms.
"""
