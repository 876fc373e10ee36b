"""Fewer of the rows in which one side always holds the same: the last resort, since what is dropped is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..types import digest
from .votes import Votes

MOST = 0.2
"""Share of the rows that may be dropped."""


def thinned(rows: Iterable[tuple[int, Mapping[str, Any]]], votes: Votes, seed: int) -> tuple[dict[int, str], list[str]]:
    """Which of the numbered rows to drop so that each cue points as often one way as the other, and for which cue.

    Also the cues that are left as they are, since more than a fifth of the rows would have to go. Rows are drawn by
    lot: drawn by how easily they are told, they would make the audit that follows look better than the set is.
    """
    numbered = [(number, votes.of(row)) for number, row in rows]
    lots = {number: digest([seed, number]) for number, _ in numbered}
    dropped: dict[int, str] = {}
    left: list[str] = []
    room = int(MOST * len(numbered))
    for column, cue in enumerate(votes.cues):
        kept = [(number, vote[column]) for number, vote in numbered if number not in dropped]
        tilt = int(sum(vote for _, vote in kept))
        if abs(tilt) > room - len(dropped):
            left.append(cue.phrase)
            continue
        majority = sorted((number for number, vote in kept if vote == np.sign(tilt)), key=lots.__getitem__)
        dropped |= dict.fromkeys(majority[: abs(tilt)], cue.phrase)
    return dropped, left
