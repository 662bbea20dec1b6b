"""Backups and restores, in the directory layout of RocksDB's own BackupEngine.

Read in this order. Pure: `rocksdb_layout` (names and `meta/<id>`), `table_properties` (what a
table says of its origin), `canonical_json`, `manifest` and `pending` (our own files: below `qed/`,
and a restore's records). Then `checksums`, `directory_lock` and `ownership` (one thing each),
`repository` (reads a whole backup directory: `list_backups`), `create` (`create_backup`),
`collect` (what may be removed), `delete` (`delete_backup`), `verify` (every byte of one backup),
`stage` and `swap` (the two halves of a restore), `restore` (`restore_backup`, and
`finish_pending`, which a start calls), `leftovers` (`clean_leftovers`).
"""
