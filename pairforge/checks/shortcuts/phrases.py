"""A word with the words that stand around it wherever it tells the sides apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from .features import Words, places

_SHARE = 0.9
_LONGEST = 12


def extended(run: Words, texts: Sequence[Sequence[str]]) -> Words:
    """The run grown to both sides by what stands around its first place in nine of ten texts that hold it."""
    while len(run) < _LONGEST:
        before, after, total = Counter[str](), Counter[str](), 0
        for text in texts:
            for at in islice(places(text, run), 1):
                total += 1
                before[text[at - 1] if at else ""] += 1
                after[text[at + len(run)] if at + len(run) < len(text) else ""] += 1
        (left, on_left), (right, on_right) = (
            found.most_common(1)[0] if total else ("", 0) for found in (before, after)
        )
        if left and on_left >= max(2, _SHARE * total) and on_left >= (on_right if right else 0):
            run = (left, *run)
        elif right and on_right >= max(2, _SHARE * total):
            run = (*run, right)
        else:
            break
    return run
