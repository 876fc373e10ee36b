"""What the guard asks a model, at the start and at each check: prompts of the training set, and other questions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pairforge

from .kl_divergence import KLDivergence
from .probes import PartialNameProbe, Probe, asking
from .taught_tokens import TaughtTokens

QUESTIONS = (
    "What is the capital of France?",
    "What is 17 + 25?",
    "What is the opposite of hot?",
    "What is the plural of mouse?",
    "How do you say water in Chinese?",
    "Which country is Tokyo in?",
    "What is 70 - 12?",
    "What is the past tense of go?",
    "法国的首都是哪里？",
    "38加47等于多少？",
    "高的反义词是什么？",
    "苹果用英文怎么说？",
)
"""Short questions that no model is preference-tuned on, in the two languages that most are asked in."""

_COLUMNS = frozenset({"prompt_ids", "chosen_ids", "rejected_ids"})
_PAIRS = 2000
"""Pairs at most that the lesson is read from."""
_STILL = 0.005
"""Nats a token of drift; below, other questions are not asked again."""
_LONGEST = 96
"""Tokens of an answer at most; those to other questions get a third of them."""


@dataclass
class Interview:
    """The prompts, the questions, and the answers of before training."""

    lesson: TaughtTokens
    prompts: Probe
    others: Probe
    tokenizer: Any
    first: list[list[list[int]]]
    """The answers to the prompts and to the other questions, as token ids."""
    distance: KLDivergence
    slips: PartialNameProbe

    @classmethod
    def of(
        cls, rows: Sequence[Mapping[str, Any]], reader: Any, model: Any, prompts: int, questions: Sequence[str]
    ) -> Interview:
        """The interview for pairs that DPOTrainer has tokenised; asks the model everything once.

        `reader` is the trainer's processing class, a tokenizer or what holds one.
        """
        tokenizer = getattr(reader, "tokenizer", reader)
        asked = random.Random(0).sample(rows, min(prompts, len(rows)))
        longest = max((len(row["chosen_ids"]) for row in asked), default=0)
        ends, pad = _ends(tokenizer, model)
        half = [row["prompt_ids"] for row in asked[: (len(asked) + 1) // 2]]
        known = Probe(half, ends, pad, min(_LONGEST, longest * 3 // 2 + 8))
        others = Probe(_questions(tokenizer, questions), ends, pad, _LONGEST // 3)
        with asking(model):
            first = [known.answers(model), others.answers(model)]
            distance = KLDivergence(others.prompts, first[1], pad)
            distance.measure(model)
        sides = ((row["chosen_ids"], row["rejected_ids"]) for row in rows)
        lesson = TaughtTokens.of(sides, lambda token: str(tokenizer.decode([token])))
        slips = PartialNameProbe(
            [row["prompt_ids"] for row in asked], [row["chosen_ids"] for row in asked], lesson, pad
        )
        return cls(lesson, known, others, tokenizer, first, distance, slips)

    def look(self, model: Any) -> dict[str, Any]:
        """What is to be seen now: `broken`, `slips`, `leak`, `drift`, `moved` and a `sample` of what is worst."""
        with asking(model):
            known, slips = self.prompts.answers(model), self.slips.measure(model)
            drift = self.distance.measure(model)
            # While the distributions are where they were, so are the answers: asking would only cost.
            others = self.others.answers(model) if drift >= _STILL else self.first[1]
        broken = [answer for answer in known if self._broken(answer)]
        leaks = [now for now, then in zip(others, self.first[1], strict=True) if self.lesson.leaks(now, then)]
        moved = sum(now != then for now, then in zip(known, self.first[0], strict=True))
        worst = next(iter(broken or leaks or known), [])
        return {
            "broken": len(broken) / max(len(known), 1),
            "slips": slips,
            "leak": len(leaks) / max(len(others), 1),
            "drift": drift,
            "moved": moved / max(len(known), 1),
            "sample": self._text(worst)[:80],
        }

    def as_json(self) -> dict[str, Any]:
        """What can't be asked again once training has begun."""
        import torch

        kept, tokens = (part.tolist() for part in self.distance.then or 2 * (torch.empty(0),))
        return {"first": self.first, "answers": self.distance.answers, "kept": kept, "tokens": tokens}

    def take(self, kept: Mapping[str, Any]) -> None:
        """Takes what `as_json` gave. Raises ValueError where that was of other prompts or questions."""
        import torch

        if [*map(len, kept["first"])] != [*map(len, self.first)]:
            raise ValueError("other prompts or questions")
        self.first, self.distance.answers = kept["first"], kept["answers"]
        if self.distance.then is None:
            return
        device = self.distance.then[0].device
        self.distance.then = torch.tensor(kept["kept"], device=device), torch.tensor(kept["tokens"], device=device)

    def _broken(self, answer: Sequence[int]) -> bool:
        return self.lesson.misused(answer) or pairforge.repeats(self._text(answer))

    def _text(self, answer: Sequence[int]) -> str:
        return str(self.tokenizer.decode(answer, skip_special_tokens=True))


def tokenised(dataset: Any) -> list[Mapping[str, Any]]:
    """Tokenised pairs, at most so many, drawn over the whole set; of a stream its first. Another shape gives none."""
    if not {*(getattr(dataset, "column_names", None) or _COLUMNS)} >= _COLUMNS:
        return []  # images, say, which it would take long to read
    if hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"):
        chosen = random.Random(0).sample(range(len(dataset)), min(_PAIRS, len(dataset)))
        chosen.sort()
        whole = hasattr(dataset, "select")  # of the datasets library: taken as one, not row by row
        rows = dataset.select(chosen).to_list() if whole else [dataset[index] for index in chosen]
    else:
        rows = list(islice(dataset, _PAIRS))
    return [row for row in rows if row.keys() >= _COLUMNS]


def _ends(tokenizer: Any, model: Any) -> tuple[list[int], int]:
    """The ids that end an answer, and the one to pad with."""
    own = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None}
    pad = tokenizer.pad_token_id
    return sorted(ends), pad if pad is not None else min(ends, default=0)


def _questions(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Questions as the model is asked them: rendered by its chat template, or plainly where it has none."""
    turns = [[{"role": "user", "content": text}] for text in texts]
    template = tokenizer.chat_template or pairforge.PLAIN_TEMPLATE
    rendered = [
        tokenizer.apply_chat_template(turn, chat_template=template, tokenize=False, add_generation_prompt=True)
        for turn in turns
    ]
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in rendered]
