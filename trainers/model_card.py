"""The model card (`README.md`) of a trained model: what it was trained on, how, and what came of it."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pairforge

from .data import digest

PICTURE = "training.svg"
_TAGS = ["trl", "dpo", "preference-pairs", "pairforge"]
_PACKAGES = ("trl", "transformers", "torch", "peft", "datasets", "accelerate")
_FLAGS = ("learning_rate", "lr_scheduler_type", "warmup_steps", "num_train_epochs", "max_steps", "max_length")
_SHAPE = ("per_device_train_batch_size", "gradient_accumulation_steps", "optim", "bf16", "seed")


@dataclass(frozen=True)
class Facts:
    """What a card tells of a training. `base` and `dataset` are as the user named them, `rows` are those trained on;
    `stopped` is what the guard said, `verdict` Markdown, and `curves` says whether the learning curves were drawn.
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
    curves: bool = True


def render(facts: Facts) -> str:
    """The text of the card. Names that come from outside stand in code spans, or go through the YAML writer."""
    from huggingface_hub import ModelCardData

    hub = _on_hub(facts.base)
    header: Any = ModelCardData(
        library_name="peft" if facts.adapter else "transformers",
        pipeline_tag="text-generation",
        base_model=facts.base if hub else None,
        license=_license(facts.base),
        datasets=[facts.dataset] if _on_hub(facts.dataset) else None,
        tags=[*_TAGS, *(["lora"] if facts.adapter else [])],
    )
    sections = [
        _introduction(facts),
        facts.verdict.strip(),
        _training(facts),
        _use(facts),
    ]
    return f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(section for section in sections if section) + "\n"


def _introduction(facts: Facts) -> str:
    kinds = Counter(str(row.get("method", "unknown")) for row in facts.rows)
    made = ", ".join(f"{count} of kind {_span(kind)}" for kind, count in kinds.most_common(5))
    what = "A LoRA adapter for" if facts.adapter else "Trained from"
    base, dataset = _span(_public(facts.base)), _span(_public(facts.dataset))
    trained = f"{what} {base} on {len(facts.rows)} preference pairs of {dataset} ({made})."
    lines = [f"# {_plain(Path(facts.config.output_dir).name)}", "", trained]
    if facts.stopped:
        lines += [
            "",
            f"**The guard stopped the training**, and the weights are those from before: {_span(facts.stopped)}",
        ]
    return "\n".join(lines)


def _training(facts: Facts) -> str:
    config = facts.config
    weights = config.loss_weights or [1.0] * len(config.loss_type)
    loss = " + ".join(f"{weight:g} {name}" for name, weight in zip(config.loss_type, weights, strict=True))
    values = {name: getattr(config, name, None) for name in (*_FLAGS, *_SHAPE)}
    rows = {"loss": loss, "beta": config.beta, **values, "processes": config.world_size, "steps": facts.steps}
    rows |= {
        "guard": facts.guard,
        "pairs (SHA-256)": digest([dict(row) for row in facts.rows]),
        "versions": _versions(),
    }
    table = "\n".join(f"| {name} | {_span(getattr(value, 'value', value))} |" for name, value in rows.items())
    curves = f"\n\n![loss, margins, log-probabilities, and what the guard saw]({PICTURE})" if facts.curves else ""
    return f"## Training\n\n| | |\n|---|---|\n{table}{curves}"


def _use(facts: Facts) -> str:
    name = facts.config.hub_model_id or Path(facts.config.output_dir).name
    if not facts.adapter:
        code = f'from transformers import pipeline\n\nask = pipeline("text-generation", {json.dumps(name)})'
        return f"## Use\n\n{_fence(code)}"
    code = "from peft import AutoPeftModelForCausalLM\n\n"
    code += f"model = AutoPeftModelForCausalLM.from_pretrained({json.dumps(name)})\n"
    code += 'model.merge_and_unload().save_pretrained("merged")  # a model of its own, without peft'
    return f"## Use\n\n{_fence(code)}"


def _versions() -> str:
    found = [f"Python {platform.python_version()}", f"pairforge {pairforge.__version__}"]
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def _on_hub(name: str) -> bool:
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and not Path(name).exists()


def _license(base: str) -> str | None:
    """What the card of the base model says, in its folder or, for one on the Hub, where it can be had."""
    import yaml
    from huggingface_hub import ModelCard, hf_hub_download

    with suppress(OSError, ValueError, yaml.YAMLError, pairforge.PairforgeError):
        folder = Path(pairforge.model_source(base))
        file = folder / "README.md" if folder.is_dir() else Path(hf_hub_download(base, "README.md"))
        told = ModelCard(file.read_text("utf-8"), ignore_metadata_errors=True).data.to_dict().get("license")
        return told if isinstance(told, str) else None
    return None


def _public(name: str) -> str:
    """A name as it stands; of a folder of this machine the last part alone."""
    return name if _on_hub(name) else Path(name).name


def _plain(text: str) -> str:
    """A heading that is nothing but text."""
    return re.sub(r"[^\w .-]", " ", text)


def _span(value: Any) -> str:
    """A code span of one line, in which nothing is markup, nor ends the cell of a table."""
    text = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in str(value)[:600]).replace("|", "\\|")
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text or ' '}{ticks}"


def _fence(code: str) -> str:
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{ticks}python\n{code}\n{ticks}"
