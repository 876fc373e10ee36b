"""The parts of a run: what was asked, judged and paired together; and what only all parts together show."""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from ..jury import Ballots, Jury, scale, scores_in
from ..pairers import BestWorstPairer
from ..readers.spool import RowSpool
from ..stages import Outcome, Scored, decided, pair
from ..types import Answer, Answers, Judge, Pair, Pairer, Prompt, Skip

if TYPE_CHECKING:
    from .difficulty import HardPairs


@dataclass(frozen=True)
class RunPart:
    """A part of a run: its prompts, their answers, the scores of each judge, and what became of each prompt.

    `before` holds the ids of prompts that occurred in an earlier part; `saved` answers were not needed.
    """

    asked: Sequence[Prompt | Skip]
    before: Container[str]
    answers: Answers
    of_judges: Sequence[Mapping[str, Scored | Skip]] = ()
    results: Mapping[str, Scored | Skip] = field(default_factory=dict)
    outcome: Outcome = ()
    saved: int = 0

    @property
    def pairs(self) -> list[Pair]:
        return [item for _, item in self.outcome if isinstance(item, Pair)]

    def paired(
        self, judge: Judge | Jury | None, pairer: Pairer, model: str, scales: Sequence[tuple[float, float]] = ()
    ) -> RunPart:
        """Return the part with the pairs; a jury's scores are combined by the `scales` of its judges."""
        if not isinstance(judge, Jury):
            results = self.of_judges[0] if self.of_judges else {}
            edits: Mapping[str, str] = judge.settings().get("edits", {}) if judge else {}
            given = _with_edits(results, edits) if judge else self.answers
            outcome = pair(self.asked, given, pairer, model, self.before)
            return replace(self, results=results, outcome=_of_edits(outcome, edits))
        ballots = Ballots(judge, self.of_judges)
        results = ballots.combined(scales)
        outcome = pair(self.asked, results, pairer, model, self.before)
        outcome = [
            (prompt, replace(item, confidence=ballots.confidence(item)) if isinstance(item, Pair) else item)
            for prompt, item in outcome
        ]
        if isinstance(pairer, BestWorstPairer) and pairer.pick == "confident":
            outcome = _most_confident(outcome, pairer.per_prompt)
        return replace(self, results=results, outcome=outcome)


def _most_confident(outcome: Outcome, per_prompt: int) -> Outcome:
    """Return the outcome with the pairs of each prompt on which most judges agree; of these the furthest apart."""
    found = list[tuple[Prompt | None, Pair | Skip]]()
    for prompt, group in groupby(outcome, key=itemgetter(0)):
        items = [item for _, item in group]
        pairs = sorted((one for one in items if isinstance(one, Pair)), key=lambda pair: -(pair.confidence or 0))
        found += [(prompt, one) for one in pairs[:per_prompt]]
        found += [(prompt, one) for one in items if isinstance(one, Skip)]
    return found


def _with_edits(results: Mapping[str, Scored | Skip], edits: Mapping[str, str]) -> dict[str, Scored | Skip]:
    """Return the results with what a person made of the best answer as one more, scored 1 above it."""
    edited = dict(results)
    for name, text in edits.items():
        if not isinstance(result := results.get(name, Skip("")), Skip):
            edited[name] = [*result[0], Answer(text, "stop")], [*result[1], max(result[1]) + 1]
    return edited


def _of_edits(outcome: Outcome, edits: Mapping[str, str]) -> Outcome:
    """Return the outcome; a pair whose chosen answer was written by a person says so in its column `method`."""
    return [
        (prompt, replace(item, method="human_edit"))
        if isinstance(item, Pair) and edits.get(item.prompt_id) == item.chosen[-1]["content"]
        else (prompt, item)
        for prompt, item in outcome
    ]


def fitted(judge: Judge | Jury | None, pairer: Pairer, model: str, parts: Iterator[RunPart]) -> Iterator[RunPart]:
    """Yield the parts, paired again by what the scores of all of them show: the scale of each judge, and the margin."""
    start = [*islice(parts, 2)]
    if len(start) < 2 or not (isinstance(judge, Jury) or pairer.fitted([]) is not pairer):
        yield from chain(start, parts)
        return
    found: list[array[float]] = []

    def scored() -> Iterator[RunPart]:
        for part in chain(start, parts):
            found.extend(array("d") for _ in part.of_judges[len(found) :])
            for scores, results in zip(found, part.of_judges, strict=True):
                scores.extend(scores_in(results))
            yield replace(part, outcome=())

    with RowSpool(scored()) as kept:
        scales = [scale(scores) for scores in found] if isinstance(judge, Jury) else []
        combined = found[0]
        if scales and pairer.fitted([]) is not pairer:
            combined = array("d")
            for part in kept:
                combined.extend(scores_in(part.paired(judge, pairer, model, scales).results))
        pairer = pairer.fitted(combined)
        for part in kept:
            yield part.paired(judge, pairer, model, scales)


def without_hard(hard: HardPairs, parts: Iterator[RunPart]) -> Iterator[RunPart]:
    """Yield the parts without the hard pairs, which are known when all have been measured."""
    with RowSpool(parts) as kept:
        verdicts = iter(hard([item for part in kept for item in part.pairs]))
        for part in kept:
            yield replace(part, outcome=decided(part.outcome, [*islice(verdicts, len(part.pairs))]))
