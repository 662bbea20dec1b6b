"""JSON bodies: what stands in requests and answers, to the byte. Source: SPEC 5 and 6.

Reading order: `snapshots`, `proofs`, `requests`, `topology`, `backups`, `batches` (the bodies),
`positions` (the keys of audit paths), `fields`, `json_text` and `bounds` (how strictly they are
read), `flat` and `flat_twin` (the bodies of the hot routes once more, short and fast).
`encode_` and `decode_` speak bytes, `format_` and `parse_` text, `read_` takes a parsed value.
"""

from qed.wire.backups import BackupEntry, decode_backups, encode_backups
from qed.wire.proofs import (
    decode_incremental,
    decode_membership,
    encode_incremental,
    encode_membership,
)
from qed.wire.requests import (
    decode_add,
    decode_bulk,
    decode_digest_query,
    decode_digests,
    decode_incremental_query,
    decode_membership_query,
    encode_add,
    encode_bulk,
    encode_digest_query,
    encode_digests,
    encode_incremental_query,
    encode_membership_query,
)
from qed.wire.snapshots import (
    decode_added,
    decode_snapshot,
    decode_snapshots,
    encode_added,
    encode_snapshot,
    encode_snapshots,
)
from qed.wire.topology import (
    Shard,
    Shards,
    decode_info,
    decode_shards,
    encode_info,
    encode_shards,
)

__all__ = [
    "BackupEntry",
    "Shard",
    "Shards",
    "decode_add",
    "decode_added",
    "decode_backups",
    "decode_bulk",
    "decode_digest_query",
    "decode_digests",
    "decode_incremental",
    "decode_incremental_query",
    "decode_info",
    "decode_membership",
    "decode_membership_query",
    "decode_shards",
    "decode_snapshot",
    "decode_snapshots",
    "encode_add",
    "encode_added",
    "encode_backups",
    "encode_bulk",
    "encode_digest_query",
    "encode_digests",
    "encode_incremental",
    "encode_incremental_query",
    "encode_info",
    "encode_membership",
    "encode_membership_query",
    "encode_shards",
    "encode_snapshot",
    "encode_snapshots",
]
