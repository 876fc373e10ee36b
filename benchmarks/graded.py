"""Graded judge: a right answer has 1, a wrong one up to 0.5: a number the more the nearer it is, a word by its letters.

pairforge onpolicy --judge benchmarks/graded.py:graded
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from pairforge.judges.reference import contains


def graded(prompts: Any, completions: Any, reference: Any, **_: Any) -> list[float]:
    """Return the grade of each answer by the references of its prompt."""
    return [grade(turns[0]["content"], of) for turns, of in zip(completions, reference, strict=True)]


def grade(text: str, references: Sequence[str]) -> float:
    if any(contains(text, one) for one in references):
        return 1.0
    if references[0].isdecimal():
        gaps = (abs(int(found) - int(references[0])) for found in re.findall(r"\d{1,6}", text))
        return max((0.5 / (1 + gap) for gap in gaps), default=0.0)
    return 0.5 * max(SequenceMatcher(None, text.lower(), one.lower()).ratio() for one in references)
