"""The snapshot store: an independent mirror that recomputes every root it accepts.

Reading order: `store` (what it keeps, what it refuses, what each call promises), `offers` (what a
batch would change), `conflicts` (two signed claims that exclude each other), `claims`, `view` (the
tree of what is here and what a batch adds), `state` (where it stands, and what opening must find),
`runs` and `rows` (leaves as columns, and every byte on disk), `alerts`; then the program: `app`
(routes), `signatures` (asked for on demand), `start` (its life), `config`, `metrics`, and `check`
for a store that does not run.
Source: SPEC 7 and 10.
"""
