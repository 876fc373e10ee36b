"""How hard pairs are for DPO on a model, in summary.

How hard a pair is for DPO, by the model that is to be trained: four numbers, known before any step.

DPO raises the margin between the answers, not the probability of the chosen one. Where the two are alike, both lose
probability together, and what gains is something else: likelihood displacement (Razin et al. 2024, Unintentional
Unalignment; Pal et al. 2024, Smaug).
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import Any

from ..samplers.hardware import BatchSizer, release, threads
from ..samplers.model_loading import describe_error, out_of_memory
from ..samplers.transformers import LocalModel
from ..tokenization import MAX_LENGTH, SIDES, Rendered, Side, common_prefix, render
from ..types import Skip

_CHUNK = 512  # rows that are read ahead, so that pairs of like length can share a batch


@dataclass(frozen=True, slots=True)
class Difficulty:
    """The numbers of one pair, over the tokens that a trainer keeps. y+ is the chosen answer, y- the rejected one."""

    row: int
    deficit: float | None
    """ln pi(y-_t | x, y_<t) - ln pi(y+_t | x, y_<t) at the first token t in which they differ, in nats.

    Above 0 the model prefers the rejected token: it is what DPO has to turn round. None where one answer is the
    beginning of the other.
    """
    edit_distance: float
    """Levenshtein distance of the answers' tokens over the length of the longer one: 0 the same, 1 nothing in common.

    Where it is small, DPO lowers the probability of the chosen answer, too (Pal et al. 2024, sections 3 and 4).
    """
    shared_prefix: int
    """Tokens with which both answers begin: they get no gradient from the margin."""
    ches: float
    """<S+, S-> - |S+|^2, where S is the sum of the last hidden states from which the tokens of y are predicted, that is
    h(x, y_<k) for k = 1 .. |y| (centered hidden embedding similarity, Razin et al. 2024, definition 2)."""
    ches_normalised: float
    """<S+, S-> / (|y+| |y-|) - |S+|^2 / |y+|^2, the length-normalised variant of the same: by it that paper leaves out
    pairs. The higher within one set and model, the more the pair invites displacement; 0: the answers are one to it."""


def measure(
    model: Any,
    tokenizer: Any,
    rows: Iterable[Mapping[str, Any]],
    *,
    limit: int | None = MAX_LENGTH,
    batch_size: int | None = None,
) -> Iterator[Difficulty | Skip]:
    """The numbers of each row, in order; a Skip where training would learn nothing from it, or memory did not suffice.

    `model` is a causal language model of transformers, `tokenizer` its own, with a chat template; `limit` the tokens of
    a side that training keeps, `batch_size` the most answers at once (None: as many as there is room for).
    """
    most = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    limit = min(filter(None, (limit, most)), default=None)
    room, stream, start = BatchSizer.of(model, batch_size), iter(rows), 0
    while chunk := list(islice(stream, _CHUNK)):
        ready = [_fit(one) for one in render(tokenizer, chunk, limit)]
        found: list[Difficulty | Skip] = [one if isinstance(one, Skip) else Skip("oom") for one in ready]
        with threads(model):
            for place, one in _measured(model, ready, room):
                found[place] = one if isinstance(one, Skip) else _numbers(start + place, ready[place], one)
        yield from found
        start += len(chunk)


def _fit(one: Rendered | Skip) -> Rendered | Skip:
    """The row, if the answers that training keeps differ."""
    if isinstance(one, Skip):
        return one
    if one.dropped or not one.shared:
        return Skip("no_room", "the context leaves no room for an answer" if one.shared else "there is no context")
    kept = [one.kept(side) for side in SIDES]
    if min(map(len, kept)) <= one.shared:
        return Skip("empty", "an answer has no token")
    return Skip("identical", "the answers that training keeps are the same") if kept[0] == kept[1] else one


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the model says of a pair."""

    deficit: float | None
    chosen: float
    """|S+|^2"""
    both: float
    """<S+, S->"""


