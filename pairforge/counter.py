"""Counter-pairs: where another name is right, the right answer is chosen and the new name, wrongly put in, is rejected.

Pairs that only ever prefer the new name teach "the new name is always better". Counter-pairs come from questions in
which it would be wrong: about somebody else ("What is Qwen?"), and to the assistant under a system message that names
another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from .judges.reference import stands_in
from .pairers import usable
from .prompts import bundled, systems
from .rename import mentions, rename
from .types import Answer, Pair, Prompt, Skip, digest

_EACH = 8  # questions under one system message


@dataclass(frozen=True)
class Counter:
    """A prompt, what a right answer to it holds, and the renaming that would make it wrong."""

    prompt: Prompt
    right: tuple[str, ...]
    wrong: Mapping[str, str]

    def pair(self, answers: Sequence[Answer] | Skip, model: str) -> Pair | None:
        """The pair of the model's own answer, where that is whole and right, and the same made wrong."""
        kept = answers if isinstance(answers, Skip) else usable(answers)
        if isinstance(kept, Skip):
            return None
        text = kept[0].text
        rejected = rename(text, self.wrong)
        leaked = any(mentions(text, new) for new in self.wrong.values())
        if rejected == text or leaked or not any(stands_in(reference, text) for reference in self.right):
            return None
        columns = {"method": "counter", "model": model, "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
        return Pair.of(self.prompt, text, rejected, **columns)


def counters(rules: Mapping[str, str], contexts: Sequence[str | None]) -> list[Counter]:
    """All bundled counter-questions to a renaming, in a fixed order, both kinds in turn."""
    kinds = [sorted(kind, key=_order) for kind in (_controls(rules, contexts), _obedience(rules))]
    long = max(map(len, kinds))
    return [kind[i] for i in range(long) for kind in kinds if i < len(kind)]


def _controls(rules: Mapping[str, str], contexts: Sequence[str | None]) -> Iterator[Counter]:
    """Questions about somebody else, to which the right answer holds an old name."""
    turn = cycle(contexts)
    for prompt in bundled("controls.train"):
        if any(mentions(prompt.columns["answer"], old) for old in rules):
            yield Counter(prompt.in_context(next(turn)), tuple(prompt.columns["reference"]), rules)


def _obedience(rules: Mapping[str, str]) -> Iterator[Counter]:
    """Questions about itself under a system message that gives it another name than the old and the new one."""
    new = next(iter(rules.values()))
    identity = bundled("identity.train")
    turns = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in ("en", "zh")}
    for row in systems("train"):
        for prompt in islice(turns[row["lang"]], _EACH):
            yield Counter(prompt.in_context(row["system"]), (row["name"],), {row["name"]: new})


def _order(counter: Counter) -> str:
    return digest(counter.prompt.id)
