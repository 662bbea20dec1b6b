"""The command line, and the only room that wires the others.

Reading order: `main` (the tree of commands, and how a failure is told), `groups` (flags on both
sides of a sub-command, Go's way of writing them), `values` (what a flag may hold), `forms` (what is
printed, byte for byte), `exit_codes`, then one `*_cmd.py` a command.
"""
