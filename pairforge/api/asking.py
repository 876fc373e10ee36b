"""What the verbs that ask a model have in common: contexts, progress, warnings."""

from __future__ import annotations

from collections.abc import Sequence

from .. import report
from ..run import Run
from ..stages import sample
from ..stopping import Budget
from ..store import Store
from ..types import Answer, Prompt, Sampler, Skip
from .sampling import several

_CONFIGS = ("config.json", "adapter_config.json")  # what training writes last
HELPFUL = "You're a helpful assistant."
"""Beside no system message, the context in which chat models are asked. Pairs teach only the contexts they carry."""


def contexts_of(system: str | Sequence[str], no_system: bool, default: list[str | None]) -> list[str | None]:
    """The system messages to ask under, None for none of one's own; the default where nothing is said."""
    return [*([None] if no_system else []), *several(system)] or default


def answer(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    n: int,
    store: Store,
    label: str,
    quiet: bool,
    budget: Budget | None = None,
) -> dict[str, list[Answer] | Skip]:
    """Samples with progress on stderr, and passes on what the sampler warns of."""
    with report.progress(label, quiet) as tell:
        answers = sample(prompts, sampler, n, store, tell, budget)
    for warning in sampler.warnings:
        report.note(f"warning: {warning}")
    sampler.warnings.clear()
    return answers


def tuned_on(run: Run) -> str | None:
    """The model, or the adapter, that was trained on a run, where a whole one stands in it."""
    folder = run.path / "model"
    return str(folder) if any((folder / name).exists() for name in _CONFIGS) else None


def model_source(model: str) -> str:
    """What `from_pretrained` is given for a model: a folder or a Hub id; "pocket" is the bundled one's folder."""
    from ..samplers.transformers import TransformersSampler

    return TransformersSampler(model).source
