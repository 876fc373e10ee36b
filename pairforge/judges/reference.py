"""Scores an answer by whether a reference stands in it: 1.0 or 0.0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..types import Prompt, Skip


def stands_in(reference: str, text: str) -> bool:
    """Whether the reference stands in the text as a whole word or number, whatever its case.

    A number may not be part of a longer one, a word not of a longer word; CJK has no word edges.
    """
    word = re.escape(reference)
    left = (
        r"(?<![0-9])(?<![0-9][.,])(?<!-)"
        if reference[:1].isdecimal()
        else r"(?<![^\W_])"
        if reference[:1].isascii()
        else ""
    )
    right = r"(?![0-9]|[.,][0-9])" if reference[-1:].isdecimal() else r"(?![^\W_])" if reference[-1:].isascii() else ""
    # An ASCII word may stand beside CJK, which \w counts as letters too.
    ascii_only = re.ASCII if reference.isascii() else 0
    return re.search(left + word + right, text, re.IGNORECASE | ascii_only) is not None


class ReferenceJudge:
    """1.0 where one of the prompt's references stands in the answer, else 0.0.

    The prompts must have a `reference`: a text or a number, or a list of them.
    """

    name = "reference"

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name, "version": 1}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """A score for each answer; all Skips where the prompt has no reference."""
        given = prompt.columns.get("reference")
        listed = given if isinstance(given, list | tuple) else [given]
        references = [str(one) for one in listed if isinstance(one, str | int | float) and str(one).strip()]
        if not references:
            return [Skip("unjudged", "the prompt has no reference")] * len(answers)
        return [float(any(stands_in(reference, answer) for reference in references)) for answer in answers]
