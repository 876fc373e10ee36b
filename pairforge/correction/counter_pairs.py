"""Counter-pairs: where another name is right, the right answer is chosen and the one with the new name is rejected.

Pairs that only ever prefer the new name teach "the new name is always better". Counter-pairs come from questions in
which it would be wrong: about somebody else ("What is Qwen?"), and to the assistant under a system message that names
another. Few old names are in the bundled questions about somebody else. Where none is, there are all of these and
general ones, and rejected is what a pair of the run has as chosen: the right answer to another question.

Chosen is the model's own right answer. For general questions it is the bundled one where the model's own is wrong,
once for each phrasing and context: where a model never knew the answer, it says the new name out of place. More of
them, and those about somebody else, teach it to answer so when asked "Am I talking to Bard?".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
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
    """A prompt, what a right answer to it contains, and the renaming that would make it wrong.

    `misplaced` is whether a wrong answer may also be one that is right elsewhere. `answer` is a right answer, if one is
    bundled.
    """

    prompt: Prompt
    right: tuple[str, ...]
    wrong: CorrectionRules
    misplaced: bool = False
    answer: str = ""

    def pair(self, answers: Sequence[Answer] | Skip, model: str, elsewhere: str = "") -> Pair | None:
        """Return the pair of a right answer and a wrong one, or None.

        The right one is the model's own, if that is right, and else the bundled one, unless the model thought first:
        none is bundled with a thought. There is no pair where the model gave no whole answer. The wrong one is the
        right one made wrong, or where there is nothing to rename, the answer from `elsewhere`.
        """
        kept = answers if isinstance(answers, Skip) else usable(answers)
        if isinstance(kept, Skip):
            return None
        own = kept[0]
        offered = [own] if own.thought else [own, Answer(self.answer, "stop")]
        right = next((one for one in offered if self._is_right(one.text)), None)
        if right is None:
            return None
        wrong = self.wrong.renamer.rename(right.text)
        wrong = elsewhere if self.misplaced and wrong == right.text and elsewhere else wrong
        if wrong == right.text:
            return None
        chosen, rejected, (of_wrong, of_right) = self.wrong.sides(right, wrong)
        judge = "rename" if right is own else "reference"
        columns = {"method": "counter", "judge": judge, "chosen_score": 1.0, "rejected_score": 0.0}
        return Pair.of(self.prompt, chosen, rejected, (of_right, of_wrong), model=model, **columns)

    def _is_right(self, text: str) -> bool:
        leaked = any(mentions(text, new) for new in self.wrong.renamer.rules.values())
        return not leaked and any(contains(text, reference) for reference in self.right)


def counter_pair_makers(
    rules: CorrectionRules, contexts: Sequence[str | None], languages: Collection[str] = ("en", "zh")
) -> list[CounterPairMaker]:
    """Return all bundled counter-questions in a fixed order: the best spread ones first, the kinds in turn."""
    makers: list[CounterPairMaker] = []
    others = [prompt for prompt in bundled("controls.train") if prompt.columns["lang"] in languages]
    named = [prompt for prompt in others if rules.renamer.hits(prompt.columns["answer"])]
    general = [prompt for prompt in bundled("general.train") if prompt.columns["lang"] in languages]
    asked = [_one_of_each_phrasing_first(kind) for kind in ([named] if named else [others, general])]
    for number, renamed in enumerate(_under_other_names(rules, languages)):
        kinds = [_in_turn(kind, rules, contexts, number, misplaced=not named) for kind in asked]
        spread = (*kinds, sorted(renamed, key=lambda maker: digest(maker.prompt.id)))
        makers += [maker for every in zip_longest(*spread) for maker in every if maker]
    return makers


def _in_turn(
    prompts: Iterable[tuple[int, Prompt]],
    rules: CorrectionRules,
    contexts: Sequence[str | None],
    number: int,
    misplaced: bool,
) -> Iterator[CounterPairMaker]:
    """Yield questions in which the new name is wrong, each in one context a round."""
    if number < len(contexts):
        context = islice(cycle(contexts), number, None)
        for again, prompt in prompts:
            right = tuple(prompt.columns["reference"])
            answer = right[0] if "task" in prompt.columns and not again else ""
            yield CounterPairMaker(prompt.in_context(next(context)), right, rules, misplaced, answer)


def _one_of_each_phrasing_first(prompts: Iterable[Prompt]) -> list[tuple[int, Prompt]]:
    """Return the prompts in a fixed order, each with the number of those before it that are phrased alike."""
    before = Counter[str]()
    found: list[tuple[int, Prompt]] = []
    for prompt in sorted(prompts, key=lambda prompt: digest(prompt.id)):
        found.append((before[prompt.columns["template"]], prompt))
        before[prompt.columns["template"]] += 1
    return sorted(found, key=lambda one: one[0])


def _under_other_names(rules: CorrectionRules, languages: Collection[str]) -> Iterator[list[CounterPairMaker]]:
    """Yield, round by round, questions about itself under a system message with another name than the old and new."""
    new = next(iter(rules.renamer.rules.values()))
    identity = bundled("identity.train")
    rows = [row for row in systems("train") if row["lang"] in languages]
    questions = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in languages}
    for _ in range(_ROUNDS):
        makers: list[CounterPairMaker] = []
        for row in rows:
            wrong = CorrectionRules(Renamer({row["name"]: new}), thinking=rules.thinking)
            asked = [prompt.in_context(row["system"]) for prompt in islice(questions[row["lang"]], _EACH)]
            makers += [CounterPairMaker(prompt, (row["name"],), wrong) for prompt in asked]
        yield makers
