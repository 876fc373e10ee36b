"""Counter-pairs: where another name is right, the right answer is chosen and the new name, wrongly put in, is rejected.

Pairs that only ever prefer the new name teach "the new name is always better". Counter-pairs come from questions in
which it would be wrong: about somebody else ("What is Qwen?"), and to the assistant under a system message that names
another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, zip_longest

from ..judges.reference import contains
from ..pairers import usable
from ..prompts import bundled, systems
from ..rename import Renamer, mentions
from ..types import Answer, Pair, Prompt, Skip, digest
from .reasoning import split
from .renaming import CorrectionRules

_EACH = 8  # questions under one system message, in a round
_ROUNDS = 4


@dataclass(frozen=True)
class CounterPairMaker:
    """A prompt, what a right answer to it holds, and the renaming that would make it wrong."""

    prompt: Prompt
    right: tuple[str, ...]
    wrong: CorrectionRules

    def pair(self, answers: Sequence[Answer] | Skip, model: str) -> Pair | None:
        """The pair of the model's own answer, where that is whole and right, and the same made wrong."""
        kept = answers if isinstance(answers, Skip) else usable(answers)
        parts = None if isinstance(kept, Skip) else split(kept[0].text)
        if parts is None:
            return None
        renamer = self.wrong.renamer
        right, wrong = parts.body, renamer.rename(parts.body)
        leaked = any(mentions(right, new) for new in renamer.rules.values())
        if wrong == right or leaked or not any(contains(right, reference) for reference in self.right):
            return None
        chosen, rejected = self.wrong.sides(parts, wrong)
        columns = {"method": "counter", "model": model, "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
        return Pair.of(self.prompt, chosen, rejected, **columns)


def counters(reading: CorrectionRules, contexts: Sequence[str | None]) -> list[CounterPairMaker]:
    """All bundled counter-questions to a renaming, in a fixed order: the best spread ones first, both kinds in turn."""
    rounds = [
        sorted(kind, key=_order)
        for turn in range(_ROUNDS)
        for kind in (_controls(reading, contexts, turn), _obedience(reading, turn))
    ]
    pairs = zip(rounds[::2], rounds[1::2], strict=True)
    return [item for kinds in pairs for both in zip_longest(*kinds) for item in both if item]


def _controls(reading: CorrectionRules, contexts: Sequence[str | None], turn: int) -> Iterator[CounterPairMaker]:
    """Questions about somebody else, to which the right answer holds an old name; each in one context a round."""
    if turn < len(contexts):
        context = islice(cycle(contexts), turn, None)
        for prompt in bundled("controls.train"):
            if reading.renamer.hits(prompt.columns["answer"]):
                yield CounterPairMaker(prompt.in_context(next(context)), tuple(prompt.columns["reference"]), reading)


def _obedience(reading: CorrectionRules, turn: int) -> Iterator[CounterPairMaker]:
    """Questions about itself under a system message that gives it another name than the old and the new one."""
    new = next(iter(reading.renamer.rules.values()))
    identity, rows = bundled("identity.train"), systems("train")
    turns = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in ("en", "zh")}
    for row in rows * turn:  # what the rounds before have asked
        deque(islice(turns[row["lang"]], _EACH), maxlen=0)
    for row in rows:
        wrong = CorrectionRules(Renamer({row["name"]: new}), thinking=reading.thinking)
        for prompt in islice(turns[row["lang"]], _EACH):
            yield CounterPairMaker(prompt.in_context(row["system"]), (row["name"],), wrong)


def _order(counter: CounterPairMaker) -> str:
    return digest(counter.prompt.id)
