"""The model that a training starts from, as the run asked it: a whole model, or an adapter, which is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pairforge
from pairforge.api.models import open_tokenizer
from pairforge.run import Run
from pairforge.samplers.gguf_models import is_gguf
from pairforge.samplers.model_loading import POCKET, apply_adapter, fingerprint, load_causal_config, load_config
from pairforge.text import listed, one_line

from .data import TrainingJob
from .flags import Given, trl


def described(job: TrainingJob) -> str:
    """Return the model in words, with what is done to it before it is trained, and whose answers the pairs are."""
    named, own = {str(row["model"]) for row in job.rows if row.get("model")}, Path(job.model).absolute()
    others = sorted(one_line(name, 60) for name in named if Path(name).absolute() != own)
    return _described(job) + (f"; the pairs are answers of {listed(others, 3)}" if others else "")


def _described(job: TrainingJob) -> str:
    if job.start.adapter:
        return f"{job.model}, an adapter of {job.start.base}: it is trained on"
    if is_gguf(job.model):
        return f"{job.model}, a GGUF file: its weights are dequantised, and the trained ones are not quantised again"
    return f"{job.model}, the small model that comes with pairforge" if job.model == POCKET else job.model


def has_experts(job: TrainingJob) -> bool:
    """Return True for a mixture of experts, as far as the names of its settings tell."""
    return any("expert" in name for name in load_config(job.start.base, job.start.revision).to_dict())


def check_start(job: TrainingJob, given: Given) -> None:
    """Refuse a model that doesn't answer in text, and an adapter with flags that would have no effect on it.

    Also one that names another base than the run asked. Raises InputError.
    """
    load_causal_config(job.start.base, job.start.revision)
    if job.start.adapter is None:
        return
    if not (job.start.adapter / "adapter_model.safetensors").exists():
        what = f"the adapter {job.model} has no safetensors; pickled weights can run code, and are not trained on"
        raise pairforge.InputError(what, fix="if you trust it, load it with peft and save it again: save_pretrained")
    for name in given.values:
        if name.startswith("lora_") or name in ("use_rslora", "use_dora"):
            what = f"--{name} has no effect: {job.model} is an adapter, which is trained on as it is"
            raise pairforge.InputError(what, fix="leave it out, or merge the adapter first: docs/own-model.md")
    settings = Run.load(job.run).settings if job.run else {}
    asked = settings["sampling"].get("model") if settings.get("model") == job.model else None
    if asked not in (None, fingerprint(job.start.base, job.start.revision)):
        what = f"the adapter {job.model} names {job.start.base} as its base, and this run asked it with another"
        raise pairforge.InputError(what, fix="correct base_model_name_or_path in its adapter_config.json")


def starting_model(job: TrainingJob, config: Any, chosen: Any) -> Mapping[str, Any]:
    """Return the arguments of TRL's trainer for the model, its tokenizer and its adapter.

    Of an adapter that is trained on, TRL keeps a copy as the reference.
    """
    start, quiet = job.start, config.process_index != 0
    tokenizer = open_tokenizer(job.model, job.revision, quiet, job.chat_template).tokenizer
    source, quantization = pairforge.model_source(start.base), trl().get_quantization_config(chosen)
    if start.adapter is None:
        found = {"model": source, "quantization_config": quantization, "peft_config": trl().get_peft_config(chosen)}
        return {**found, "processing_class": tokenizer}
    from transformers import AutoModelForCausalLM

    how, config.model_init_kwargs = config.model_init_kwargs, None  # they are used here
    how = {**how, "dtype": how.get("dtype") or "float32", "revision": start.revision, "trust_remote_code": False}
    base = AutoModelForCausalLM.from_pretrained(source, quantization_config=quantization, **how)
    return {"model": apply_adapter(base, start.adapter, False, trainable=True), "processing_class": tokenizer}


def check_tokens(trainer: Any, model: str) -> None:
    """Refuse pairs with a token that the model doesn't have, as of another tokenizer: a GPU would not say which.

    Raises InputError.
    """
    data, known = trainer.train_dataset, trainer.model.config.get_text_config().vocab_size
    most = max(
        (max(ids) for name in ("prompt_ids", "chosen_ids", "rejected_ids") for ids in data[name] if ids), default=0
    )
    if most >= known:
        what = f"the tokenizer of {model} has a token {most}, the model only {known}"
        raise pairforge.InputError(what, fix="the tokenizer and the weights must be of one model")
