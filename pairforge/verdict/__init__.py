"""From judged answers to a verdict: shares and changes with their intervals, and thresholds that pass or fail."""

from .measures import METRICS, SAMPLED, Judged, Measured, Outcomes, sampled, shares
from .outcome import Verdict, verdict
from .repetition import repeats
from .statistics import Change, Share, Wins
from .thresholds import ON_POLICY, THRESHOLDS, Check, Threshold

__all__ = [
    "METRICS",
    "ON_POLICY",
    "SAMPLED",
    "THRESHOLDS",
    "Change",
    "Check",
    "Judged",
    "Measured",
    "Outcomes",
    "Share",
    "Threshold",
    "Verdict",
    "Wins",
    "repeats",
    "sampled",
    "shares",
    "verdict",
]
