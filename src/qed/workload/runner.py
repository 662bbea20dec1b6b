"""Run a load: the programmatic entry, in this process or in one of its own.

In this process, from a thread that has no running event loop:

    from qed.workload.plan import Plan
    from qed.workload.runner import run

    result = run(Plan("membership", endpoints=["http://127.0.0.1:8800"], connections=16,
                      size=1_000_000, seed=1, warmup_s=2, duration_s=10))
    result.total.requests_per_s, result.total.latency_ms["p99"], result.error

In a process of its own, so that it shares no interpreter with what is measured: one JSON object on
standard input, the fields of `Plan` by name (all but `kind` may be missing), and JSON lines on
standard output, each flushed at once:

    python -m qed.workload.runner < plan.json

    {"State": "measuring"}                      the warm-up is over, the window begins
    {"State": "measured"}                       its last answer has come; checks may follow
    {"State": "done", "Result": {...}, "Error": null or {"code", "message", "hint"}}

`Result` is `report.document_of`: `Requests`, `Items`, `Errors`, `Seconds`, `RequestsPerS`,
`ItemsPerS`, `LatencyMs` {p50, p90, p99, p99.9, max, mean}, `GeneratorCpuUs`, `NextNumber` and
more; null when it could not begin. The exit code is 0 when `Error` is null and else 1.

Events are numbered from 0 over several runs: a plan says with `size` how many are there already,
so that one that adds goes on behind them, and in one that asks an answer that one of them is absent
is wrong. The `NextNumber` of a run that added is the `size` of the next plan.
"""

from __future__ import annotations
