"""The data of a training: pairs of a run, a file or a dataset on the Hub, and the model that they name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pairforge
from pairforge.types import digest

from .preflight import say
from .recipes import CORRECTIONS

UNSET = "unset"
"""The default of `--output_dir`: a folder beside the pairs."""
_DECISIVE_FLAGS = {
    "loss": "beta loss_type loss_weights label_smoothing ld_alpha f_divergence_type f_alpha_divergence_coef",
    "single losses": "discopop_tau use_weighting dpop_lambda",
    "reference": "sync_ref_model ref_model_mixup_alpha ref_model_sync_steps",
    "batches": "max_length truncation_mode per_device_train_batch_size gradient_accumulation_steps seed data_seed",
    "learning rate": "learning_rate lr_scheduler_type lr_scheduler_kwargs warmup_steps",
    "optimizer": "optim optim_args adam_beta1 adam_beta2 adam_epsilon weight_decay max_grad_norm neftune_noise_alpha",
    "model": "model_revision dtype load_in_4bit load_in_8bit",
    "LoRA": "use_peft lora_r lora_alpha lora_dropout lora_modules_to_save lora_task_type use_rslora use_dora",
    "LoRA targets": "lora_target_modules lora_target_parameters",
}
"""The flags that decide the weights of a training, but for those that set its length."""


@dataclass
class TrainingJob:
    """The pairs to train on and the model to start from; `run` is the run folder that the pairs are from, if any."""

    rows: list[Mapping[str, Any]]
    test_rows: list[Mapping[str, Any]]
    run: Path | None
    model: str
    output_dir: Path
    revision: str = "main"

    @property
    def method(self) -> str:
        """The kind of pairs; of mixed kinds that of corrections, whose recipe suits all."""
        methods = {str(row.get("method")) for row in self.rows}
        return next((name for name in CORRECTIONS if name in methods), min(methods))


def find_training_job(script: Any, config: Any, model: str | None) -> TrainingJob:
    """Read the pairs, find the model that they came from, and make the output folder.

    Args:
        script, config: TRL's script and training arguments.
        model: the model to start from, in place of the pairs' own.

    Raises InputError or OutsideError.
    """
    name = script.dataset_name
    local = not name or Path(name).suffix in (".json", ".jsonl", ".gz", ".parquet") or name[0] in "./~"
    if local or pairforge.pairs_file(name).exists():
        quiet = config.process_index != 0
        file = pairforge.pairs_file(name or pairforge.default_run(quiet=quiet), quiet=quiet)
        rows, test_rows = pairforge.read_pairs(file), []
        run = file.parent if (file.parent / "run.json").exists() else None
        if config.eval_strategy != "no":
            raise pairforge.InputError(f"{file} has no test split", fix="leave --eval_strategy out")
    else:
        rows = _from_hub(script, script.dataset_train_split)
        test_rows = _from_hub(script, script.dataset_test_split) if config.eval_strategy != "no" else []
        run = None
    if not rows:
        raise pairforge.InputError(f"{name or run}: no pairs to train on", fix="see skips.jsonl")
    models = {str(row["model"]) for row in rows if row.get("model")}
    if not model and len(models) != 1:
        why = "come from several models" if models else "don't say from which model they are"
        raise pairforge.InputError(f"the pairs {why}", fix="give --model_name_or_path")
    model = model or models.pop()
    # The revision that the run asked, if it asked this model.
    settings = json.loads((run / "run.json").read_text("utf-8"))["settings"] if run else {}
    revision = str(settings.get("revision") or "main") if settings.get("model") == model else "main"
    return TrainingJob(rows, test_rows, run, model, _output_dir(config.output_dir, run), revision)


def _from_hub(script: Any, split: str) -> list[Mapping[str, Any]]:
    from datasets import load_dataset

    say(f"fetching {script.dataset_name}, split {split}")
    try:
        return list(load_dataset(script.dataset_name, script.dataset_config, split=split))
    except (OSError, ValueError) as error:
        line = str(error).split("\n")[0]
        fix = "give a run folder, a file of pairs or a Hub id as --dataset_name"
        raise pairforge.OutsideError(f"can't load {script.dataset_name}: {line}", fix=fix) from error


def _output_dir(given: str, run: Path | None) -> Path:
    """Make the folder for the tuned model now, so that an unwritable one is reported before training."""
    folder = Path(given) if given != UNSET else (run / "model" if run else Path("pairforge-model"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pairforge.InputError(f"{folder}: {error.strerror}", fix="choose another --output_dir") from error
    if not os.access(folder, os.W_OK):
        raise pairforge.InputError(f"{folder} can't be written to", fix="choose another --output_dir")
    return folder


def count_parameters(model: str, revision: str | None) -> int:
    """Estimate a model's number of parameters from its configuration, without its weights; 0 if that is not known."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(pairforge.model_source(model), revision=revision, trust_remote_code=False)
    except (OSError, ValueError, pairforge.PairforgeError):
        return 0  # the error is reported where its tokenizer is loaded
    text = config.get_text_config()
    hidden, layers = getattr(text, "hidden_size", 0), getattr(text, "num_hidden_layers", 0)
    inner = getattr(text, "intermediate_size", None) or 4 * hidden
    return int(layers * (4 * hidden**2 + 3 * hidden * inner) + text.vocab_size * hidden)


def pairs_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the SHA-256 of the pairs' canonical JSON, in hex."""
    return _sha256([dict(row) for row in rows])


def training_digest(rows: Sequence[Mapping[str, Any]], model: str, script: Any, config: Any, chosen: Any) -> str:
    """Return a digest of all that decides the weights of a training but its length: pairs, model and flags."""
    flags = {**config.to_dict(), **vars(chosen), **vars(script)}
    decisive = {name: flags.get(name) for names in _DECISIVE_FLAGS.values() for name in names.split()}
    return _sha256([[dict(row) for row in rows], model, decisive])


def _sha256(value: Any) -> str:
    # A dataset on the Hub may have columns that JSON lacks, such as dates.
    return digest(json.loads(json.dumps(value, default=str)), 64)


_BESIDE = ("tools", "images", "image", "chat_template_kwargs")
"""Columns that TRL reads beside the messages."""


def trl_dataset(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return the columns that TRL reads. A text `prompt` beside lists of messages makes it crash, and is left out."""
    from datasets import Dataset, Features, Json, Value

    text_turn = {"role": Value("string"), "content": Value("string")}

    columns = ["chosen", "rejected"] + ["prompt"] * all(isinstance(row.get("prompt"), list) for row in rows)
    beside = [name for name in _BESIDE if any(row.get(name) for row in rows)]
    whole = all(turn.keys() == text_turn.keys() for row in rows for column in columns for turn in row[column])
    plain = whole and all(isinstance(turn["content"], str) for row in rows for name in columns for turn in row[name])
    # As JSON, calls and typed parts keep just the keys that they have: as columns all would get those of all others.
    messages = [text_turn if plain else Json()]
    types = Features({**dict.fromkeys(columns, messages), **dict.fromkeys(beside, Json())})
    return Dataset.from_list([{name: row.get(name) for name in (*columns, *beside)} for row in rows], types)
