"""The prefill: the keys and values of prompts, of which those that begin alike share the computation of that."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from .rows import Row

_PROMPTS, _TOKENS = 16, 8192  # that are computed together
_AHEAD = 256  # rows of which it is known, when a shared beginning is chosen, whether they have it
_SHARED = 8  # tokens that a shared beginning has at least

Computed = tuple[Cache, int] | None
"""The cache of some prompts, without the last token of each, and one's place in it; None where it is not wanted."""


class Prefill:
    """Computes the prompts of the rows in a queue."""

    def __init__(self, model: Any, rows: Sequence[Row]) -> None:
        self.model = model
        self.queue = deque(rows)
        self.depth = len(DynamicCache(config=model.config.get_text_config(decoder=True)).layers)
        self.computing: list[Row] = []
        self.head: list[int] = []
        self.head_cache: Cache | None = None
        self.accepted = inspect.signature(model.forward).parameters

    def compute(self, most: int) -> list[tuple[Row, Computed]]:
        """Compute the next prompts, at most so many, that begin alike, and return their rows."""
        bodies: list[Sequence[int]] = []
        begin = self._shared_beginning()
        group: list[tuple[Row, int]] = []
        while self.queue:
            row = self.queue[0]
            if not group or row.prompt != group[-1][0].prompt:
                body = row.prompt[:-1]
                longest = max(map(len, [*bodies, body])) - begin
                full = len(bodies) >= min(_PROMPTS, most) or longest * (len(bodies) + 1) > _TOKENS
                if bodies and (full or list(body[:begin]) != self.head):
                    break
                bodies.append(body)
            group.append((self.queue.popleft(), len(bodies) - 1))
        self.computing = list({place: row for row, place in reversed(group)}.values())
        wanted = any(row.known is None for row, _ in group)
        cache = self._computed(bodies) if wanted else None
        self.computing = []
        return [(row, cache and (cache, place)) for row, place in group]

    def _shared_beginning(self) -> int:
        """Choose the beginning that saves most for the next prompts, unless the next one has that of those before."""
        ahead = list(dict.fromkeys(tuple(row.prompt[:-1]) for row in islice(self.queue, _AHEAD)))
        first = ahead[0]
        if not self.head or list(first[: len(self.head)]) != self.head:
            shared, best, saved = len(first), 0, 0
            for others, other in enumerate(ahead[1:], 1):
                pairs = enumerate(zip(first[:shared], other, strict=False))
                shared = next((i for i, (a, b) in pairs if a != b), min(shared, len(other)))
                if shared >= _SHARED and shared * others > saved:
                    best, saved = shared, shared * others
            self.head, self.head_cache = list(first[:best]), None
        return len(self.head)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _computed(self, bodies: Sequence[Sequence[int]]) -> Any:
        """Return the cache of some prompts, left-aligned."""
        begin, device = len(self.head), self.model.device
        cache = self._new_cache()
        if self.head:
            if self.head_cache is None:
                self.head_cache = self._new_cache()
                ids = torch.tensor([self.head], device=device)
                self.forward(ids, torch.ones_like(ids), torch.arange(begin, device=device)[None], self.head_cache)
            for layer, made in zip(cache.layers, self.head_cache.layers, strict=True):
                layer.update(*(kept.expand(len(bodies), -1, -1, -1) for kept in (made.keys, made.values)))
        width = max(map(len, bodies))
        if width > begin:
            ids = torch.tensor([[*body[begin:], *[0] * (width - len(body))] for body in bodies], device=device)
            lengths = torch.tensor([len(body) for body in bodies], device=device)
            mask = torch.arange(width, device=device) < lengths[:, None]
            self.forward(ids, mask, torch.arange(begin, width, device=device).expand_as(ids), cache)
        return cache if width else None

    def _new_cache(self) -> Cache:
        return Cache(layers=[DynamicLayer() for _ in range(self.depth)])

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Cache) -> torch.Tensor:
        """Return the last token's logits (rows, vocabulary). Not every model takes positions or `logits_to_keep`."""
        options = {"position_ids": positions, "logits_to_keep": 1}
        options = {name: value for name, value in options.items() if name in self.accepted}
        options |= {"past_key_values": cache, "use_cache": True}
        logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask.long(), return_dict=True, **options).logits
        return logits[:, -1]
