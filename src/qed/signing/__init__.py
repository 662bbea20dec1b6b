"""Keys, and what is signed with them; the only room that imports `cryptography`.

Reading order: `keys` (the files), `origins` (what a log's key signs, and why no two of these can be
taken for one another), `note` (a text and who signed it), `checkpoint` (what a log says of itself),
`snapshot_signature` (the same of one snapshot), `cosignature` (what others say of a checkpoint),
`policy` (whom a reader believes), `tls` (certificates).
"""
