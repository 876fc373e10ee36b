"""Pure functions from the answers to one prompt (and their scores) to a pair."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from statistics import mean, pstdev
from typing import Any, NamedTuple, Protocol

from .text import same_words
from .types import Answer, Pair, Pairer, Prompt, Skip, digest


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


_SENTENCE = re.compile(r"""[.!?…]["'”’)]*(?=\s)|[。！？]""")


def up_to_sentence(answer: Answer) -> Answer:
    """Return an answer that is cut off up to its last whole sentence, if it has one, as if it had ended there."""
    ends = [] if answer.finish == "stop" else [found.end() for found in _SENTENCE.finditer(answer.text)]
    return replace(answer, text=answer.text[: ends[-1]], finish="stop") if ends else answer


class Edited(NamedTuple):
    """The two sides of a pair that are made of one answer."""

    rejected: str
    chosen: str
    thoughts: tuple[str, str] = ("", "")
    """What was thought before the chosen side, and before the rejected one."""


class Edit(Protocol):
    """A correction of answers; `name` is written to the `judge` column, `method` to its own."""

    method: str
    name: str

    def settings(self) -> dict[str, Any]:
        """Return all that the correction depends on beside the answer."""

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        """Return both sides, or why this answer makes no pair."""


@dataclass(frozen=True)
class CorrectionPairer(Pairer):
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
        return Pair.of(prompt, edited.chosen, edited.rejected, edited.thoughts, model=model, **columns)


@dataclass(frozen=True)
class BestWorstPairer(Pairer):
    """Pairer of scored answers: chosen scores more than `margin` higher than rejected.

    Args:
        margin: in the judge's scores, or with `in_deviations` in standard deviations of all scores of the set.
        pick: chosen is the best answer. Of those that are `margin` worse, rejected is the worst one (best-worst); the
            one nearest to the mean score less two standard deviations of the prompt's scores (sigma; Xiao et al. 2025,
            arXiv:2502.16825, who find that the worst one gets worse as n grows); any one (best-random); the next best
            (best-second); or the one nearest in length (matched). Of all-pairs, each answer is chosen against each
            worse one; confident gives them all, too, for a jury to keep those on which most of its judges agree.
        per_prompt: at most so many pairs of a prompt, those that are furthest apart first.
        max_length_gap: at most so many tokens between the lengths of the two.
    """

    judge: str
    margin: float = 0.0
    pick: str = "best-worst"
    per_prompt: int = 1
    max_length_gap: int | None = None
    in_deviations: bool = False

    def settings(self) -> dict[str, Any]:
        more = {"per_prompt": self.per_prompt, "max_length_gap": self.max_length_gap, "sd": self.in_deviations}
        default = {"per_prompt": 1, "max_length_gap": None, "sd": False}
        named = {"pairer": self.pick.replace("-", "_"), "margin": self.margin}
        return named | {name: value for name, value in more.items() if value != default[name]}

    def fitted(self, scores: Sequence[float]) -> BestWorstPairer:
        """Return the pairer with its margin in scores, given all scores of the set."""
        if not self.in_deviations:
            return self
        return replace(self, margin=self.margin * (pstdev(scores) if scores else 0.0), in_deviations=False)

    def pair(
        self, prompt: Prompt, answers: Sequence[Answer], scores: Sequence[float], model: str
    ) -> Sequence[Pair] | Skip:
        """Return the pairs, or why there is none. Of equal scores the first answer is taken."""
        if len(answers) < 2:
            return Skip("identical", answers[0].text if answers else "")
        scored = [Scored(*one) for one in zip(scores, answers, strict=True)]
        low, high = min(scored, key=itemgetter(0)), max(scored, key=itemgetter(0))
        if not (gap := high.score - low.score) > max(self.margin, 0):
            if gap > 0:
                apart = f"{gap:g} apart: {len(answers)} answers, scored {low.score:g} to {high.score:g}"
                return Skip("below_margin", apart)
            return Skip("tie", f"{len(answers)} different answers, all scored {low.score:g}")
        picked = [
            (better, worse)
            for better, worse in self._picked(scored, prompt)
            if better.score - worse.score > max(self.margin, 0)
        ]
        near = [both for both in picked if not self._far_in_length(*both)]
        if not near:
            lengths = " and ".join(str(one.answer.tokens) for one in picked[0])
            return Skip("length_gap", f"{lengths} tokens: more than {self.max_length_gap} apart")
        different = [both for both in near if not same_words(both[0].answer.text, both[1].answer.text)]
        if not different:
            return Skip("identical", f"but for spaces and case: {near[0][0].answer.text}")
        method = self.pick.replace("-", "_")
        return [
            Pair.of(
                prompt,
                better.answer.text,
                worse.answer.text,
                (better.answer.thought, worse.answer.thought),
                method=method,
                model=model,
                judge=self.judge,
                chosen_score=better.score,
                rejected_score=worse.score,
            )
            for better, worse in different[: None if self.pick == "confident" else self.per_prompt]
        ]

    def _picked(self, scored: Sequence[Scored], prompt: Prompt) -> Sequence[tuple[Scored, Scored]]:
        """Return the picked two first, then, if there may be several pairs, the others, furthest apart first."""
        every = [(one, other) for one in scored for other in scored if one.score > other.score]
        every.sort(key=lambda both: both[1].score - both[0].score)  # a stable sort: the first best, the first worst
        if self.pick in ("best-worst", "all-pairs", "confident"):
            return every
        best = every[0][0]
        worse = [other for one, other in every if one is best]
        scores = [one.score for one in scored]
        aim = mean(scores) - 2 * pstdev(scores)
        cost: dict[str, Callable[[Scored], Any]] = {
            "sigma": lambda one: abs(one.score - aim),
            "best-random": lambda one: digest([prompt.id, one.answer.text]),
            "best-second": lambda one: -one.score,
            "matched": lambda one: abs(len(one.answer.text) - len(best.answer.text)),
        }
        return [(best, other) for other in sorted(worse, key=cost[self.pick])]

    def _far_in_length(self, better: Scored, worse: Scored) -> bool:
        gap = abs(better.answer.tokens - worse.answer.tokens)
        return self.max_length_gap is not None and gap > self.max_length_gap


class Scored(NamedTuple):
    """An answer and its score."""

    score: float
    answer: Answer
