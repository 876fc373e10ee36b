"""Recipes: how training differs from TRL's defaults, by kind of pair and by hardware. Plain keywords for `DPOConfig`.

`DPOConfig(output_dir="tuned", **recipe("correct"), **hardware())` in any script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALWAYS: Mapping[str, Any] = {
    "num_train_epochs": 1.0,
    "per_device_train_batch_size": 8,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 10,
    "logging_steps": 20,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
"""Common to all kinds of pairs: one epoch, a log line every 20 steps, no tracker."""

CORRECTION: Mapping[str, Any] = {"loss_type": ["sigmoid", "sft"], "beta": 0.2, "learning_rate": 3e-5}
"""For pairs that differ in a word or two. The preference loss alone (Rafailov et al. 2023, arXiv:2305.18290, eq. 7) is
low once the rejected name is unlikely, whatever replaces it; the sft term, the negative log-likelihood of the chosen
side (Pang et al. 2024, arXiv:2404.19733, eq. 1), makes the chosen name likely. Both have the same weight.
"""

PREFERENCE: Mapping[str, Any] = {"loss_type": ["sigmoid"], "beta": 0.1, "learning_rate": 5e-5}
"""For pairs of two different samples of the model's own: plain DPO."""

LARGE = 100_000_000
"""Parameters from which on a model is large. The rates above were measured on the bundled model of 3 million."""
LARGE_RATE = 1 / 6
"""Factor on these rates for a large model, so that corrections are trained at 5e-6: usual, not measured here."""
LORA_RATE = 10.0
"""Factor for an adapter; docs/recipes.md has the measurements."""

CORRECTIONS = ("correct", "revise")
"""Methods whose pairs are an answer and the same answer, edited."""


def recipe(method: str, *, lora: bool = False, parameters: int = 0) -> dict[str, Any]:
    """Return the keywords of `DPOConfig` for one kind of pair.

    Args:
        method: as in the pairs' column `method`; all but corrections are preferences.
        lora: only an adapter is trained.
        parameters: the number of the model's parameters, 0 for a small one.
    """
    found = {**ALWAYS, **(CORRECTION if method in CORRECTIONS else PREFERENCE)}
    found["learning_rate"] *= (LORA_RATE if lora else 1) * (LARGE_RATE if parameters >= LARGE else 1)
    return found


def hardware() -> dict[str, Any]:
    """Return the keywords for this machine: bfloat16 and gradient checkpointing on a GPU, plain float32 without one."""
    import torch

    gpu = torch.cuda.is_available()
    return {
        "use_cpu": not gpu and not torch.backends.mps.is_available(),
        "bf16": gpu and torch.cuda.is_bf16_supported(),
        "gradient_checkpointing": gpu,
        "dataloader_pin_memory": gpu,
    }
