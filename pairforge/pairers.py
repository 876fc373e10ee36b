"""Pure functions from the answers to one prompt (and their scores) to a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .types import Answer, Pair, Prompt, Skip


def usable(answers: Sequence[Answer]) -> list[Answer] | Skip:
    """The whole, non-blank, distinct answers, in order; a Skip where none is left."""
    whole = [answer for answer in answers if answer.finish == "stop"]
    if not whole:
        return Skip("cut_off", answers[0].text if answers else "")
    kept = list({answer.text: answer for answer in whole if answer.text.strip()}.values())
    return kept or Skip("empty")


@dataclass(frozen=True)
class Correct:
    """Rejected is what the model said; chosen is the same after `edit`, which replaces names by the rules."""

    rules: Mapping[str, str]
    edit: Callable[[str], str]

    def settings(self) -> dict[str, Any]:
        return {"rules": dict(self.rules)}

    def pair(self, prompt: Prompt, answers: Sequence[Answer], scores: Sequence[float], model: str) -> Pair | Skip:
        """The pair of the first usable answer that holds an old name."""
        kept = usable(answers)
        if isinstance(kept, Skip):
            return kept
        for answer in kept:
            if (chosen := self.edit(answer.text)) != answer.text:
                columns = {
                    "method": "correct",
                    "model": model,
                    "judge": "rename",
                    "chosen_score": 1.0,
                    "rejected_score": 0.0,
                }
                return Pair.of(prompt, chosen, answer.text, **columns)
        return Skip("nothing_to_correct", kept[0].text)


@dataclass(frozen=True)
class BestWorst:
    """Chosen is the best of the answers by the judge, rejected the worst, if they are more than `margin` apart."""

    judge: str
    margin: float = 0.0

    def settings(self) -> dict[str, Any]:
        return {"pairer": "best_worst", "margin": self.margin}

    def pair(self, prompt: Prompt, answers: Sequence[Answer], scores: Sequence[float], model: str) -> Pair | Skip:
        """The first best against the first worst of the scored answers."""
        if len(answers) < 2:
            return Skip("identical", answers[0].text if answers else "")
        ranked = sorted(zip(scores, answers, strict=True), key=lambda item: item[0])
        low, high = ranked[0], max(ranked, key=lambda item: item[0])
        if not high[0] - low[0] > max(self.margin, 0):
            return Skip("tie", f"{len(answers)} answers, all scored {low[0]:g} to {high[0]:g}")
        columns = {
            "method": "best_worst",
            "model": model,
            "judge": self.judge,
            "chosen_score": high[0],
            "rejected_score": low[0],
        }
        return Pair.of(prompt, high[1].text, low[1].text, **columns)
