"""Score an answer by whether it contains a reference: 1.0 or 0.0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..types import Judge, Prompt, Skip


def contains(text: str, reference: str) -> bool:
    """Return True if the text contains the reference as a whole word or number, in any case.

    A number may not be part of a longer one, a word not of a longer word; CJK has no word boundaries.
    """
    first, last = reference[:1], reference[-1:]
    left = r"(?<![0-9])(?<![0-9][.,])(?<!-)" if first.isdecimal() else r"(?<![^\W_])" if first.isascii() else ""
    right = r"(?![0-9]|[.,][0-9])" if last.isdecimal() else r"(?![^\W_])" if last.isascii() else ""
    # An ASCII word may be beside CJK characters, which \w counts as letters too.
    flags = re.IGNORECASE | (re.ASCII if reference.isascii() else 0)
    return re.search(left + re.escape(reference) + right, text, flags) is not None


class ReferenceJudge(Judge):
    """Judge by reference: 1.0 where the answer contains one of the prompt's references, else 0.0.

    The prompts must have a `reference`: a text or a number, or a list of them.
    """

    name = "reference"

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name, "version": 1}

    def references(self, prompt: Prompt) -> list[str]:
        """Return the references of a prompt."""
        given = prompt.columns.get("reference")
        listed = given if isinstance(given, list | tuple) else [given]
        return [str(one) for one in listed if isinstance(one, str | int | float) and str(one).strip()]

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return a score for each answer; all Skips where the prompt has no reference."""
        references = self.references(prompt)
        if not references:
            return [Skip("unjudged", "the prompt has no reference")] * len(answers)
        return [float(any(contains(answer, reference) for reference in references)) for answer in answers]
