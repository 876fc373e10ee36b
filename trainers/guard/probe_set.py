"""All that the guard asks a model, before training and at each check: training prompts and unrelated questions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import pairforge
from pairforge.resources import patterns
from pairforge.statistics import sample_indices
from pairforge.thoughts import split_tokens

from .kl_divergence import KLDivergence
from .probes import Probe, TaughtTokens, eval_mode, partial_name_probability

QUESTIONS = tuple(patterns("guard_questions")["questions"])
"""Short questions that preference pairs are not about, in English and Chinese."""

_COLUMNS = frozenset({"prompt_ids", "chosen_ids", "rejected_ids"})
_PAIRS = 2000
"""The most pairs that the taught tokens are found in."""
_NO_DRIFT = 0.015
"""The drift below which unrelated questions are not asked again."""
_LONGEST = 96
"""The most tokens of an answer; for unrelated questions a third of it."""


class ProbeSet:
    """The probes of a training, and the model's initial answers to them.

    `initial` holds these as token ids: to the training prompts, and to unrelated questions.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], processor: Any, model: Any, prompts: int, questions: Sequence[str]
    ) -> None:
        """Prepare the probes for pairs that DPOTrainer has tokenized, and ask the model everything once.

        `processor` is the trainer's processing class: a tokenizer, or what has one.
        """
        self.tokenizer = tokenizer = getattr(processor, "tokenizer", processor)
        self.asked = random.Random(0).sample(rows, min(prompts, len(rows)))
        longest = max((len(row["chosen_ids"]) for row in self.asked), default=0)
        # The ids that end an answer, and the one to pad with.
        own = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
        ends = sorted({*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None})
        self.pad = min(ends, default=0) if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        half = [row["prompt_ids"] for row in self.asked[: (len(self.asked) + 1) // 2]]
        self.prompts = Probe(half, ends, self.pad, min(_LONGEST, longest * 3 // 2 + 8))
        self.unrelated = Probe(_questions(tokenizer, questions), ends, self.pad, _LONGEST // 3)
        self.taught = TaughtTokens.of(rows, lambda token: str(tokenizer.decode([token])))
        with eval_mode(model):
            self.initial = [self.prompts.answers(model), self.unrelated.answers(model)]
            self.kl_divergence = KLDivergence(self.unrelated.prompts, self.initial[1], self.pad)
            self.kl_divergence.measure(model)

    def check(self, model: Any) -> dict[str, Any]:
        """Measure `broken`, `slips`, `leak`, `drift` and `moved`, with the worst answer as `sample`; see `Record`."""
        with eval_mode(model):
            known = self.prompts.answers(model)
            slips = partial_name_probability(model, self.asked, self.taught, self.pad)
            drift = self.kl_divergence.measure(model) / self.kl_divergence.entropy
            # While the distributions have not changed the answers have not either: asking would only cost time.
            unrelated = self.unrelated.answers(model) if drift >= _NO_DRIFT else self.initial[1]
        said = self._both(self.prompts, known, self.initial[0])
        broken = [now for now, then in said if self.taught.misused(now, then) or pairforge.repeats(self._text(now))]
        leaks = [
            now for now, then in self._both(self.unrelated, unrelated, self.initial[1]) if self.taught.leaks(now, then)
        ]
        moved = sum(now != then for now, then in zip(known, self.initial[0], strict=True))
        worst = next(iter(broken or leaks or [now for now, _ in said]), [])
        return {
            "broken": len(broken) / max(len(known), 1),
            "slips": slips,
            "leak": len(leaks) / max(len(unrelated), 1),
            "drift": drift,
            "moved": moved / max(len(known), 1),
            "sample": self._text(worst)[:80],
        }

    def _both(self, probe: Probe, *answers: list[list[int]]) -> list[tuple[Sequence[int], ...]]:
        """Return the answers to each prompt, of now and of before training, without the thoughts before them: what the
        guard looks for is said, not thought."""
        rows = zip(probe.prompts, *answers, strict=True)
        return [tuple(one[split_tokens(self.tokenizer, prompt, one)[1] :] for one in given) for prompt, *given in rows]

    def _text(self, answer: Sequence[int]) -> str:
        return str(self.tokenizer.decode(answer, skip_special_tokens=True))

    def as_json(self) -> dict[str, Any]:
        """Return what can't be measured again once training has begun."""
        import torch

        kept, tokens = (part.tolist() for part in self.kl_divergence.initial or 2 * (torch.empty(0),))
        return {"first": self.initial, "answers": self.kl_divergence.answers, "kept": kept, "tokens": tokens}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over what `as_json` returned. Raises ValueError if that was of other prompts or questions."""
        import torch

        if [*map(len, saved["first"])] != [*map(len, self.initial)]:
            raise ValueError("other prompts or questions")
        self.initial, self.kl_divergence.answers = saved["first"], saved["answers"]
        if self.kl_divergence.initial is not None:
            device = self.kl_divergence.initial[0].device
            kept, tokens = (torch.tensor(saved[name], device=device) for name in ("kept", "tokens"))
            self.kl_divergence.initial = kept, tokens


def tokenized(dataset: Any) -> list[Mapping[str, Any]]:
    """Return a sample of the tokenized pairs, the first ones of a stream; none if the dataset has other columns."""
    if not {*(getattr(dataset, "column_names", None) or _COLUMNS)} >= _COLUMNS:
        return []  # images, for example, which would take long to read
    if hasattr(dataset, "select"):  # much faster than row by row
        rows = dataset.select(sample_indices(len(dataset), _PAIRS, 0)).to_list()
    elif hasattr(dataset, "__getitem__"):
        rows = [dataset[index] for index in sample_indices(len(dataset), _PAIRS, 0)]
    else:
        rows = islice(dataset, _PAIRS)
    return [row for row in rows if row.keys() >= _COLUMNS]


def _questions(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize questions as the model is asked them: by its chat template, or a plain one if it has none."""
    template = tokenizer.chat_template or pairforge.PLAIN_TEMPLATE
    ids = []
    for text in texts:
        turn = [{"role": "user", "content": text}]
        prompt = tokenizer.apply_chat_template(turn, chat_template=template, tokenize=False, add_generation_prompt=True)
        ids.append(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    return ids
