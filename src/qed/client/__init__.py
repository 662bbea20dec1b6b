"""Calling a log server, and believing nothing that it says before it is checked.

Reading order: `calls` (what is sent and how answers are read, pure), `refusals` (answers that say
no), `endpoints` (where calls go, as steps without I/O), `sync_client` and `async_client` (two thin
loops over those steps), `verify_answers` (is the proof true?), `verify_many` (thousands of them at
once), `saved` (a proof in a file) and `config` (every setting).
"""
