"""The thresholds: how bad is a cue, how bad is a set."""

from __future__ import annotations

from collections.abc import Iterable

from .report import VERDICTS, Grade, Share, Verdict

BALANCED = 0.6
"""A term is balanced where it wins at most this share of the prompts that it tells apart."""
PARTLY = 0.9
"""Below, some of it is balanced."""
_OF_GRADE: dict[Grade, Verdict] = {"low": "ok", "medium": "watch", "high": "high", "critical": "critical"}


def grade(win_rate_low: float, coverage: float, lift: float) -> Grade:
    """critical: wins 95 % of at least half of the prompts; high: 90 % of a tenth, or lifts a rule by 0.2 over chance;
    medium: 80 % of a hundredth (1 % is enough to bias a reward model: Zhang et al. 2025). By the lower bounds.
    """
    if win_rate_low >= 0.95 and coverage >= 0.5:
        return "critical"
    if (win_rate_low >= 0.9 and coverage >= 0.1) or lift >= 0.2:
        return "high"
    return "medium" if win_rate_low >= 0.8 and coverage >= 0.01 else "low"


def predictability(reader: Share) -> Verdict:
    """By the lower end of the reader's interval: watch from 0.65, high from 0.80, critical from 0.95."""
    return VERDICTS[sum(reader.low >= least for least in (0.65, 0.80, 0.95))]


def verdict(reader: Verdict, grades: Iterable[Grade]) -> Verdict:
    """The worse of the reader's and of the worst cue's."""
    return max([reader, *(_OF_GRADE[one] for one in grades)], key=VERDICTS.index)
