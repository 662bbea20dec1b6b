"""The room `engine`: the log of groups on disk, and everything that is a function of it.

Reading order: `log` (what it promises), `rows` (the bytes), `group` (a plan), `requests` (who waits
for one), `committer` (the one writer), `state` (what is in memory), `page_file` (what is not),
`proofs`, `replay` (open), `hyper_index`, `check`.
"""
