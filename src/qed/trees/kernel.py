"""The kernel in use: both trees of a log, native where it can be had, else the readable twin."""

from __future__ import annotations

from qed.trees.twin import NAME, History, HistoryPlan, Hyper, HyperPlan, Pages, ReadDigests, Report

__all__ = [
    "NAME",
    "History",
    "HistoryPlan",
    "Hyper",
    "HyperPlan",
    "Pages",
    "ReadDigests",
    "Report",
]
