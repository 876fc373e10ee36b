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
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from ..text import error_line
from .decoding import Decoding
from .hardware import BatchSizer, release
from .model_loading import out_of_memory
from .prefill import Computed, Prefill
from .rows import Ending, Labels, Row, SeededSampling
from .whole_batches import WholeBatches

_LEFT = 0.95  # share of the rows below which the window is made smaller at the end: that copies it


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
    ending = Ending(model.generation_config.eos_token_id or [], decoding, tokenizer, labels)
    plain, known = has_plain_cache(model), {row.key for row in rows if row.known is not None}
    for part in _parts(model, rows, limit, plain):
        left = list(part)
        while left:
            batch = (_Window if plain else WholeBatches)(model, ending, limit)
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


class _Layer(DynamicLayer):  # type: ignore[misc]
    """The keys and values of one layer of the window; of a layer with a sliding window also those outside of it."""

    keys: Any
    values: Any

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


class _Window:
    """The rows that are being generated; None is a free place. Their columns go from `low` to before `end`.

    `starts` are the columns of the first token of each row, `feed` the tokens that come next.
    """

    def __init__(self, model: Any, ending: Ending, limit: BatchSizer) -> None:
        self.model, self.ending, self.limit = model, ending, limit
        self.rows: list[Row | None] = []
        self.starts: list[int] = []
        self.feed: list[int] = []
        self.low = self.end = self.capacity = 0
        self.sampling = SeededSampling(ending.decoding)
        self.prefill = Prefill(model, ())
        self.cache = Cache(layers=[_Layer(self) for _ in range(self.prefill.depth)])
        self.ready: deque[tuple[Row, Computed]] = deque()

    @property
    def flight(self) -> list[Row]:
        """The rows that are being generated, and those whose prompts are being computed."""
        return [row for row in self.rows if row] + self.prefill.computing

    def run(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows as they end."""
        self.prefill.queue.extend(rows)
        while self.prefill.queue or self.ready or any(self.rows):
            self._admit()
            before = [row for row in self.rows if row and not row.finish]
            self._step()
            yield from (row for row in before if row.finish)

    def _admit(self) -> None:
        """Give free places to the next rows, as far as there is memory for them."""
        live = [i for i, row in enumerate(self.rows) if row]
        longest = max((self._row(i).length for i in live), default=0)
        placed: list[tuple[Row, Computed]] = []
        while following := self.ready[0][0] if self.ready else self.prefill.queue[0] if self.prefill.queue else None:
            longest = max(longest, following.length)
            count = len(live) + len(placed)
            if count and count >= self.limit.rows_of(longest):
                break
            if not self.ready:
                self.ready.extend(self.prefill.compute(max(1, self.limit.rows_of(longest) - count)))
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

    @torch.inference_mode()  # type: ignore[untyped-decorator]
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

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _step(self) -> None:
        """Add a token to each row, and free the places of those that are over."""
        self.starts = [start if row else self.end for row, start in zip(self.rows, self.starts, strict=True)]
        if any(row and row.known is None and not row.finish for row in self.rows):
            feed, starts = torch.tensor([self.feed, self.starts], device=self.model.device)
            mask = torch.arange(self.low, self.end + 1, device=starts.device) >= starts[:, None]
            logits = self.prefill.forward(feed[:, None], mask, (self.end - starts)[:, None], self.cache)
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
