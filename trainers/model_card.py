"""The model card (`README.md`) of a trained model: the data, the flags, the verdict, and how to use the model."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pairforge
from pairforge.hub.model_upload import PICTURE
from pairforge.markdown import code_span, fence
from pairforge.resources import installed_versions
from pairforge.text import plural

from .data import HUB_NAME, pairs_digest

_PACKAGES = ("trl", "transformers", "torch", "peft", "datasets", "accelerate")
_FLAGS = (
    "learning_rate", "lr_scheduler_type", "warmup_steps", "num_train_epochs", "max_steps", "max_length",
    "per_device_train_batch_size", "gradient_accumulation_steps", "optim", "bf16", "seed",
)  # fmt: skip
_USE_MODEL = 'from transformers import pipeline\n\nask = pipeline("text-generation", {})'
_USE_ADAPTER = """from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained({0})
model.merge_and_unload().save_pretrained("merged")  # a model of its own, without peft
AutoTokenizer.from_pretrained({0}).save_pretrained("merged")"""


def render(
    *,
    base: str,
    dataset: str,
    rows: Sequence[Mapping[str, Any]],
    config: Any,
    adapter: bool,
    steps: int,
    guard: str,
    start: str | None = None,
    stopped: str = "",
    verdict: str = "",
    curves: bool = True,
) -> str:
    """Return the text of the card. Names from outside are in code spans, or go through the YAML writer.

    Args:
        base, dataset: the model and the pairs, as the user named them.
        rows: the pairs that were trained on.
        config: TRL's training arguments.
        adapter: an adapter was trained, not the whole model.
        start: the adapter that was trained on, if one was.
        stopped: the guard's message if it stopped the training.
        verdict: Markdown.
        curves: the learning curves were drawn.
    """
    from huggingface_hub import ModelCardData

    header: Any = ModelCardData(
        library_name="peft" if adapter else "transformers",
        pipeline_tag="text-generation",
        base_model=base if _on_hub(base) else None,
        license=_license(base),
        datasets=[dataset] if _on_hub(dataset) else None,
        tags=["trl", "dpo", "preference-pairs", "pairforge", *(["lora"] if adapter else [])],
    )
    kinds = Counter(str(row.get("method", "unknown")) for row in rows)
    made = ", ".join(f"{count} of kind {code_span(kind)}" for kind, count in kinds.most_common(5))
    # Of a folder of this machine the last part alone.
    base, dataset = (code_span(name if _on_hub(name) else Path(name).name) for name in (base, dataset))
    folder = Path(config.output_dir).name
    why = f"**The guard stopped the training**, and the weights are those from before: {code_span(stopped)}"
    more = f", which was {code_span(Path(start).name)} before, trained" if start else ""
    what, use = ("A LoRA adapter for", _USE_ADAPTER) if adapter else ("Trained from", _USE_MODEL)
    sections = [
        "# " + re.sub(r"[^\w .-]", " ", folder),
        f"{what} {base}{more} on {plural(len(rows), 'preference pair')} of {dataset} ({made}).",
        why if stopped else "",
        verdict.strip(),
        _training(config, {"steps": steps, "guard": guard, "pairs (SHA-256)": pairs_digest(rows)}),
        f"![loss, margins, log-probabilities, and the guard's records]({PICTURE})" if curves else "",
        f"## Use\n\n{fence(use.format(json.dumps(config.hub_model_id or folder)), 'python')}",
    ]
    return f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _training(config: Any, facts: Mapping[str, Any]) -> str:
    weights = config.loss_weights or [1.0] * len(config.loss_type)
    loss = " + ".join(f"{weight:g} {name}" for name, weight in zip(config.loss_type, weights, strict=True))
    flags = {name: getattr(config, name, None) for name in _FLAGS}
    versions = {"Python": platform.python_version(), "pairforge": pairforge.__version__}
    versions |= installed_versions(*_PACKAGES)
    rows = {"loss": loss, "beta": config.beta, **flags, "processes": config.world_size, **facts}
    rows["versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    table = [f"| {name} | {code_span(getattr(value, 'value', value), cell=True)} |" for name, value in rows.items()]
    return "\n".join(["## Training\n\n| | |\n|---|---|", *table])


def _on_hub(name: str) -> bool:
    return bool(HUB_NAME.fullmatch(name)) and not Path(name).exists()


def _license(base: str) -> str | None:
    """Read the licence from the base model's card, in its folder or, if reachable, on the Hub."""
    import yaml
    from huggingface_hub import ModelCard

    with suppress(OSError, ValueError, yaml.YAMLError, pairforge.PairforgeError):
        folder = Path(pairforge.model_source(base))
        card = ModelCard.load(folder / "README.md" if folder.is_dir() else base, ignore_metadata_errors=True)
        given = card.data.to_dict().get("license")
        return given if isinstance(given, str) else None
    return None
