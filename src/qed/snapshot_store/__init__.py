"""The snapshot store: an independent mirror that recomputes every root it accepts.

Reading order: `store` (what it keeps and what it refuses), `app` (its routes), `start` (its life).
Source: SPEC 7 and 10.
"""
