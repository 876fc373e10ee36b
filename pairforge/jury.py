"""Juries: several judges score the same answers, and their scores are combined and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from .stages import Scored, score
from .store import Store
from .types import Answer, Answers, Ask, Judge, Pair, Prompt, Skip


@dataclass(frozen=True)
class Jury:
    """Judges with their weights. Their scores are standardised over the set, and the mean is taken, or they vote.

    By `vote`, a judge gives an answer the share of the prompt's other answers that it finds worse.
    """

    judges: tuple[Judge, ...]
    weights: tuple[float, ...]
    vote: bool = False

    @property
    def name(self) -> str:
        """The names of the judges, with the weights that are not 1."""
        weights = (f"{weight:g} x " if weight != 1 else "" for weight in self.weights)
        return " + ".join(weight + judge.name for weight, judge in zip(weights, self.judges, strict=True))

    def settings(self) -> dict[str, Any]:
        """Return the settings of each judge, the weights and the way to combine them."""
        judges = [judge.settings() for judge in self.judges]
        return {"judge": self.name, "judges": judges, "weights": [*self.weights], "vote": self.vote}

    def score(self, prompts: Sequence[Prompt], sampled: Answers, store: Store, ask: Ask) -> Ballots:
        """Return the scores of each judge."""
        return Ballots(self, [score(prompts, sampled, judge, store, ask) for judge in self.judges])


def judges_of(judge: Judge | Jury | None) -> Sequence[Judge]:
    """Return the judges of a jury, or the one judge, if there is one."""
    return judge.judges if isinstance(judge, Jury) else [judge] if judge else []


@dataclass(frozen=True)
class Ballots:
    """The scores of each judge of a jury, by the prompt's id."""

    jury: Jury
    of_judges: Sequence[Mapping[str, Scored | Skip]]

    def combined(self, scales: Sequence[tuple[float, float]] = ()) -> dict[str, Scored | Skip]:
        """Return the combined scores of the answers that every judge has scored.

        `scales` are the mean and deviation of each judge's scores, by default of those that are here.
        """
        scales = scales or [scale(scores_in(results)) for results in self.of_judges]
        return {name: self._combined(name, scales) for name in self.of_judges[0]}

    def _combined(self, name: str, scales: Sequence[tuple[float, float]]) -> Scored | Skip:
        ballots, answers = list[dict[str, float]](), list[Answer]()
        for of_judge in self.of_judges:
            result = of_judge[name]
            if isinstance(result, Skip):
                return result
            answers = answers or result[0]
            ballots.append(_by_text(result))
        answers = [answer for answer in answers if all(answer.text in ballot for ballot in ballots)]
        if len(answers) < 2:
            return Skip("unjudged", "the judges have no two answers in common")
        total, scores = sum(self.jury.weights), [0.0] * len(answers)
        for weight, ballot, (mean, deviation) in zip(self.jury.weights, ballots, scales, strict=True):
            own = [ballot[answer.text] for answer in answers]
            given = _beaten(own) if self.jury.vote else [(one - mean) / deviation for one in own]
            scores = [score + weight / total * one for score, one in zip(scores, given, strict=True)]
        return answers, scores

    def confidence(self, pair: Pair) -> float:
        """Return the weighted share of judges that find the chosen answer better; a tie is half a vote."""
        texts = pair.chosen[-1]["content"], pair.rejected[-1]["content"]
        votes = 0.0
        for weight, of_judge in zip(self.jury.weights, self.of_judges, strict=True):
            result = of_judge[pair.prompt_id]
            assert not isinstance(result, Skip)
            chosen, rejected = (_by_text(result)[text] for text in texts)
            votes += weight * ((chosen > rejected) + (chosen >= rejected)) / 2
        return votes / sum(self.jury.weights)


def _by_text(result: Scored | Skip) -> dict[str, float]:
    assert not isinstance(result, Skip)
    return {answer.text: score for answer, score in zip(*result, strict=True)}


def scores_in(results: Mapping[str, Scored | Skip]) -> list[float]:
    """Return all scores."""
    return [one for result in results.values() if not isinstance(result, Skip) for one in result[1]]


def scale(scores: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation of all scores of a judge; 1 where all are the same."""
    return (fmean(scores), pstdev(scores) or 1.0) if scores else (0.0, 1.0)


def _beaten(scores: Sequence[float]) -> list[float]:
    """Return the share of the other scores that each is higher than, a tie as half."""
    others = len(scores) - 1
    return [(sum((one > other) + (one >= other) for other in scores) - 1) / 2 / others for one in scores]
