"""Recipes: how training differs from TRL's defaults, by kind of pair, by model and by hardware; plain keywords.

`DPOConfig(output_dir="tuned", **recipe("correct", parameters=135_000_000, steps=38), **hardware())` in any script.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

ALWAYS: Mapping[str, Any] = {
    "num_train_epochs": 1.0,
    "per_device_train_batch_size": 8,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 1 / 15,
    "logging_steps": 0.13,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
"""Common to all kinds of pairs: one epoch, warm-up over a fifteenth of the steps, eight log lines, no tracker."""

CORRECTION: Mapping[str, Any] = {"loss_type": ["sigmoid", "sft"], "beta": 0.2, "learning_rate": 3e-5}
"""For pairs whose chosen side the model doesn't say by itself. The preference loss alone (Rafailov et al. 2023,
arXiv:2305.18290, eq. 7) is low once the rejected side is unlikely, whatever replaces it; the sft term, the negative
log-likelihood of the chosen side (Pang et al. 2024, arXiv:2404.19733, eq. 1), makes the chosen side likely. Both have
the same weight.
"""

PREFERENCE: Mapping[str, Any] = {"loss_type": ["sigmoid"], "beta": 0.1, "learning_rate": 1e-4}
"""For pairs of two sampled answers, of one model or of two: plain DPO."""

CORRECTIONS = ("correct", "revise", "persona", "reference")
"""Methods whose chosen side the model doesn't say by itself: an edited answer, one of a told model, or a given one."""

PARAMETERS, STEPS = 2_700_000, 150
"""The model and the length of the trainings in which the rates above were measured: the bundled one, 1200 pairs."""
SIZE, LENGTH = -0.5, -1.0
"""Exponents by which a rate goes with parameters, and that for corrections with steps."""
LENGTHS = (13, STEPS)
"""Steps below and above which their number no longer changes the rate."""
SHARE = 3.6
"""Exponent by which the share of the corrections shortens a training: they are that share of the pairs, and pairs
beside them in which the new name is wrong pull the other way."""
LORA_RATE = 10.0
"""Factor for an adapter."""


def recipe(
    method: str | Collection[str],
    *,
    lora: bool = False,
    parameters: int = PARAMETERS,
    steps: int = STEPS,
    share: float = 1.0,
) -> dict[str, Any]:
    """Return the keywords of `DPOConfig` for one kind of pair.

    The learning rate for corrections is 3e-5 (parameters / 2.7 million)^-0.5 (150 / (steps share^3.6)), where the
    denominator counts as at least 13 and at most 150; `share` is that of the corrections among the pairs. It rests on
    two models (docs/recipes.md). On the bundled one 3e-5 is right in 150 steps and 1.2e-4 in 38, and a third to a half
    of these rates teaches the name to no answer or to half of them; with three counter-pairs for ten corrections,
    5.8e-5 to 7.9e-5 are right in 150. On SmolLM2-135M-Instruct 5e-5 teaches the name in 13 steps, at a cost, and 5e-6
    does not; with three counter-pairs for four corrections, 3e-5 and 3.6e-5 are right in 132 and 2e-5 is a little too
    low, and with as many, 2.4e-5 to 4e-5 are right in 105. All else is extrapolated. For preferences the rate is 1e-4
    (parameters / 2.7 million)^-0.5: measured on the bundled model alone, where 5e-5 gains less and 5e-4 destroys; for
    7 billion that is 2e-6, near the usual 1e-6 (TRL's default; Olmo 3, arXiv:2512.13961). Still larger models get
    lower rates (Tülu 3, arXiv:2411.15124: 2e-7 for 70B); nothing above 135 million parameters was measured here.
    Warm-up is a share of the steps, so that a short training has a middle, too.

    Args:
        method: as in the pairs' column `method`, or all that are there; with corrections among them the recipe is that
            of corrections, which suits both. All but corrections are preferences.
        lora: only an adapter is trained. Its rate is ten times that of the model (docs/recipes.md; Schulman et al.
            2025, "LoRA without regret", find the same factor).
        parameters: the number of the model's parameters, 0 where it is not known.
        steps: the optimizer steps of the training.
        share: how many of the pairs are corrections, where some are.
    """
    methods = {method} if isinstance(method, str) else {*method}
    corrects = not methods.isdisjoint(CORRECTIONS)
    found = {**ALWAYS, **(CORRECTION if corrects else PREFERENCE)}
    length = min(max(steps * share**SHARE, LENGTHS[0]), LENGTHS[1]) / STEPS
    factor = ((parameters or PARAMETERS) / PARAMETERS) ** SIZE
    factor *= (length**LENGTH if corrects else 1) * (LORA_RATE if lora else 1)
    found["learning_rate"] = float(f"{found['learning_rate'] * factor:.2g}")
    return found


def hardware(parameters: int = 0) -> dict[str, Any]:
    """Return the keywords for this machine and a model of so many parameters.

    On a GPU that is gradient checkpointing, and bfloat16 where it has it. Without one the weights are float32, and the
    products bfloat16 (autocast) where a model of this size is sampled in it: a step of SmolLM2-135M-Instruct on a CPU
    with AVX512-BF16 took 11.7 CPU seconds instead of 17.3.
    """
    import torch

    from pairforge.samplers.hardware import pick_device, pick_dtype

    device = pick_device("auto")
    return {
        "use_cpu": device.type == "cpu",
        "bf16": pick_dtype("auto", device, None, parameters) is torch.bfloat16,
        "gradient_checkpointing": device.type == "cuda",
        "dataloader_pin_memory": device.type == "cuda",
    }