def _numbers(row: int, pair: Any, seen: _Seen) -> Difficulty:
    one, other = (pair.kept(side)[pair.shared :] for side in SIDES)
    return Difficulty(
        row=row,
        deficit=seen.deficit,
        edit_distance=edit_distance(one, other) / max(len(one), len(other)),
        shared_prefix=common_prefix(one, other),
        ches=seen.both - seen.chosen,
        ches_normalised=seen.both / (len(one) * len(other)) - seen.chosen / len(one) ** 2,
    )


def _measured(model: Any, ready: Sequence[Rendered | Skip], room: BatchSizer) -> Iterator[tuple[int, _Seen | Skip]]:
    """By their place; pairs of like length together, in smaller batches where memory did not suffice."""
    pairs = [(place, one) for place, one in enumerate(ready) if isinstance(one, Rendered)]
    pairs.sort(key=lambda pair: -_length(pair[1]))
    while pairs:
        longest = _length(pairs[0][1])
        batch = pairs[: max(1, room.rows_of(longest) // 2)]
        seen = _attempt(model, [one for _, one in batch])
        if isinstance(seen, Skip) and len(batch) > 1:
            room.shrink(2 * len(batch), longest)
            continue
        for number, (place, _) in enumerate(batch):
            yield place, seen if isinstance(seen, Skip) else seen[number]
        del pairs[: len(batch)]


def _length(pair: Rendered) -> int:
    return max(len(pair.kept(side)) for side in SIDES)


def _attempt(model: Any, pairs: Sequence[Rendered]) -> list[_Seen] | Skip:
    try:
        return _look(model, pairs)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        reason = describe_error(error)
    # Not in the handler: there the error still holds the tensors.
    release(model.device)
    return Skip("oom", reason)


def _look(model: Any, pairs: Sequence[Rendered]) -> list[_Seen]:
    """Both answers of all pairs in one batch, padded behind: what comes later a causal model does not see."""
    import torch

    sides: list[tuple[Rendered, Side]] = [(pair, side) for side in SIDES for pair in pairs]
    ids = [torch.tensor(pair.kept(side)) for pair, side in sides]
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True).to(model.device)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in ids], batch_first=True).to(model.device)
    parting = torch.tensor([pair.parting - 1 for pair in pairs])
    wanted, column = parting.unique(return_inverse=True)
    some = "logits_to_keep" in inspect.signature(model.forward).parameters
    with torch.inference_mode():
        said = model(
            padded,
            attention_mask=mask,
            output_hidden_states=True,
            use_cache=False,
            **({"logits_to_keep": wanted.to(model.device)} if some else {}),
        )
        hidden = said.hidden_states[-1]
        sums = torch.stack([
            hidden[number, pair.shared - 1 : len(pair.kept(side)) - 1].float().sum(0)
            for number, (pair, side) in enumerate(sides)
        ]).cpu().double()  # fmt: skip
        chosen, rejected = sums.chunk(2)
        at = said.logits[torch.arange(len(pairs)), column if some else parting].float().cpu()
    squares, products = (chosen * chosen).sum(1).tolist(), (chosen * rejected).sum(1).tolist()
    return [
        _Seen(_deficit(pair, logits), square, product)
        for pair, logits, square, product in zip(pairs, at, squares, products, strict=True)
    ]


def _deficit(pair: Rendered, logits: Any) -> float | None:
    """Logits differ as the logarithms of the probabilities do."""
    one, other = (pair.kept(side)[pair.parting : pair.parting + 1] for side in SIDES)
    return float(logits[other[0]] - logits[one[0]]) if one and other else None


