"""The sampling engine: token ids in, token ids out. A row that ends makes room for the next one at once.

The rows that are generated together have their keys and values in one window, right-aligned: the last column is the
last token of each. A prompt is computed once for all of its samples, without its last token, which is the first one
that its rows are fed; the tokens with which many prompts begin, as those of a system message, are computed once.

Which rows stand beside each other depends on the prompts and on the lengths of the answers alone, and a row's
floating-point results depend on the shape of a batch, not on what its neighbours say. So rows whose answers are known
only keep their places for as many steps, and a run that was stopped goes on where it was, with the same results.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Literal

import torch
from transformers import (
    Cache,
    DynamicCache,
    GenerationConfig,
    LogitsProcessorList,
    MinPLogitsWarper,
    StoppingCriteriaList,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from ..text import error_line
from ..thoughts import split_tokens
from ..types import Key
from .decoding import Decoding
from .hardware import BatchSizer, release
from .model_loading import out_of_memory

_PREFILL, _PREFILL_TOKENS = 16, 8192  # prompts, and tokens, that are computed together
_AHEAD = 256  # rows of which it is known, when a shared beginning is chosen, whether they have it
_SHARED = 8  # tokens that a shared beginning has at least
_LEFT = 0.75  # share of the rows below which the window is made smaller at the end: that copies it
_MARGIN = 8  # tokens, beyond a stop string's length, that are searched for it: some tokens have no text


@dataclass(eq=False)
class Row:
    """One answer: its prompt's tokens, at most how many it may have, and what was generated, without the end token.

    `known` is the number of tokens of an answer that is not asked for, as it is stored. `finish` is "nan" where the
    logits were not finite, "oom" where memory did not suffice, as `detail` says; with labels, `detail` is the answer.
    """

    key: Key
    prompt: Sequence[int]
    most: int
    known: int | None = None
    tokens: list[int] = field(default_factory=list)
    finish: Literal["stop", "length", "nan", "oom"] | None = None
    detail: str = ""
    steps: int = 0

    @property
    def length(self) -> int:
        """The most tokens of prompt and answer."""
        return len(self.prompt) + self.most

    @property
    def over(self) -> bool:
        """Whether its place is free. That follows from the number of its tokens: one more step says that it ends."""
        tokens = len(self.tokens) if self.known is None else self.known
        return self.finish == "nan" or self.steps >= min(tokens + 1, self.most)


class GumbelSampling:
    """Draws the next token of each row by `decoding`, each row from a generator of its own.

    argmax(logits / T + G), where G = -log(E) with E from Exp(1) is standard Gumbel, is a draw from softmax(logits / T)
    (Maddison, Tarlow and Minka 2014, "A* Sampling", section 2). The streams are those of the logits' device: another
    kind of device draws other samples.
    """

    def __init__(self, decoding: Decoding, seeds: Sequence[int | None] = ()) -> None:
        self.temperature = decoding.temperature
        self.seeds = list(seeds)
        self._generators: list[torch.Generator | None] = [None] * len(seeds)
        # In the order in which transformers applies them.
        self._warpers = [
            *([TopKLogitsWarper(decoding.top_k)] if decoding.top_k else []),
            *([TopPLogitsWarper(decoding.top_p)] if decoding.top_p < 1 else []),
            *([MinPLogitsWarper(decoding.min_p)] if decoding.min_p else []),
        ]

    def draw(self, logits: torch.Tensor) -> tuple[torch.Tensor, list[bool]]:
        """Return the token of each row of logits (rows, vocabulary), and whether they had NaN, +inf or nothing finite."""
        tokens = logits.argmax(-1, keepdim=True)
        highest = logits.gather(-1, tokens)  # NaN where there is one
        if self.temperature:
            # Relative to the highest, so that no temperature is too low for a float.
            scores = (logits.float() - highest).div_(self.temperature)
            for warper in self._warpers:
                scores = warper(None, scores)
            tokens = scores.sub_(self._noise(scores)).argmax(-1, keepdim=True)
        return tokens[:, 0], (~highest.isfinite()).flatten().tolist()

    def _noise(self, scores: torch.Tensor) -> torch.Tensor:
        exponential = torch.ones_like(scores)
        for i, seed in enumerate(self.seeds):
            if seed is not None:
                generator = self._generators[i] = self._generators[i] or torch.Generator(scores.device).manual_seed(
                    seed
                )
                exponential[i].exponential_(generator=generator)
        return exponential.log_()

    def put(self, row: int, seed: int | None) -> None:
        """Give a row another seed, or none."""
        self.seeds[row], self._generators[row] = seed, None

    def keep(self, rows: Sequence[int], count: int) -> None:
        """Keep only these rows, and add others without a seed up to a number of rows."""
        more = [None] * (count - len(rows))
        self.seeds = [*(self.seeds[row] for row in rows), *more]
        self._generators = [*(self._generators[row] for row in rows), *more]


Labels = Callable[[torch.Tensor], list[str]]


@dataclass
class _Ending:
    """What ends a row, and takes its tokens."""

    ends: Sequence[int]
    decoding: Decoding
    tokenizer: Any
    labels: Labels | None = None

    def __post_init__(self) -> None:
        self.window = max((len(stop.encode()) for stop in self.decoding.stop), default=0) + _MARGIN

    def add(self, rows: Sequence[Row | None], logits: torch.Tensor, sampling: GumbelSampling) -> torch.Tensor:
        """Draw a token for each row, add it to those that have not ended, and return all."""
        labelled = self.labels(logits) if self.labels else None
        tokens, bad = sampling.draw(logits)
        drawn = tokens.tolist()
        for i, row in enumerate(rows):
            if row is None or row.finish or row.known is not None:
                continue
            if labelled:
                row.detail, row.finish, row.tokens = labelled[i], "stop", [drawn[i]]
            elif bad[i]:
                row.finish = "nan"
            elif drawn[i] in self.ends:
                row.finish = "stop"
            else:
                row.tokens.append(drawn[i])
                # First only the end, as the whole is long; then the whole, as a part may be decoded differently.
                if self._has_stop(row.tokens[-self.window :]) and self._has_stop(row.tokens[self._start(row) :]):
                    row.finish = "stop"
                elif len(row.tokens) == row.most:
                    row.finish = "length"
        return tokens

    def _has_stop(self, tokens: Sequence[int]) -> bool:
        stops = self.decoding.stop
        return (
            bool(stops) and self.decoding.stop_at(self.tokenizer.decode(tokens, skip_special_tokens=True)) is not None
        )

    def _start(self, row: Row) -> int:
        """Return how many of the tokens are before the answer: a stop string in a thought ends nothing."""
        return split_tokens(self.tokenizer, row.prompt, row.tokens)[1]


def generate(
    model: Any, rows: Sequence[Row], decoding: Decoding, tokenizer: Any, limit: BatchSizer, labels: Labels | None = None
) -> Iterator[Row]:
    """Yield each row whose answer is not known, once, as soon as it has ended.

    - An answer ends before one of model.generation_config.eos_token_id, and by no other token. No other setting of the
      model's generation_config is followed, and no token is added to the prompt.
    - It ends as soon as it holds, without a thought, one of decoding.stop; the text is cut by the caller.
    - At temperature 0 it is greedy. Else it depends on its prompt, the seed of its key and `decoding`.
    - With `labels`, a function of the first token's logits (rows, vocabulary) gives the answers.
    - A row with logits of NaN or +inf ends as "nan", and no other row with it.
    - `limit` says how many rows there are at once. It shrinks when memory does not suffice, which ends a row as "oom"
      where it does not suffice for that row alone.
    """
    ending = _Ending(model.generation_config.eos_token_id or [], decoding, tokenizer, labels)
    plain, known = has_plain_cache(model), {row.key for row in rows if row.known is not None}
    for part in _parts(model, rows, limit, plain):
        left = list(part)
        while left:
            batch = (_Window if plain else _Batch)(model, ending, limit)
            try:
                yield from (row for row in batch.run(left) if row.key not in known)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                reason = error_line(error)
            # Not in the handler: there the error still holds the tensors.
            flight = batch.flight
            del batch
            release(model.device)
            length = max(row.length for row in flight)
            if len(flight) == 1 or limit.rows_of(length) == 1:
                flight[0].finish, flight[0].detail = "oom", reason
                yield flight[0]
            else:
                limit.shrink(len(flight), length)
            left = [row for row in left if not row.finish]
            for row in left:
                row.tokens, row.steps = [], 0


def has_plain_cache(model: Any) -> bool:
    """Return True if the model caches keys and values of each row only: no recurrent state, no cache of its own."""
    config = model.config.get_text_config(decoder=True)
    scaling = getattr(config, "rope_parameters", None) or {}
    if any(kind in str(scaling) for kind in ("dynamic", "longrope")):  # There positions depend on the longest row.
        return False
    if "past_key_values" not in inspect.signature(model.forward).parameters or getattr(model, "_is_stateful", False):
        return False
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=config).layers)


def _parts(model: Any, rows: Sequence[Row], limit: BatchSizer, plain: bool) -> Iterator[Sequence[Row]]:
    """Yield the rows that are generated without those after them; all rows, if what is known can be left out.

    In a mixture of experts the shape of an expert's batch depends on what the rows say: there, as in a batch of
    `model.generate`, all rows are generated where one is not known.
    """
    numbers = model.config.get_text_config(decoder=True).to_dict()
    if plain and not any("expert" in name and number for name, number in numbers.items()):
        yield rows
        return
    part: list[Row] = []
    for row in chain(rows, [None]):
        if row is None or (part and len(part) >= (4 if plain else 1) * limit.rows_of(max(row.length, part[-1].length))):
            if any(one.known is None for one in part):
                yield [Row(one.key, one.prompt, one.most) if one.known is not None else one for one in part]
            part = []
        part += [row] if row else []


class _Batch:
    """Rows of a model whose state can't be moved: they are generated by transformers, and all kept to the end."""

    def __init__(self, model: Any, ending: _Ending, limit: BatchSizer) -> None:
        self.model, self.ending, self.limit = model, ending, limit
        self.flight: list[Row] = []

    def run(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows, in as few batches as memory allows."""
        size = self.limit.rows_of(max(row.length for row in rows))
        for start in range(0, len(rows), size):
            self.flight = list(rows[start : start + size])
            self._generate()
            yield from self.flight

    @torch.inference_mode()
    def _generate(self) -> None:
        rows, pad = self.flight, self.model.generation_config.pad_token_id
        width = max(len(row.prompt) for row in rows)
        ids = [[pad] * (width - len(row.prompt)) + list(row.prompt) for row in rows]
        mask = [[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
        sampling = GumbelSampling(self.ending.decoding, [self.ending.decoding.seed_of(row.key) for row in rows])

        def add(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            tokens = self.ending.add(rows, scores, sampling)
            return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)

        def ended(ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            return torch.tensor([row.finish is not None for row in rows], device=ids.device)

        self.model.generate(
            torch.tensor(ids, device=self.model.device),
            attention_mask=torch.tensor(mask, device=self.model.device),
            generation_config=GenerationConfig(
                max_new_tokens=max(row.most for row in rows),
                do_sample=False,
                num_beams=1,
                num_return_sequences=1,
                eos_token_id=sorted(self.ending.ends) or None,
                pad_token_id=pad,
            ),
            logits_processor=LogitsProcessorList([add]),
            stopping_criteria=StoppingCriteriaList([ended]),
        )


class _Layer(DynamicLayer):  # type: ignore[misc]
    """The keys and values of one layer of the window; of a layer with a sliding window also those outside of it."""

    def __init__(self, window: _Window) -> None:
        super().__init__()
        self.window = window

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Write the last column, and return all columns."""
        end = self.window.end
        self.write(slice(None), slice(end, end + 1), key_states, value_states)
        columns = slice(self.window.low, end + 1)
        return self.keys[:, :, columns], self.values[:, :, columns]

    def write(self, rows: Any, columns: slice, keys: torch.Tensor, values: torch.Tensor) -> None:
        if self.keys is None:
            shape = (len(self.window.rows), keys.shape[-3], self.window.capacity)
            self.keys, self.values = keys.new_zeros(*shape, keys.shape[-1]), keys.new_zeros(*shape, values.shape[-1])
            self.is_initialized = True
        self.keys[rows, :, columns], self.values[rows, :, columns] = keys, values

    def move(self, rows: Sequence[int], source: slice, target: slice) -> None:
        """Make the window anew, with the columns of some rows in another place."""
        for name in ("keys", "values") if self.keys is not None else ():
            old = getattr(self, name)
            new = old.new_zeros(len(self.window.rows), old.shape[1], self.window.capacity, old.shape[3])
            new[: len(rows), :, target] = old[:, :, source][rows]
            setattr(self, name, new)

    def get_seq_length(self) -> int:
        """Return the number of columns before the next token."""
        return self.window.end - self.window.low


Computed = tuple[Any, int] | None  # the cache of some prompts, and one's place in it


class _Window:
    """The rows that are being generated; None is a free place. Their columns go from `low` to before `end`.

    `starts` are the columns of the first token of each row, `feed` the tokens that come next.
    """

    def __init__(self, model: Any, ending: _Ending, limit: BatchSizer) -> None:
        self.model, self.ending, self.limit = model, ending, limit
        self.rows: list[Row | None] = []
        self.starts: list[int] = []
        self.feed: list[int] = []
        self.low = self.end = self.capacity = 0
        self.sampling = GumbelSampling(ending.decoding)
        self.depth = len(DynamicCache(config=model.config.get_text_config(decoder=True)).layers)
        self.cache = Cache(layers=[_Layer(self) for _ in range(self.depth)])
        self.queue: deque[Row] = deque()
        self.ready: deque[tuple[Row, Computed]] = deque()
        self.computing: list[Row] = []
        self.head: list[int] = []
        self.head_cache: Any = None
        self.accepted = inspect.signature(model.forward).parameters

    @property
    def flight(self) -> list[Row]:
        """The rows that are being generated, and those whose prompts are being computed."""
        return [row for row in self.rows if row] + self.computing

    def run(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows as they end."""
        self.queue.extend(rows)
        while self.queue or self.ready or any(self.rows):
            self._admit()
            before = [row for row in self.rows if row and not row.finish]
            self._step()
            yield from (row for row in before if row.finish)

    def _admit(self) -> None:
        """Give free places to the next rows, as far as there is memory for them."""
        live = [i for i, row in enumerate(self.rows) if row]
        longest = max((self._row(i).length for i in live), default=0)
        placed: list[tuple[Row, Computed]] = []
        while following := self.ready[0][0] if self.ready else self.queue[0] if self.queue else None:
            longest = max(longest, following.length)
            count = len(live) + len(placed)
            if count and count >= self.limit.rows_of(longest):
                break
            if not self.ready:
                self._prefill(max(1, self.limit.rows_of(longest) - count))
            placed.append(self.ready.popleft())
        width = max((len(row.prompt) - 1 for row, _ in placed), default=0)
        count = len(live) + len(placed)
        self.low = min((self.starts[i] for i in live), default=self.end)
        if count > len(self.rows) or count <= _LEFT * len(self.rows) or width > self.end or self.end >= self.capacity:
            self._arrange(live, count, width)
        free = iter([i for i, row in enumerate(self.rows) if not row])
        for row, computed in placed:
            self._put(next(free), row, computed)
        self.low = min(self.starts[i] for i, row in enumerate(self.rows) if row)

    def _row(self, i: int) -> Row:
        row = self.rows[i]
        assert row
        return row

    def _arrange(self, keep: Sequence[int], count: int, width: int) -> None:
        """Make a window of `count` rows, those to `keep` first, with room for `width` columns before the end."""
        used = self.end - self.low
        width = max(width, used)
        source, target = slice(self.low, self.end), slice(width - used, width)
        more = [None] * (count - len(keep))
        self.rows = [*(self.rows[i] for i in keep), *more]
        self.starts = [*(self.starts[i] - self.low + width - used for i in keep), *[width] * len(more)]
        self.feed = [*(self.feed[i] for i in keep), *[0] * len(more)]
        self.sampling.keep(keep, count)
        self.end, self.capacity = width, width + 32 + width // 4
        for layer in self.cache.layers:
            layer.move(keep, source, target)
        self.low = target.start

    @torch.inference_mode()
    def _put(self, i: int, row: Row, computed: Computed) -> None:
        """Put a row in a free place."""
        length = len(row.prompt) - 1
        self.rows[i], self.starts[i], self.feed[i] = row, self.end - length, row.prompt[-1]
        self.sampling.put(i, None if row.known is not None else self.ending.decoding.seed_of(row.key))
        if computed and length:
            cache, place = computed
            for layer, made in zip(self.cache.layers, cache.layers, strict=True):
                columns = slice(self.end - length, self.end)
                layer.write(i, columns, made.keys[place, :, :length], made.values[place, :, :length])

    @torch.inference_mode()
    def _step(self) -> None:
        """Add a token to each row, and free the places of those that are over."""
        self.starts = [start if row else self.end for row, start in zip(self.rows, self.starts, strict=True)]
        if any(row and row.known is None and not row.finish for row in self.rows):
            feed, starts = torch.tensor([self.feed, self.starts], device=self.model.device)
            mask = torch.arange(self.low, self.end + 1, device=starts.device) >= starts[:, None]
            logits = self._forward(feed[:, None], mask, (self.end - starts)[:, None], self.cache)
            self.feed = self.ending.add(self.rows, logits, self.sampling).tolist()
        self.end += 1
        for i, row in enumerate(self.rows):
            if row:
                row.steps += 1
                if row.over:
                    self._free(i, row)

    def _free(self, i: int, row: Row) -> None:
        self.rows[i] = None
        self.sampling.put(i, None)
        if row.finish == "nan":  # Zero times NaN would be NaN in the rows that come after it.
            for layer in self.cache.layers:
                layer.write(i, slice(None), torch.zeros_like(layer.keys[i]), torch.zeros_like(layer.values[i]))

    def _prefill(self, most: int) -> None:
        """Compute the next prompts, at most so many, that begin alike."""
        bodies: list[Sequence[int]] = []
        begin = self._shared_beginning()
        group: list[tuple[Row, int]] = []
        while self.queue:
            row = self.queue[0]
            if not group or row.prompt != group[-1][0].prompt:
                body = row.prompt[:-1]
                longest = max(map(len, [*bodies, body])) - begin
                full = len(bodies) >= min(_PREFILL, most) or longest * (len(bodies) + 1) > _PREFILL_TOKENS
                if bodies and (full or list(body[:begin]) != self.head):
                    break
                bodies.append(body)
            group.append((self.queue.popleft(), len(bodies) - 1))
        self.computing = list({place: row for row, place in reversed(group)}.values())
        wanted = any(row.known is None for row, _ in group)
        cache = self._computed(bodies) if wanted else None
        self.ready.extend((row, cache and (cache, place)) for row, place in group)
        self.computing = []

    def _shared_beginning(self) -> int:
        """Choose the beginning that saves most for the next prompts, unless the next one has that of those before."""
        ahead = list(dict.fromkeys(tuple(row.prompt[:-1]) for row in islice(self.queue, _AHEAD)))
        first = ahead[0]
        if not self.head or list(first[: len(self.head)]) != self.head:
            shared, best, saved = len(first), 0, 0
            for others, other in enumerate(ahead[1:], 1):
                shared = next(
                    (i for i, (a, b) in enumerate(zip(first[:shared], other)) if a != b), min(shared, len(other))
                )
                if shared >= _SHARED and shared * others > saved:
                    best, saved = shared, shared * others
            self.head, self.head_cache = list(first[:best]), None
        return len(self.head)

    @torch.inference_mode()
    def _computed(self, bodies: Sequence[Sequence[int]]) -> Any:
        """Return the cache of some prompts, left-aligned."""
        begin, device = len(self.head), self.model.device
        if self.head and self.head_cache is None:
            self.head_cache = self._new_cache()
            ids = torch.tensor([self.head], device=device)
            self._forward(ids, torch.ones_like(ids), torch.arange(begin, device=device)[None], self.head_cache)
        cache = self._new_cache()
        if self.head:
            for layer, made in zip(cache.layers, self.head_cache.layers, strict=True):
                layer.update(*(kept.expand(len(bodies), -1, -1, -1) for kept in (made.keys, made.values)))
        width = max(map(len, bodies))
        if width > begin:
            ids = torch.tensor([[*body[begin:], *[0] * (width - len(body))] for body in bodies], device=device)
            lengths = torch.tensor([len(body) for body in bodies], device=device)
            mask = torch.arange(width, device=device) < lengths[:, None]
            self._forward(ids, mask, torch.arange(begin, width, device=device).expand_as(ids), cache)
        return cache if width else None

    def _new_cache(self) -> Cache:
        return Cache(layers=[DynamicLayer() for _ in range(self.depth)])

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Cache) -> torch.Tensor:
        """Return the last token's logits (rows, vocabulary). Not every model takes positions or `logits_to_keep`."""
        options = {"position_ids": positions, "logits_to_keep": 1}
        options = {name: value for name, value in options.items() if name in self.accepted}
        options |= {"past_key_values": cache, "use_cache": True}
        logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask.long(), return_dict=True, **options).logits
        return logits[:, -1]
