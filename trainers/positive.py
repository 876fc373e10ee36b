"""DPO-Positive: a DPOTrainer with one more loss type, "dpop", for use in any script.

`PositiveDPOTrainer(..., args=DPOConfig(loss_type=["dpop", "sft"], ...), dpop_lambda=50)`
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from trl import DPOTrainer

LOSS = "dpop"


def dpop_loss(chosen: torch.Tensor, rejected: torch.Tensor, beta: float, weight: float) -> torch.Tensor:
    """Return the loss of each pair: Pal et al. 2024, arXiv:2402.13228, eq. 3.

    `chosen` and `rejected` are log-ratios of the policy to the reference, summed over an answer, of shape (pairs,);
    `weight` is the paper's lambda. The penalty is inside the sigmoid: the loss is low only if the chosen answer is not
    less likely than under the reference.
    """
    return -F.logsigmoid(beta * (chosen - rejected - weight * torch.relu(-chosen)))


class PositiveDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """TRL's DPOTrainer, whose `loss_type` may contain "dpop", mixed with others by `loss_weights`.

    `dpop_lambda` is 50 by default, as in most public code. Raises ValueError together with `ld_alpha` or
    `use_weighting`, which change the log-probabilities that the penalty needs.
    """

    loss_types: list[str]
    loss_weights: list[float]
    precompute_ref_logps: bool

    def __init__(self, *arguments: Any, dpop_lambda: float = 50.0, **keywords: Any) -> None:
        if "model" not in inspect.signature(DPOTrainer.compute_ref_log_probs).parameters:
            raise ImportError('loss_type "dpop" needs a newer TRL: pip install --upgrade trl')
        super().__init__(*arguments, **keywords)
        if self.ld_alpha is not None or self.use_weighting:
            raise ValueError('loss_type "dpop" can\'t be combined with ld_alpha or use_weighting')
        if dpop_lambda < 0:
            raise ValueError("dpop_lambda must be at least 0")
        named = list(zip(self.loss_types, self.loss_weights, strict=True))
        self.dpop_lambda = dpop_lambda
        self._dpop_weight = sum(weight for name, weight in named if name == LOSS)
        self.loss_types = [name for name, _ in named if name != LOSS]
        self.loss_weights = [weight for name, weight in named if name != LOSS]

    def _compute_loss(self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False) -> Any:
        """Compute TRL's loss, and DPO-Positive from the same forward passes of model and reference."""
        if not self._dpop_weight:
            return super()._compute_loss(model, inputs, return_outputs)
        outputs: list[Any] = []

        def recording_model(**tensors: Any) -> Any:
            outputs.append(model(**tensors))
            return outputs[-1]

        precomputed = self.precompute_ref_logps
        if not precomputed:
            chosen, rejected = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
            inputs = {**inputs, "ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
        self.precompute_ref_logps = True
        try:
            others = super()._compute_loss(recording_model, inputs, return_outputs)
        finally:
            self.precompute_ref_logps = precomputed
        positions = inputs["completion_mask"].size(1) - 1
        # The first outputs are those from which the loss is computed.
        now_chosen, now_rejected = outputs[0].log_probs[:, -positions:].sum(dim=1).chunk(2, dim=0)
        chosen, rejected = now_chosen - inputs["ref_chosen_logps"], now_rejected - inputs["ref_rejected_logps"]
        loss = self._dpop_weight * dpop_loss(chosen, rejected, self.beta, self.dpop_lambda).mean()
        return (others[0] + loss, others[1]) if return_outputs else others + loss