def edit_distance(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens must be put in, taken out or replaced to make one of the other (Levenshtein).

    A column of the matrix at once, as the bits of two integers: where a step down is +1, and where -1 (Myers 1999, A
    fast bit-vector algorithm, as simplified by Hyyro 2003).
    """
    if not one:
        return len(other)
    places: dict[int, int] = {}
    for index, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << index
    whole, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = whole, 0, len(one)
    for token in other:
        same = places.get(token, 0)
        level = (((same & up) + up) ^ up) | same
        right, left = down | ~(level | up), up & level
        distance += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        up, down = (left | ~(same | down | right)) & whole, right & (same | down) & whole
    return distance


_NAMED = 5
_TENTHS = {"p10": 1, "median": 5, "p90": 9}


@dataclass(frozen=True)
class Difficulties:
    """The numbers of all pairs of a set; `skips` counts by reason the rows that have none."""

    model: str
    pairs: Sequence[Difficulty]
    skips: Mapping[str, int]

    def riskiest(self, count: int = _NAMED) -> list[int]:
        """The rows that most invite likelihood displacement: the highest length-normalised CHES first."""
        return [one.row for one in sorted(self.pairs, key=lambda one: (-one.ches_normalised, one.row))[:count]]

    @property
    def against(self) -> float | None:
        """Share of the pairs in which the model prefers the rejected token where the answers part."""
        known = [one.deficit > 0 for one in self.pairs if one.deficit is not None]
        return sum(known) / len(known) if known else None

    def as_json(self) -> dict[str, Any]:
        """The summary; lengths in tokens, `deficit` in nats."""
        names = [field.name for field in fields(Difficulty) if field.name != "row"]
        return {
            "model": self.model,
            "pairs": len(self.pairs),
            "skips": dict(self.skips),
            "prefers_rejected": self.against,
            **{name: self._spread(name) for name in names},
            "riskiest": self.riskiest(),
        }

    def lines(self) -> Iterable[str]:
        """JSON Lines: the numbers of each pair."""
        import json

        return (json.dumps(asdict(one)) for one in self.pairs)

    def __str__(self) -> str:
        """The summary for a reader."""
        if not self.pairs:
            return f"{self.model} sees no pair from which DPO could learn: {self._skipped()}"
        deficit, ches = self._spread("deficit"), self._spread("ches_normalised")
        lines = []
        if deficit and self.against is not None:
            lines.append(
                f"where the answers part, {self.model} prefers the rejected token in {self.against:.0%} of pairs"
                f" (median deficit {deficit['median']:.2f} nats)"
            )
        if ches:
            rows = ", ".join(map(str, self.riskiest()))
            share = self._spread("edit_distance")["median"]
            lines.append(
                f"half of the pairs change less than {share:.0%} of the tokens; normalised CHES {ches['p10']:.3g} to"
                f" {ches['p90']:.3g}: the chosen answer too may lose probability, first in rows {rows}"
            )
        if self.skips:
            lines.append(f"left out: {self._skipped()}")
        return "\n".join(lines)

    def _spread(self, name: str) -> dict[str, float]:
        values = sorted(value for one in self.pairs if (value := getattr(one, name)) is not None)
        return {label: values[len(values) * tenth // 10] for label, tenth in _TENTHS.items()} if values else {}

    def _skipped(self) -> str:
        return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in self.skips.items()) or "no rows"


def difficulty(
    rows: Iterable[Mapping[str, Any]],
    model: str = "pocket",
    *,
    revision: str | None = None,
    max_length: int = MAX_LENGTH,
    batch_size: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> Difficulties:
    """How hard each pair is for DPO on `model`, a Hub id, a folder (of an adapter too), or "pocket".

    A side counts up to `max_length` tokens, as in training. Two forward passes a pair, no gradient. Raises InputError
    or OutsideError for a model that can't be loaded.
    """
    local = LocalModel(name=model, revision=revision, dtype=dtype, device=device)
    found, skips = list[Difficulty](), Counter[str]()
    for one in measure(local.model, local.chat.tokenizer, rows, limit=max_length, batch_size=batch_size):
        if isinstance(one, Skip):
            skips[one.reason] += 1
        else:
            found.append(one)
    return Difficulties(model, found, dict(sorted(skips.items())))
