"""The generation loop: token ids in, token ids out; the next token of each row is drawn from its own random stream."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
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

from ..thoughts import split_tokens
from .decoding import Decoding


class GumbelSampling(LogitsProcessor):  # type: ignore[misc]
    """Logits processor that turns greedy decoding into sampling by `decoding` (not at temperature 0), row by row.

    argmax(logits / T + G), where G = -log(E) with E from Exp(1) is standard Gumbel, is a draw from softmax(logits / T)
    (Maddison, Tarlow and Minka 2014, "A* Sampling", section 2). `bad` marks rows whose logits had NaN or +inf, or
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
        """Return the scores (rows, vocabulary) whose argmax is the next token."""
        highest = scores.amax(-1, keepdim=True)
        self.bad = [old or new for old, new in zip(self.bad, (~highest.isfinite()).flatten().tolist(), strict=True)]
        if not self.temperature:
            return scores
        # Relative to the highest, so that no temperature is too low for a float.
        scores = (scores - highest).float() / self.temperature
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        if not self._generators:
            self._generators = [torch.Generator(scores.device).manual_seed(seed) for seed in self.seeds]
        exponential = torch.empty_like(scores)
        for row, generator in zip(exponential, self._generators, strict=True):
            row.exponential_(generator=generator)
        return scores - exponential.log()

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows."""
        self.seeds = [self.seeds[row] for row in rows]
        self.bad = [self.bad[row] for row in rows]
        self._generators = [self._generators[row] for row in rows] if self._generators else []


_DROP_SHARE = 0.75  # of unfinished rows, below which the finished ones are dropped: dropping copies the cache
_MARGIN = 8  # tokens, beyond a stop string's length, that are searched for it: some tokens have no text


@dataclass
class Generated:
    """A prompt and its new tokens, without the end token. `finish` is "nan" where the logits were not finite."""

    tokens: list[int] = field(default_factory=list)
    finish: Literal["stop", "length", "nan"] | None = None
    prompt: Sequence[int] = field(default=(), compare=False, repr=False)


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    decoding: Decoding,
    tokenizer: Any,
) -> list[Generated]:
    """Return the answers to a batch of prompts, one a row; rows of equal prompts share its prefill.

    A replacement of this engine must satisfy:

    - Row i answers prompts[i]: at most decoding.max_new_tokens tokens, every `finish` set.
    - It ends before one of model.generation_config.eos_token_id, and by no other token. No other setting of the model's
      generation_config is followed, and no token is added to the prompt.
    - It ends as soon as its answer, without a thought, holds one of decoding.stop; the text is cut by the caller.
    - At temperature 0 it is greedy. Else it depends on its prompt, its seed and `decoding`, not on the other rows.
    - A row with logits of NaN or +inf ends as "nan", and no other row with it.
    - Where memory does not suffice, it raises what `out_of_memory` recognizes, and has released all of it.
    """
    rows = [Generated(prompt=prompt) for prompt in prompts]
    batch = _Batch(rows, model.generation_config.eos_token_id or [], decoding, tokenizer)
    sampling = GumbelSampling(decoding, seeds)
    with torch.inference_mode():
        (_generate if _has_plain_cache(model) else _generate_by_transformers)(model, prompts, sampling, batch)
    return batch.rows


@dataclass
class _Batch:
    """The rows that are being generated, and what ends them."""

    rows: list[Generated]
    ends: Sequence[int]
    decoding: Decoding
    tokenizer: Any

    def __post_init__(self) -> None:
        self.window = max((len(stop.encode()) for stop in self.decoding.stop), default=0) + _MARGIN

    def add(self, row: Generated, token: int, bad: bool) -> None:
        """Add a token to a row, unless it has ended."""
        if row.finish:
            return
        if bad:
            row.finish = "nan"
        elif token in self.ends:
            row.finish = "stop"
        else:
            row.tokens.append(token)
            # First only the end, as the whole is long; then the whole, as a part may be decoded differently.
            if self._has_stop(row.tokens[-self.window :]) and self._has_stop(row.tokens[self._start(row) :]):
                row.finish = "stop"
            elif len(row.tokens) == self.decoding.max_new_tokens:
                row.finish = "length"

    def _has_stop(self, tokens: Sequence[int]) -> bool:
        stops = self.decoding.stop
        return (
            bool(stops) and self.decoding.stop_at(self.tokenizer.decode(tokens, skip_special_tokens=True)) is not None
        )

    def _start(self, row: Generated) -> int:
        """Return how many of the tokens are before the answer: a stop string in a thought ends nothing."""
        return split_tokens(self.tokenizer, row.prompt, row.tokens)[1]


def _has_plain_cache(model: Any) -> bool:
    """Return True if the model caches keys and values of each row only: no recurrent state, no cache of its own."""
    if "past_key_values" not in inspect.signature(model.forward).parameters or getattr(model, "_is_stateful", False):
        return False
    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _generate(model: Any, prompts: Sequence[Sequence[int]], sampling: GumbelSampling, batch: _Batch) -> None:
    """Prefill each distinct prompt once, then generate all rows, dropping those that have ended."""
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    ids, mask = _padded(model, distinct)
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    logits = _forward(model, ids, mask, cache)
    rows = list(batch.rows)
    if len(distinct) < len(prompts):
        number = {prompt: i for i, prompt in enumerate(distinct)}
        index = torch.tensor([number[tuple(prompt)] for prompt in prompts], device=mask.device)
        cache.batch_select_indices(index)
        mask, logits = mask[index], logits[index]
    while True:
        ids = sampling(ids, logits).argmax(-1, keepdim=True)
        for row, token, bad in zip(rows, ids[:, 0].tolist(), sampling.bad, strict=True):
            batch.add(row, token, bad)
        unfinished = [i for i, row in enumerate(rows) if not row.finish]
        if not unfinished:
            return
        if len(unfinished) <= _DROP_SHARE * len(rows):
            index = torch.tensor(unfinished, device=mask.device)
            cache.batch_select_indices(index)
            sampling.keep(unfinished)
            mask, ids, rows = mask[index], ids[index], [rows[i] for i in unfinished]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], -1)
        logits = _forward(model, ids, mask, cache)


def _padded(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and attention mask, left-padded."""
    width, pad = max(map(len, prompts)), model.generation_config.pad_token_id
    ids = [[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)


def next_token_logits(model: Any, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return the logits (prompts, vocabulary) of the token that follows each prompt."""
    with torch.inference_mode():
        return _forward(model, *_padded(model, prompts), None)


def _forward(model: Any, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache | None) -> torch.Tensor:
    """Return the last token's logits (rows, vocabulary). Not every model takes positions or `logits_to_keep`."""
    accepted = inspect.signature(model.forward).parameters
    options = {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :], "logits_to_keep": 1}
    options = {name: value for name, value in options.items() if name in accepted}
    options |= {"past_key_values": cache, "use_cache": cache is not None}
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, return_dict=True, **options).logits
    return logits[:, -1].float()


