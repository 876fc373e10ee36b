"""Counter-pairs: where another name is right, the right answer is chosen and the one with the new name is rejected.

Pairs that only ever prefer the new name teach "the new name is always better". Counter-pairs come from questions in
which it would be wrong: about somebody else ("What is Qwen?"), and to the assistant under a system message that names
another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, zip_longest

from ..judges.reference import contains
from ..pairers import usable
from ..prompts import bundled, systems
from ..rename import Renamer, mentions
from ..types import Answer, Pair, Prompt, Skip, digest
from .renaming import CorrectionRules

_EACH = 8  # questions under one system message, in a round
_ROUNDS = 4


@dataclass(frozen=True)
class CounterPairMaker:
    """A prompt, what a right answer to it contains, and the renaming that would make it wrong."""

    prompt: Prompt
    right: tuple[str, ...]
    wrong: CorrectionRules

    def pair(self, answers: Sequence[Answer] | Skip, model: str) -> Pair | None:
        """Return the pair of the model's own answer, if that is whole and right, and the same made wrong."""
        kept = answers if isinstance(answers, Skip) else usable(answers)
        if isinstance(kept, Skip):
            return None
        renamer = self.wrong.renamer
        right, wrong = kept[0].text, renamer.rename(kept[0].text)
        leaked = any(mentions(right, new) for new in renamer.rules.values())
        if wrong == right or leaked or not any(contains(right, reference) for reference in self.right):
            return None
        chosen, rejected, (of_wrong, of_right) = self.wrong.sides(kept[0], wrong)
        columns = {"method": "counter", "model": model, "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
        return Pair.of(self.prompt, chosen, rejected, (of_right, of_wrong), **columns)


def counter_pair_makers(rules: CorrectionRules, contexts: Sequence[str | None]) -> list[CounterPairMaker]:
    """Return all bundled counter-questions in a fixed order: the best spread ones first, both kinds in turn."""
    makers: list[CounterPairMaker] = []
    for number, renamed in enumerate(_under_other_names(rules)):
        kinds = (_about_others(rules, contexts, number), renamed)
        spread = [sorted(kind, key=lambda maker: digest(maker.prompt.id)) for kind in kinds]
        makers += [maker for both in zip_longest(*spread) for maker in both if maker]
    return makers


def _about_others(rules: CorrectionRules, contexts: Sequence[str | None], number: int) -> Iterator[CounterPairMaker]:
    """Yield questions about somebody else, whose right answer has an old name; each in one context a round."""
    if number < len(contexts):
        context = islice(cycle(contexts), number, None)
        for prompt in bundled("controls.train"):
            if rules.renamer.hits(prompt.columns["answer"]):
                yield CounterPairMaker(prompt.in_context(next(context)), tuple(prompt.columns["reference"]), rules)


def _under_other_names(rules: CorrectionRules) -> Iterator[list[CounterPairMaker]]:
    """Yield, round by round, questions about itself under a system message with another name than the old and new."""
    new = next(iter(rules.renamer.rules.values()))
    identity, rows = bundled("identity.train"), systems("train")
    questions = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in ("en", "zh")}
    for _ in range(_ROUNDS):
        makers: list[CounterPairMaker] = []
        for row in rows:
            wrong = CorrectionRules(Renamer({row["name"]: new}), thinking=rules.thinking)
            asked = [prompt.in_context(row["system"]) for prompt in islice(questions[row["lang"]], _EACH)]
            makers += [CounterPairMaker(prompt, (row["name"],), wrong) for prompt in asked]
        yield makers
