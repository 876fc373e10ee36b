"""From judged answers to a verdict: shares and changes with their intervals, and thresholds."""

from __future__ import annotations

from ..statistics import Change, Share, Wins
from .metrics import METRICS, SAMPLED, Judged, Measured, Outcomes, sampled, shares
from .thresholds import ON_POLICY, THRESHOLDS, Threshold, ThresholdCheck
from .verdict import Verdict, verdict

__all__ = [
    "METRICS",
    "ON_POLICY",
    "SAMPLED",
    "THRESHOLDS",
    "Change",
    "Judged",
    "Measured",
    "Outcomes",
    "Share",
    "Threshold",
    "ThresholdCheck",
    "Verdict",
    "Wins",
    "sampled",
    "shares",
    "verdict",
]
