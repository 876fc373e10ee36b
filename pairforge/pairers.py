"""Pure functions from the answers to one prompt (and their scores) to a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from .types import Answer, Pair, Prompt, Skip


def usable(answers: Sequence[Answer]) -> list[Answer] | Skip:
    """Return the whole, non-blank, distinct answers, in order; a Skip where none is left."""
    whole = [answer for answer in answers if answer.finish == "stop"]
    if not whole:
        return cut_off(answers[0]) if answers else Skip("cut_off")
    kept = list({answer.text: answer for answer in whole if answer.text.strip()}.values())
    return kept or Skip("empty")


def cut_off(answer: Answer) -> Skip:
    """Return the Skip of an answer that was cut, and where it has no text, what used its tokens up."""
    longer = "--max-new-tokens with more, or --chat-template-kwargs enable_thinking=false"
    used = f"{answer.tokens} tokens" if answer.tokens else "max_new_tokens"
    return Skip("cut_off", answer.text or f"a thought used up the {used} of the answer: {longer}")


class Edited(NamedTuple):
    """The two sides of a pair that are made of one answer."""

    rejected: str
    chosen: str


class Edit(Protocol):
    """A correction of answers; `name` is written to the `judge` column, `method` to its own."""

    method: str
    name: str

    def settings(self) -> dict[str, Any]:
        """Return all that the correction depends on beside the answer."""

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        """Return both sides, or why this answer makes no pair."""


@dataclass(frozen=True)
class CorrectionPairer:
    """Pairer of corrections: rejected is the model's answer; chosen is the same after `edit`."""

    edit: Edit

    def settings(self) -> dict[str, Any]:
        return self.edit.settings()

    def pair(self, prompt: Prompt, answers: Sequence[Answer], scores: Sequence[float], model: str) -> Pair | Skip:
        """Return the pair of the first answer that can be corrected, else what is wrong with the first."""
        made = [self.edit(prompt, answer) for answer in answers]
        edited = next((sides for sides in made if isinstance(sides, Edited)), None)
        if edited is None:
            return next((skip for skip in made if isinstance(skip, Skip)), Skip("empty"))
        columns = {"method": self.edit.method, "judge": self.edit.name, "chosen_score": 1.0, "rejected_score": 0.0}
        return Pair.of(prompt, edited.chosen, edited.rejected, model=model, **columns)


@dataclass(frozen=True)
class BestWorstPairer:
    """Pairer of scored answers: chosen is the best, rejected the worst, if they are more than `margin` apart."""

    judge: str
    margin: float = 0.0

    def settings(self) -> dict[str, Any]:
        return {"pairer": "best_worst", "margin": self.margin}

    def pair(self, prompt: Prompt, answers: Sequence[Answer], scores: Sequence[float], model: str) -> Pair | Skip:
        """Return the pair of the first best and the first worst of the scored answers."""
        if len(answers) < 2:
            return Skip("identical", answers[0].text if answers else "")
        scored = list(zip(scores, answers, strict=True))
        low, high = min(scored, key=itemgetter(0)), max(scored, key=itemgetter(0))
        if not (gap := high[0] - low[0]) > max(self.margin, 0):
            if gap > 0:
                return Skip("below_margin", f"{gap:g} apart: {len(answers)} answers, scored {low[0]:g} to {high[0]:g}")
            return Skip("tie", f"{len(answers)} different answers, all scored {low[0]:g}")
        if len({"".join(answer.text.split()).casefold() for answer in (low[1], high[1])}) == 1:
            return Skip("identical", f"but for spaces and case: {high[1].text}")
        values = {"chosen_score": high[0], "rejected_score": low[0]}
        return Pair.of(prompt, high[1].text, low[1].text, method="best_worst", model=model, judge=self.judge, **values)
