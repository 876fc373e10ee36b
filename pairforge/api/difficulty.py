"""How hard pairs are for DPO on a model, in summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..displacement import Difficulty, measure
from ..preparation import MAX_LENGTH
from ..samplers.adapters import apply, resolve
from ..samplers.hardware import pick_device, pick_dtype
from ..samplers.loading import load_config, load_model, load_tokenizer, loading
from ..samplers.rendering import Chat
from ..types import Skip
from .asking import model_source

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
    weights = resolve(model_source(model), revision, None)
    chat = Chat(load_tokenizer(*weights.tokenizer))
    where = pick_device(device)
    kind = pick_dtype(dtype, where, getattr(load_config(weights.base, weights.revision), "dtype", None))
    loaded = load_model(weights.base, weights.revision, kind)
    if weights.adapter:
        loaded = apply(loaded, weights.adapter, False)
    with loading(model):
        loaded = loaded.to(where).eval()
    found, skips = list[Difficulty](), Counter[str]()
    for one in measure(loaded, chat.tokenizer, rows, limit=max_length, batch_size=batch_size):
        if isinstance(one, Skip):
            skips[one.reason] += 1
        else:
            found.append(one)
    return Difficulties(model, found, dict(sorted(skips.items())))
