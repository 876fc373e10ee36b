"""The verb `difficulty`: how hard pairs are for DPO, by the model that is to be trained, before any step.

DPO raises the margin between the answers, not the probability of the chosen one. Where the two are alike, both lose
probability together, and what gains is something else: likelihood displacement (Razin et al. 2024, Unintentional
Unalignment; Pal et al. 2024, Smaug).
"""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..readers.spool import batched
from ..samplers.hardware import BatchSizer, release, threads
from ..samplers.model_loading import out_of_memory
from ..samplers.transformers import LocalModel
from ..text import common_prefix, edit_distance, error_line
from ..tokenization import MAX_LENGTH, Rendered, render
from ..types import SIDES, Pair, Skip

_CHUNK = 512  # rows that are read ahead, so that pairs of like length can share a batch


@dataclass(frozen=True, slots=True)
class Difficulty:
    """The numbers of one pair, over the tokens that a trainer keeps. y+ is the chosen answer, y- the rejected one."""

    row: int
    deficit: float | None
    """ln pi(y-_t | x, y_<t) - ln pi(y+_t | x, y_<t) at the first token t in which they differ, in nats.

    Above 0 the model prefers the rejected token, and DPO has to reverse that. None where one answer is a prefix of the
    other.
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
    """<S+, S-> / (|y+| |y-|) - |S+|^2 / |y+|^2, the length-normalised variant of the same: that paper leaves
    out pairs by it. Of pairs of one dataset and model, a higher value means more displacement; 0: equal answers."""


def measure(
    model: Any,
    tokenizer: Any,
    rows: Iterable[Mapping[str, Any]],
    *,
    limit: int | None = MAX_LENGTH,
    batch_size: int | None = None,
) -> Iterator[Difficulty | Skip]:
    """Yield the numbers of each row, in order; a Skip where training learns nothing from it, or memory is too small.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, with a chat template.
        rows: The pairs.
        limit: The tokens of a side that training keeps.
        batch_size: The most answers at once (None: as many as there is room for).
    """
    most = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    limit = min(filter(None, (limit, most)), default=None)
    room, start = BatchSizer.of(model, batch_size), 0
    for chunk in batched(rows, _CHUNK):
        rendered = list(enumerate(map(_trainable, render(tokenizer, chunk, limit)), start))
        found: dict[int, Difficulty | Skip] = {row: one for row, one in rendered if isinstance(one, Skip)}
        with threads(model):
            found |= _in_batches(model, [(row, one) for row, one in rendered if isinstance(one, Rendered)], room)
        yield from (found[row] for row, _ in rendered)
        start += len(chunk)


def _trainable(one: Rendered | Skip) -> Rendered | Skip:
    """Return the row, if the answers that training keeps differ."""
    if isinstance(one, Skip):
        return one
    if one.dropped or not one.shared:
        return Skip("no_room", "the context leaves no room for an answer" if one.shared else "there is no context")
    kept = [one.kept(side) for side in SIDES]
    if min(map(len, kept)) <= one.shared:
        return Skip("empty", "an answer has no token")
    return Skip("identical", "the answers that training keeps are the same") if kept[0] == kept[1] else one


def _in_batches(
    model: Any, pairs: list[tuple[int, Rendered]], room: BatchSizer
) -> Iterator[tuple[int, Difficulty | Skip]]:
    """Yield the numbers by row; pairs of like length share a batch, which is smaller where memory was too small."""

    def length(pair: tuple[int, Rendered]) -> int:
        return max(len(pair[1].kept(side)) for side in SIDES)

    pairs = sorted(pairs, key=length, reverse=True)
    while pairs:
        longest = length(pairs[0])
        batch, found = pairs[: max(1, room.rows_of(longest) // 2)], list[Difficulty | Skip]()
        try:
            found += _forward(model, batch)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            reason = error_line(error)
        if not found:  # not in the handler: there the error still holds the tensors
            release(model.device)
            if len(batch) > 1:
                room.shrink(2 * len(batch), longest)
                continue
            found.append(Skip("oom", reason))
        yield from ((row, one) for (row, _), one in zip(batch, found, strict=True))
        del pairs[: len(batch)]


def _forward(model: Any, rows: Sequence[tuple[int, Rendered]]) -> list[Difficulty]:
    """Return the numbers of pairs, both answers of all in one batch, padded at the end, which no token attends to."""
    import torch

    pairs = [pair for _, pair in rows]
    sides = [(pair.shared, pair.kept(side)) for side in SIDES for pair in pairs]
    ids = [torch.tensor(kept) for _, kept in sides]
    padded, mask = (
        torch.nn.utils.rnn.pad_sequence(one, batch_first=True).to(model.device)
        for one in (ids, list(map(torch.ones_like, ids)))
    )
    parting = torch.tensor([pair.parting - 1 for pair in pairs])
    wanted, column = parting.unique(return_inverse=True)
    some = "logits_to_keep" in inspect.signature(model.forward).parameters
    with torch.inference_mode():
        output = model(
            padded,
            attention_mask=mask,
            output_hidden_states=True,
            use_cache=False,
            **({"logits_to_keep": wanted.to(model.device)} if some else {}),
        )
        states = zip(output.hidden_states[-1], sides, strict=True)
        sums = [one[shared - 1 : len(kept) - 1].float().sum(0) for one, (shared, kept) in states]
        chosen, rejected = torch.stack(sums).cpu().double().chunk(2)
        at = output.logits[torch.arange(len(pairs)), column if some else parting].float().cpu()
    squares, products, found = (chosen * chosen).sum(1).tolist(), (chosen * rejected).sum(1).tolist(), []
    for (row, pair), logits, square, product in zip(rows, at, squares, products, strict=True):
        one, other = (pair.kept(side)[pair.shared :] for side in SIDES)
        first = [token for side in SIDES for token in pair.kept(side)[pair.parting : pair.parting + 1]]
        found.append(
            Difficulty(
                row=row,
                # Logits differ as the logarithms of the probabilities do.
                deficit=float(logits[first[1]] - logits[first[0]]) if len(first) == 2 else None,
                edit_distance=edit_distance(one, other) / max(len(one), len(other)),
                shared_prefix=common_prefix(one, other),
                ches=product - square,
                ches_normalised=product / (len(one) * len(other)) - square / len(one) ** 2,
            )
        )
    return found


@dataclass(frozen=True)
class Difficulties:
    """The numbers of all pairs of a dataset; `skips` counts by reason the rows that have none."""

    model: str
    pairs: Sequence[Difficulty]
    skips: Mapping[str, int]

    def riskiest(self, count: int = 5) -> list[int]:
        """Return the rows most prone to likelihood displacement: the highest length-normalised CHES first."""
        return [one.row for one in sorted(self.pairs, key=lambda one: (-one.ches_normalised, one.row))[:count]]

    @property
    def against(self) -> float | None:
        """The share of pairs in which the model prefers the rejected token at the first difference."""
        known = [one.deficit > 0 for one in self.pairs if one.deficit is not None]
        return sum(known) / len(known) if known else None

    def as_json(self) -> dict[str, Any]:
        """Return the summary; lengths in tokens, `deficit` in nats."""
        return {
            "model": self.model,
            "pairs": len(self.pairs),
            "skips": dict(self.skips),
            "prefers_rejected": self.against,
            **{field.name: self._spread(field.name) for field in fields(Difficulty) if field.name != "row"},
            "riskiest": self.riskiest(),
        }

    def lines(self) -> Iterable[str]:
        """Return JSON Lines with the numbers of each pair."""
        return (json.dumps(asdict(one)) for one in self.pairs)

    def __str__(self) -> str:
        """Return the summary for a reader."""
        if not self.pairs:
            return f"{self.model} sees no pair from which DPO could learn: {self._skipped()}"
        lines, ches = list[str](), self._spread("ches_normalised")
        if self.against is not None:
            lines.append(
                f"at the first difference, {self.model} prefers the rejected token in {self.against:.0%} of pairs"
                f" (median deficit {self._spread('deficit')['median']:.2f} nats)"
            )
        lines.append(
            f"half of the pairs change less than {self._spread('edit_distance')['median']:.0%} of the tokens; "
            f"normalised CHES {ches['p10']:.3g} to {ches['p90']:.3g}: the chosen answer too may lose probability, "
            f"first in rows {', '.join(map(str, self.riskiest()))}"
        )
        if self.skips:
            lines.append(f"left out: {self._skipped()}")
        return "\n".join(lines)

    def _spread(self, name: str) -> dict[str, float]:
        values = sorted(value for one in self.pairs if (value := getattr(one, name)) is not None)
        tenths = {"p10": 1, "median": 5, "p90": 9} if values else {}
        return {label: values[len(values) * tenth // 10] for label, tenth in tenths.items()}

    def _skipped(self) -> str:
        return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in self.skips.items()) or "no rows"


@dataclass(frozen=True)
class HardPairs:
    """Leaves out the `share` of pairs with the highest length-normalised CHES (Razin et al. 2024, arXiv:2410.08847).

    By CHES, the centered hidden embedding similarity, that paper finds the pairs that lower the probability of the
    chosen answer most. `local` is the model that is to be trained.
    """

    share: float
    local: LocalModel

    def settings(self) -> dict[str, Any]:
        """Return the share and the model by content."""
        return {"share": self.share, "model": self.local.settings}

    def __call__(self, pairs: Sequence[Pair]) -> list[Pair | Skip]:
        """Return each pair, or why it is left out: it is hard, or training would learn nothing from it."""
        local = self.local
        rows = (pair.row() for pair in pairs)
        found = list(measure(local.model, local.chat.tokenizer, rows, batch_size=local.batch_size)) if pairs else []
        measured = [one for one in found if isinstance(one, Difficulty)]
        measured.sort(key=lambda one: (-one.ches_normalised, one.row))
        hard = {one.row for one in measured[: int(self.share * len(measured))]}
        return [_kept(pair, one, hard) for pair, one in zip(pairs, found, strict=True)]


def _kept(pair: Pair, found: Difficulty | Skip, hard: set[int]) -> Pair | Skip:
    if isinstance(found, Skip):
        return found
    detail = f"CHES {found.ches_normalised:.3g}: {pair.chosen[-1]['content']}"
    return Skip("hard", detail) if found.row in hard else pair


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
    """Return how hard each pair is for DPO on a model, by two forward passes a pair.

    Args:
        rows: The pairs.
        model: A Hub id, a folder (of an adapter too), or "pocket".
        revision: The revision of a model on the Hub.
        max_length: A side counts up to so many tokens, as in training.
        batch_size: The most answers at once (None: as many as there is room for).
        device: "auto", or a device of torch.
        dtype: "auto", or a type of torch.

    Raises:
        InputError, OutsideError: The model can't be loaded.
    """
    local = LocalModel(name=model, revision=revision, dtype=dtype, device=device)
    found = list(measure(local.model, local.chat.tokenizer, rows, limit=max_length, batch_size=batch_size))
    skips = Counter(one.reason for one in found if isinstance(one, Skip))
    return Difficulties(model, [one for one in found if isinstance(one, Difficulty)], dict(sorted(skips.items())))
