"""The log server: three ports on one log in one process.

Reading order: `config` (what a start is told), `start` (its steps, in order, and the stop), `sites`
(where the ports are and what each serves), `data_port` and `management_port` (what each route
does), `hot_port` (the short cut of the routes that come by the thousand), `publication` (the thread
that signs), `recent_leaves` and `tiles` (what is published, to be fetched), `metrics` (every number
and its name).
"""