def _generate_by_transformers(
    model: Any, prompts: Sequence[Sequence[int]], sampling: GumbelSampling, batch: _Batch
) -> None:
    """Generate with models whose state can't be repeated or selected: each row is prefilled, and kept to the end."""
    ids, mask = _padded(model, prompts)
    settings = GenerationConfig(
        max_new_tokens=batch.decoding.max_new_tokens,
        do_sample=False,
        num_beams=1,
        num_return_sequences=1,
        eos_token_id=sorted(batch.ends) or None,
        pad_token_id=model.generation_config.pad_token_id,
    )
    model.generate(
        ids,
        attention_mask=mask,
        generation_config=settings,
        logits_processor=LogitsProcessorList([sampling]),
        stopping_criteria=StoppingCriteriaList([_Recorder(sampling, batch)]),
    )


class _Recorder(StoppingCriteria):  # type: ignore[misc]
    """Adds each step's tokens to the batch, and reports to transformers which rows have ended."""

    def __init__(self, sampling: GumbelSampling, batch: _Batch) -> None:
        self.sampling = sampling
        self.batch = batch

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        for row, token, bad in zip(self.batch.rows, input_ids[:, -1].tolist(), self.sampling.bad, strict=True):
            self.batch.add(row, token, bad)
        return torch.tensor([row.finish is not None for row in self.batch.rows], device=input_ids.device)
