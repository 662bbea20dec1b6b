"""The room `engine`: the log of groups on disk, and everything that is a function of it.

Reading order: `log` (what it promises), `rows` (the bytes), `snapshots` (how the snapshot log goes
on), `group` (a plan), `requests` (who waits for one), `committer` (the one writer), `state` (what
is in memory), `page_file` (what is not), `proofs`, `group_rows` (groups read back), `leaves`,
`snapshot_rows` (the snapshot log's rows against the groups), `recheck` (before signing), `replay`
(open), `hyper_index`, `check`.
"""
