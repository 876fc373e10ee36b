"""The pairs that are left out because a model would lose the chosen answer, too, when it learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..samplers.transformers import LocalModel
from ..types import Pair, Skip
from .difficulty import Difficulty, measure


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
