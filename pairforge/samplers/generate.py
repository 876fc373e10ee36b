"""Draws the next token of each row from a random stream of its own.

Token ids in, token ids out: the one place where the model runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import (
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    StoppingCriteria,
    StoppingCriteriaList,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from .decoding import Decoding


class Draw(LogitsProcessor):  # type: ignore[misc]
    """Turns greedy decoding into sampling as `decoding` says (at temperature 0: leaves it greedy), row by row.

    argmax(logits / T + G), where G = -log(E) with E from Exp(1) is standard Gumbel, is a draw from softmax(logits / T)
    (Maddison, Tarlow and Minka 2014, "A* Sampling", section 2). `bad` marks rows whose logits held NaN or +inf, or
    nothing finite. The streams are those of the logits' device: another kind of device draws other samples.
    """

    def __init__(self, decoding: Decoding, seeds: Sequence[int]) -> None:
        self.temperature = decoding.temperature
        self.seeds = list(seeds)
        self.bad = [False] * len(seeds)
        self._generators: list[torch.Generator] = []
        # In the order in which transformers applies them.
        self._warpers = [
            *([TopKLogitsWarper(decoding.top_k)] if decoding.top_k else []),
            *([TopPLogitsWarper(decoding.top_p)] if decoding.top_p < 1 else []),
            *([MinPLogitsWarper(decoding.min_p)] if decoding.min_p else []),
        ]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores (rows, vocabulary) whose argmax is the next token."""
        highest = scores.amax(-1, keepdim=True)
        self.bad = [old or new for old, new in zip(self.bad, (~highest.isfinite()).flatten().tolist(), strict=True)]
        if not self.temperature:
            return scores
        # From the highest, so that no temperature is too low for a float.
        scores = (scores - highest).float() / self.temperature
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        return scores - self._exponential(scores).log()

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these rows alone."""
        self.seeds = [self.seeds[row] for row in rows]
        self.bad = [self.bad[row] for row in rows]
        self._generators = [self._generators[row] for row in rows] if self._generators else []

    def _exponential(self, like: torch.Tensor) -> torch.Tensor:
        if not self._generators:
            self._generators = [torch.Generator(like.device).manual_seed(seed) for seed in self.seeds]
        noise = torch.empty_like(like)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return noise


_FEW = 0.75  # share of the rows that still go on, at which the ended ones are dropped: dropping copies the cache
_MARGIN = 8  # tokens, beyond a stop string's length, that are read again for it: some tokens have no text


@dataclass
class Generated:
    """The new tokens of one row, without the end token. `finish` is "nan" where the logits were not finite."""

    tokens: list[int] = field(default_factory=list)
    finish: Literal["stop", "length", "nan"] | None = None


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    decoding: Decoding,
    decode: Callable[[Sequence[int]], str],
) -> list[Generated]:
    """The answers to a batch of prompts, one a row; rows of equal prompts share its prefill.

    What another engine must keep to, to take this one's place:

    - Row i answers prompts[i]: at most decoding.max_new_tokens tokens, every `finish` set.
    - It ends before one of model.generation_config.eos_token_id, and by no other token. No setting of the model's
      generation_config beside that is followed, and no token is added to the prompt.
    - It ends as soon as `decode` of its tokens holds one of decoding.stop; the text is cut by the caller.
    - At temperature 0 it is greedy. Else it hangs on its prompt, its seed and `decoding`, not on the rows beside it.
    - A row of which any logits were NaN or +inf ends as "nan", and no other row with it.
    - Where memory does not suffice, it raises what `loading.out_of_memory` knows, and holds none of it any longer.
    """
    book = _DraftBook(prompts, model.generation_config.eos_token_id or [], decoding, decode)
    draw = Draw(decoding, seeds)
    with torch.inference_mode():
        (_generate if _has_plain_cache(model) else _generate_by_transformers)(model, prompts, draw, book)
    return book.rows


class _DraftBook:
    """The rows in the making, and what ends them."""

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        ends: Sequence[int],
        decoding: Decoding,
        decode: Callable[[Sequence[int]], str],
    ) -> None:
        self.rows = [Generated() for _ in prompts]
        self.ends = frozenset(ends)
        self.decoding = decoding
        self.decode = decode
        self.window = max((len(stop.encode()) for stop in decoding.stop), default=0) + _MARGIN

    def add(self, row: Generated, token: int, bad: bool) -> None:
        """One more token; a row that has ended stays as it is."""
        if row.finish:
            return
        if bad:
            row.finish = "nan"
        elif token in self.ends:
            row.finish = "stop"
        else:
            row.tokens.append(token)
            if self._stopped(row.tokens):
                row.finish = "stop"
            elif len(row.tokens) == self.decoding.max_new_tokens:
                row.finish = "length"

    def _stopped(self, tokens: Sequence[int]) -> bool:
        """Reads the end first, as the whole is long; then the whole, as a text may begin otherwise than it goes on."""
        if not self.decoding.stop or self.decoding.stop_at(self.decode(tokens[-self.window :])) is None:
            return False
        return self.decoding.stop_at(self.decode(tokens)) is not None


def _has_plain_cache(model: Any) -> bool:
    """Whether the model keeps keys and values a row, and nothing else: no recurrent state, no cache of its own."""
    if "past_key_values" not in inspect.signature(model.forward).parameters or getattr(model, "_is_stateful", False):
        return False
    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _generate(model: Any, prompts: Sequence[Sequence[int]], draw: Draw, book: _DraftBook) -> None:
    """Prefills each distinct prompt once, then goes on with all rows, without those that have ended."""
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    ids, mask = _padded(model, distinct)
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    logits = _forward(model, ids, mask, cache)
    rows = list(book.rows)
    if len(distinct) < len(prompts):
        number = {prompt: i for i, prompt in enumerate(distinct)}
        index = torch.tensor([number[tuple(prompt)] for prompt in prompts], device=mask.device)
        cache.batch_select_indices(index)
        mask, logits = mask[index], logits[index]
    while True:
        ids = draw(ids, logits).argmax(-1, keepdim=True)
        for row, token, bad in zip(rows, ids[:, 0].tolist(), draw.bad, strict=True):
            book.add(row, token, bad)
        going = [i for i, row in enumerate(rows) if not row.finish]
        if not going:
            return
        if len(going) <= _FEW * len(rows):
            index = torch.tensor(going, device=mask.device)
            cache.batch_select_indices(index)
            draw.keep(going)
            mask, ids, rows = mask[index], ids[index], [rows[i] for i in going]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], -1)
        logits = _forward(model, ids, mask, cache)


def _padded(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, left-padded."""
    width, pad = max(map(len, prompts)), model.generation_config.pad_token_id
    ids = [[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)


def _forward(model: Any, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """The last token's logits (rows, vocabulary). Not every model takes positions, or can leave out other logits."""
    taken = inspect.signature(model.forward).parameters
    wanted = {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :], "logits_to_keep": 1}
    known = {name: value for name, value in wanted.items() if name in taken}
    logits: torch.Tensor = model(
        input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, return_dict=True, **known
    ).logits
    return logits[:, -1].float()


def _generate_by_transformers(model: Any, prompts: Sequence[Sequence[int]], draw: Draw, book: _DraftBook) -> None:
    """For models whose state can't be repeated or picked from: each row is prefilled, and goes on until all ended."""
    ids, mask = _padded(model, prompts)
    settings = GenerationConfig(
        max_new_tokens=book.decoding.max_new_tokens,
        do_sample=False,
        num_beams=1,
        num_return_sequences=1,
        eos_token_id=sorted(book.ends) or None,
        pad_token_id=model.generation_config.pad_token_id,
    )
    model.generate(
        ids,
        attention_mask=mask,
        generation_config=settings,
        logits_processor=LogitsProcessorList([draw]),
        stopping_criteria=StoppingCriteriaList([_Recorder(draw, book)]),
    )


class _Recorder(StoppingCriteria):  # type: ignore[misc]
    """Books each step's tokens, and tells transformers which rows have ended."""

    def __init__(self, draw: Draw, book: _DraftBook) -> None:
        self.draw = draw
        self.book = book

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        for row, token, bad in zip(self.book.rows, input_ids[:, -1].tolist(), self.draw.bad, strict=True):
            self.book.add(row, token, bad)
        return torch.tensor([row.finish is not None for row in self.book.rows], device=input_ids.device)
