"""Keys, and what is signed with them. Reading order: `keys` (the files), `tls` (certificates).

The only room that imports `cryptography`.
"""
