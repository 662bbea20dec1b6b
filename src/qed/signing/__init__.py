"""Keys, and what is signed with them. Reading order: `keys` (the files), `note` (a text and who signed
it), `checkpoint` (the text that a log signs), `tls` (certificates).

The only room that imports `cryptography`.
"""
