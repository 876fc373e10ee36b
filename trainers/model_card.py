"""The model card (`README.md`) of a trained model: the data, the flags, the verdict, and how to use it."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pairforge
from pairforge.markdown import code_span, fence
from pairforge.resources import installed_versions

from .data import pairs_digest

PICTURE = "training.svg"
_TAGS = ["trl", "dpo", "preference-pairs", "pairforge"]
_PACKAGES = ("trl", "transformers", "torch", "peft", "datasets", "accelerate")
_FLAGS = (
    "learning_rate", "lr_scheduler_type", "warmup_steps", "num_train_epochs", "max_steps", "max_length",
    "per_device_train_batch_size", "gradient_accumulation_steps", "optim", "bf16", "seed",
)  # fmt: skip
_cell = partial(code_span, cell=True)


@dataclass(frozen=True)
class TrainingFacts:
    """The content of a card. `base` and `dataset` are as the user named them, `rows` are those trained on; `stopped` is
    the guard's message if it stopped the training, and `verdict` Markdown.
    """

    base: str
    dataset: str
    rows: Sequence[Mapping[str, Any]]
    config: Any
    adapter: bool
    steps: int
    guard: str
    stopped: str = ""
    verdict: str = ""


def render(facts: TrainingFacts) -> str:
    """Return the text of the card. Names from outside are in code spans, or go through the YAML writer."""
    from huggingface_hub import ModelCardData

    header: Any = ModelCardData(
        library_name="peft" if facts.adapter else "transformers",
        pipeline_tag="text-generation",
        base_model=facts.base if _on_hub(facts.base) else None,
        license=_license(facts.base),
        datasets=[facts.dataset] if _on_hub(facts.dataset) else None,
        tags=[*_TAGS, *(["lora"] if facts.adapter else [])],
    )
    sections = filter(None, [_introduction(facts), facts.verdict.strip(), _training(facts), _use(facts)])
    return f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _introduction(facts: TrainingFacts) -> str:
    kinds = Counter(str(row.get("method", "unknown")) for row in facts.rows)
    made = ", ".join(f"{count} of kind {code_span(kind)}" for kind, count in kinds.most_common(5))
    # Of a folder of this machine the last part alone.
    names = [name if _on_hub(name) else Path(name).name for name in (facts.base, facts.dataset)]
    base, dataset = map(code_span, names)
    what = "A LoRA adapter for" if facts.adapter else "Trained from"
    title = "# " + re.sub(r"[^\w .-]", " ", Path(facts.config.output_dir).name)
    lines = [title, f"{what} {base} on {len(facts.rows)} preference pairs of {dataset} ({made})."]
    if facts.stopped:
        why = code_span(facts.stopped)
        lines.append(f"**The guard stopped the training**, and the weights are those from before: {why}")
    return "\n\n".join(lines)


def _training(facts: TrainingFacts) -> str:
    config = facts.config
    weights = config.loss_weights or [1.0] * len(config.loss_type)
    loss = " + ".join(f"{weight:g} {name}" for name, weight in zip(config.loss_type, weights, strict=True))
    versions = {"Python": platform.python_version(), "pairforge": pairforge.__version__}
    versions |= installed_versions(*_PACKAGES)
    rows = {
        "loss": loss,
        "beta": config.beta,
        **{name: getattr(config, name, None) for name in _FLAGS},
        "processes": config.world_size,
        "steps": facts.steps,
        "guard": facts.guard,
        "pairs (SHA-256)": pairs_digest(facts.rows),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    table = "\n".join(f"| {name} | {_cell(getattr(value, 'value', value))} |" for name, value in rows.items())
    curves = f"![loss, margins, log-probabilities, and the guard's records]({PICTURE})"
    return f"## Training\n\n| | |\n|---|---|\n{table}\n\n{curves}"


def _use(facts: TrainingFacts) -> str:
    name = json.dumps(facts.config.hub_model_id or Path(facts.config.output_dir).name)
    code = f'from transformers import pipeline\n\nask = pipeline("text-generation", {name})'
    if facts.adapter:
        code = (
            f"from peft import AutoPeftModelForCausalLM\n\nmodel = AutoPeftModelForCausalLM.from_pretrained({name})\n"
            'model.merge_and_unload().save_pretrained("merged")  # a model of its own, without peft'
        )
    return f"## Use\n\n{fence(code, 'python')}"


def _on_hub(name: str) -> bool:
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and not Path(name).exists()


def _license(base: str) -> str | None:
    """Read the licence from the base model's card, in its folder or, if reachable, on the Hub."""
    import yaml
    from huggingface_hub import ModelCard, hf_hub_download

    with suppress(OSError, ValueError, yaml.YAMLError, pairforge.PairforgeError):
        folder = Path(pairforge.model_source(base))
        file = folder / "README.md" if folder.is_dir() else Path(hf_hub_download(base, "README.md"))
        given = ModelCard(file.read_text("utf-8"), ignore_metadata_errors=True).data.to_dict().get("license")
        return given if isinstance(given, str) else None
    return None
