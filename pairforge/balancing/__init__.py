"""Remedies for shortcuts: pure functions from rows of pairs to fewer, or sounder, rows.

mends: what is done to a row alone; contradictions: what a row takes from the others; repick: another pair of the same
stored answers; thinning: fewer of what one side always holds.
"""

from .contradictions import contradictions
from .mends import DROPS, MENDS, Mended, mended
from .repick import Evidence, Repicker
from .thinning import MOST, thinned
from .votes import Votes, unintended

__all__ = [
    "DROPS", "MENDS", "MOST", "Evidence", "Mended", "Repicker", "Votes", "contradictions", "mended", "thinned",
    "unintended",
]  # fmt: skip
