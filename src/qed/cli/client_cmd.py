"""`qed client`: the group of everything that talks to a log server's data port."""

from __future__ import annotations

from qed.cli.client_add_cmd import add
from qed.cli.client_bulk_cmd import bulk
from qed.cli.client_checkpoint_cmd import checkpoint
from qed.cli.client_flags import client_flags, trust_flags
from qed.cli.client_get_cmd import get
from qed.cli.client_incremental_cmd import incremental
from qed.cli.client_membership_cmd import membership
from qed.cli.client_receipt_cmd import receipt
from qed.cli.groups import Group

client = Group(
    "client",
    flags=[*client_flags(), *trust_flags()],
    help="Add events, ask for proofs, and verify them.\n\nThe flags below are accepted before and"
    " after the command.",
)
for _command in (add, bulk, get, membership, incremental, receipt, checkpoint):
    client.add_command(_command)
