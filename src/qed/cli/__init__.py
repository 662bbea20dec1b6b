"""The command line, and the only room that wires the others.

Reading order: `main` (the tree of commands, and how a failure is told), `groups` (flags on both
sides of a sub-command, Go's way of writing them), `values` (what a flag may hold), `forms` and
`documents` (what is printed), `output` (and where to), `exit_codes`. Then one `*_cmd` a command:
`client_cmd` with `client_flags`, `client_add_cmd`, `client_bulk_cmd`, `client_get_cmd`,
`client_membership_cmd`, `client_incremental_cmd`, `client_receipt_cmd`, `client_checkpoint_cmd`
(`events` names an event, `blinding` hides it, `prompts` asks for a digest, `verification` tells a
verdict); `verify_cmd` with `verify_files`, `backup_cmd`, `restore_cmd`, `check_cmd`,
`generate_cmd`, `version_cmd`; `server_cmd`, `store_cmd`, `agent_cmd` with `agent_flags`,
`audit_cmd`; `dev_cmd` with `dev_process`, `dev_child` and `dev_companions`; `workload_cmd`. Beside
them `logs`, `progress`, `paths` and `server_part` (what a plain install says).
"""
