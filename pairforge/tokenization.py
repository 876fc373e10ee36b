"""Rows as TRL's DPOTrainer prepares them: prompt extracted, rendered by the chat template, tokenised, cut.

Held to TRL 1.16 by a test that runs its own preparation (`DPOTrainer._prepare_dataset`, `DataCollatorForPreference`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .text import common_prefix, error_line
from .types import SIDES, Side, Skip

MAX_LENGTH = 1024
"""Tokens of a side, prompt included, that TRL keeps by default."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One row in tokens.

    `asked` is the prompt alone, up to where the assistant is to speak, `whole` both conversations, by side; `texts` and
    `asked_text` are what the template made of them. The first `shared` tokens of all three are the same: the trainer
    takes them for the context, and trains on what comes after, up to `limit` tokens in all (None: to the end).
    """

    asked_text: str
    texts: Mapping[Side, str]
    asked: Sequence[int]
    whole: Mapping[Side, Sequence[int]]
    shared: int
    limit: int | None

    @property
    def context(self) -> Sequence[int]:
        """Return the tokens that are given, not trained on, before any cut."""
        return self.asked[: self.shared]

    @property
    def dropped(self) -> bool:
        """Return whether the context alone fills `limit`: TRL leaves the row out."""
        return self.limit is not None and self.shared >= self.limit

    @property
    def parting(self) -> int:
        """Return where the sides first differ, in tokens; the shorter length where it is the beginning of the other."""
        return common_prefix(self.whole["chosen"], self.whole["rejected"])

    def completion(self, side: Side) -> Sequence[int]:
        """Return the tokens that are trained on, before any cut."""
        return self.whole[side][self.shared :]

    def kept(self, side: Side) -> Sequence[int]:
        """Return the tokens of a side that reach the model."""
        return self.whole[side][: self.limit]

    def mask(self, side: Side) -> list[int]:
        """Return for each token that is kept 1 where it is trained on, else 0."""
        return [int(at >= self.shared) for at in range(len(self.kept(side)))]

    def cut(self, side: Side) -> int:
        """Return how many tokens of a side are lost to `limit`."""
        return len(self.whole[side]) - len(self.kept(side))


def split(row: Mapping[str, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return prompt and both completions, as message lists: the row's own, or split at the first differing message."""
    prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
    if isinstance(prompt, list):
        return prompt, chosen, rejected
    at = min(common_prefix(chosen, rejected), min(len(chosen), len(rejected)) - 1)
    return chosen[:at], chosen[at:], rejected[at:]


def render(tokenizer: Any, rows: Iterable[Mapping[str, Any]], limit: int | None = MAX_LENGTH) -> list[Rendered | Skip]:
    """Return the rows in tokens, a few hundred at once; a Skip where the chat template raises.

    `tokenizer` is one of transformers', with a chat template; a row holds message lists.
    """
    made: list[Any] = [_texts(tokenizer, row) for row in rows]
    ids = iter(tokenize(tokenizer, [text for one in made if not isinstance(one, Skip) for text in one]))
    for index, texts in enumerate(made):
        if not isinstance(texts, Skip):
            asked, *whole = islice(ids, 3)
            shared = min(common_prefix(asked, side) for side in whole)
            by_side = [dict(zip(SIDES, one, strict=True)) for one in (texts[1:], whole)]
            made[index] = Rendered(texts[0], by_side[0], asked, by_side[1], shared, limit)
    return made


def tokenize(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of rendered texts: no special tokens are added, none is cut."""
    if not texts:
        return []
    options = {"add_special_tokens": False, "padding": False, "truncation": False, "verbose": False}
    ids: list[list[int]] = tokenizer(list(texts), **options)["input_ids"]
    return ids


def _texts(tokenizer: Any, row: Mapping[str, Any]) -> tuple[str, str, str] | Skip:
    prompt, chosen, rejected = split(row)
    try:
        tools = row.get("tools")
        tools = json.loads(tools) if isinstance(tools, str) else tools
        options = {"tools": tools, **(row.get("chat_template_kwargs") or {})}
        if "chat_template" in options:
            return Skip("template", "the row brings a chat template of its own: data is never run as one")
        asked = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True, **options)
        sides = [tokenizer.apply_chat_template(prompt + side, tokenize=False, **options) for side in (chosen, rejected)]
        "".join((asked, *sides)).encode()  # what can't be encoded can't be tokenised
    except Exception as error:  # noqa: BLE001 (a template is its authors' own code)
        return Skip("template", error_line(error))
    return asked, sides[0], sides[1]
