"""sample: answers to prompts, lazily, from the same evidence store as every other verb."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from ..console import note
from ..options.asking import SampleOptions
from ..options.declaration import keywords
from ..prompts import prompts_given
from ..readers import is_given
from ..run import out_dir
from ..stopping import Budget
from ..store import Store
from ..text import one_line, plural
from ..types import Answer, Prompt, Sampler, Skip
from .models import answer, contexts_of, open_budget, open_sampler
from .pipeline import in_contexts, load_prompts, parse_columns


@dataclass(frozen=True)
class Sampled:
    """The answers to one prompt, in the order of their index; a Skip where there are none."""

    prompt: Prompt | None
    answers: Sequence[Answer]
    skip: Skip | None
    model: str

    def as_json(self) -> dict[str, Any]:
        """Return the object that is a line of the file that `--replay` reads."""
        prompt = self.prompt
        asked = {"prompt_id": prompt.id if prompt else "", "prompt": list(prompt.messages) if prompt else []}
        said = {**asked, "answers": [*map(_as_json, self.answers)], "model": self.model}
        return said | ({"skip": asdict(self.skip)} if self.skip else {})


def _as_json(answer: Answer) -> dict[str, Any]:
    made = asdict(answer)
    return made if answer.thought else {name: made[name] for name in made if name != "thought"}


class Samples(Iterator[Sampled]):
    """Iterates over the answers, prompt by prompt in their order, asking the model as they are taken."""

    def __init__(self, items: Iterator[Sampled], quiet: bool = False) -> None:
        self.items = items
        self.quiet = quiet
        self.counts = {"prompts": 0, "answers": 0, "skips": 0}

    def __next__(self) -> Sampled:
        item = next(self.items)
        self.counts["prompts"] += 1
        self.counts["answers"] += len(item.answers)
        self.counts["skips"] += item.skip is not None
        return item

    @property
    def ok(self) -> bool:
        """Of what was taken so far, nothing is without an answer."""
        return not self.counts["skips"]

    exit_code = 3

    def as_json(self) -> dict[str, Any]:
        rows = [item.as_json() for item in self]
        return {"command": "sample", "ok": self.ok, "counts": self.counts, "rows": rows}

    def lines(self) -> Iterator[str]:
        """Yield the rows as JSON Lines, then say on stderr how many there are, and what can be done with them."""
        skipped = Counter[str]()
        for item in self:
            if item.skip:
                skipped[f"{item.skip.reason}: {one_line(item.skip.detail)}"] += 1
            yield json.dumps(item.as_json(), ensure_ascii=False)
        if not self.quiet:
            prompts, answers, skips = (plural(n, name.removesuffix("s")) for name, n in self.counts.items())
            note(f"{answers} to {prompts}, {skips}")
            for reason, count in skipped.most_common(3):
                note(f"{plural(count, 'prompt')} skipped as {reason}")
            if not self.counts["answers"]:
                return
            note(
                "next: pairforge correct or onpolicy with the same prompts and --replay FILE, the file of these answers"
            )


@keywords(SampleOptions)
def sample(options: SampleOptions) -> Samples:
    """Sample n answers to each prompt in each context, as they are taken from the iterator that is returned.

    `prompts` is a file or bundled set, or an iterable (read as far as is needed) of texts, rows, message lists or
    `Prompt`s; lists are asked whole, `Prompt`s as they are. Answers are kept in the evidence store and never asked for
    twice. A budget that is spent, and a prompt that can't be asked, give a `Sampled` with a `skip`. Raises InputError
    for options that don't go together, and, once it is reached, for what can't be a prompt.
    """
    contexts, prompts = contexts_of(options, [None]), options.prompts
    if is_given(prompts):
        given: Iterable[Prompt | Skip] = prompts_given(prompts, parse_columns(options.columns), options.history)
    else:
        given = load_prompts(options, prompts)
    asked = in_contexts(islice(given, options.limit), contexts)
    budget = open_budget(options)
    return Samples(_sample(asked, options, open_sampler(options, options.quiet), budget), options.quiet)


def _sample(
    asked: Iterator[Prompt | Skip], options: SampleOptions, sampler: Sampler, budget: Budget
) -> Iterator[Sampled]:
    size = 32  # prompts that are read ahead, so that answers of like length can share a batch: ever more
    with closing(Store(out_dir(options.output))) as store:
        while chunk := list(islice(asked, size)):
            size = min(2 * size, 1024)
            prompts = [prompt for prompt in chunk if isinstance(prompt, Prompt)]
            label = f"sample: {sampler.model}"
            answers = answer(prompts, sampler, options.n, store, label, options.quiet, budget)
            for row in chunk:
                prompt, given = (None, row) if isinstance(row, Skip) else (row, answers[row.id])
                found, skip = ((), given) if isinstance(given, Skip) else (tuple(given), None)
                yield Sampled(prompt, found, skip, sampler.model)
