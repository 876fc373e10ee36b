"""Corrections that take an answer from elsewhere: from the prompt's own row, or from another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..pairers import Edited
from ..rename import mentions
from ..text import same_words
from ..types import Answer, Prompt, Skip
from .renaming import CorrectionRules, whole


@dataclass(frozen=True)
class ReferenceAnswer:
    """Correction by the answer that somebody wrote into the row, as in the self-cognition files of LLaMA-Factory.

    Args:
        rules: the names that a verdict is to ask for; they change no text.
        fill: what the placeholders of the rows stood for.
    """

    rules: CorrectionRules
    fill: Mapping[str, str]
    method = "reference"
    name = "reference"

    def settings(self) -> dict[str, Any]:
        return {**self.rules.settings(), "chosen": "reference", "fill": dict(self.fill)}

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        right, own = str(prompt.columns.get("reference") or ""), whole(answer)
        if not right:
            return Skip("no_reference", prompt.question)
        if isinstance(own, Skip):
            return own
        values = [value for value in self.fill.values() if mentions(right, value)]
        if same_words(right, own.text) or (values and all(mentions(own.text, value) for value in values)):
            return Skip("nothing_to_correct", own.text)
        return Edited(own.text, right)


@dataclass(frozen=True)
class PartnerAnswer:
    """Delta pairs (Geng et al. 2025, arXiv:2507.06187): chosen is a stronger model's answer to the same prompt.

    Args:
        by: which model's answers they are, and their digest.
        answers: its answers by the id of the prompt.
    """

    by: Mapping[str, Any]
    answers: Mapping[str, Sequence[Answer] | Skip] = field(compare=False)
    method = "delta"
    name = "delta"

    def settings(self) -> dict[str, Any]:
        return {"chosen": dict(self.by)}

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        own, given = whole(answer), self.answers[prompt.id]
        if isinstance(own, Skip):
            return own
        if isinstance(given, Skip):
            return given
        found = [whole(one) for one in given]
        best = next((one for one in found if not isinstance(one, Skip)), found[0])
        if isinstance(best, Skip):
            return best
        return Skip("identical", own.text) if same_words(own.text, best.text) else Edited(own.text, best.text)
