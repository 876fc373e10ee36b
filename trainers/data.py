"""What to train on and what to start from: the pairs of a run, a file or a dataset on the Hub."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pairforge

UNSET = "unset"
"""The output folder that stands for: beside the pairs."""
CORRECTIONS = ("correct", "revise")
"""Methods whose pairs are an answer and the same answer, edited."""
_DECISIVE: tuple[str, ...] = ("beta", "loss_type", "loss_weights", "ld_alpha", "label_smoothing", "f_divergence_type")
_DECISIVE += ("max_length", "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "max_grad_norm")
_DECISIVE += ("per_device_train_batch_size", "gradient_accumulation_steps", "use_peft", "lora_r", "lora_alpha", "optim")
_DECISIVE += ("seed", "data_seed", "lora_target_modules", "dtype", "load_in_4bit", "load_in_8bit", "model_revision")
_DECISIVE += ("f_alpha_divergence_coef", "discopop_tau", "use_weighting", "truncation_mode", "lr_scheduler_kwargs")
_DECISIVE += ("adam_beta1", "adam_beta2", "adam_epsilon", "optim_args", "neftune_noise_alpha")
_DECISIVE += ("sync_ref_model", "ref_model_mixup_alpha", "ref_model_sync_steps", "lora_dropout", "lora_task_type")
_DECISIVE += ("lora_modules_to_save", "lora_target_parameters", "use_rslora", "use_dora", "dpop_lambda")


@dataclass
class TrainingJob:
    """What to train on and what to start from."""

    rows: list[Mapping[str, Any]]
    test_rows: list[Mapping[str, Any]]
    run: Path | None
    model: str
    output_dir: Path
    revision: str = "main"

    @property
    def method(self) -> str:
        """The kind of pairs; where kinds are mixed, that of corrections, whose recipe does for all."""
        methods = {str(row.get("method")) for row in self.rows}
        return next((name for name in CORRECTIONS if name in methods), None) or min(methods)


def find_training_job(script: Any, config: Any, model: str | None) -> TrainingJob:
    """Reads the pairs, and what they say of the model that they came from.

    `script` and `config` are TRL's script and training arguments. Raises InputError or OutsideError.
    """
    name = script.dataset_name
    if name and not _is_local(name):
        rows = _from_hub(script, script.dataset_train_split)
        test_rows = _from_hub(script, script.dataset_test_split) if config.eval_strategy != "no" else []
        run = None
    else:
        file = pairforge.pairs_file(name, quiet=config.process_index != 0, make=True)
        rows, test_rows = pairforge.read_pairs(file), []
        run = file.parent if (file.parent / "run.json").exists() else None
        if config.eval_strategy != "no":
            raise pairforge.InputError(f"{file} has no test split", fix="leave --eval_strategy out")
    if not rows:
        raise pairforge.InputError(f"{name or run}: no pairs to train on", fix="see skips.jsonl")
    start = model or _model_of(rows)
    return TrainingJob(rows, test_rows, run, start, _output_dir(config.output_dir, run), _revision(run, start))


def _revision(run: Path | None, model: str) -> str:
    """The revision that the run asked, if it asked this model."""
    settings = json.loads((run / "run.json").read_text("utf-8"))["settings"] if run else {}
    return str(settings.get("revision") or "main") if settings.get("model") == model else "main"


def _is_local(name: str) -> bool:
    path = Path(name)
    named = path.suffix in (".json", ".jsonl", ".gz", ".parquet") or name[0] in "./~"
    return named or pairforge.pairs_file(name).exists()


def _from_hub(script: Any, split: str) -> list[Mapping[str, Any]]:
    from datasets import load_dataset

    say(f"fetching {script.dataset_name}, split {split}")
    try:
        return list(load_dataset(script.dataset_name, script.dataset_config, split=split))
    except (OSError, ValueError) as error:
        line = str(error).split("\n")[0]
        fix = "give a run folder, a file of pairs or a Hub id as --dataset_name"
        raise pairforge.OutsideError(f"can't load {script.dataset_name}: {line}", fix=fix) from error


def _model_of(rows: Sequence[Mapping[str, Any]]) -> str:
    models = {str(row["model"]) for row in rows if row.get("model")}
    if len(models) != 1:
        raise pairforge.InputError("the pairs name no one model to start from", fix="give --model_name_or_path")
    return models.pop()


def _output_dir(given: str, run: Path | None) -> Path:
    """The folder for the tuned model, made here so that one that can't be written to is known before training."""
    folder = Path(given) if given != UNSET else (run / "model" if run else Path("pairforge-model"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pairforge.InputError(f"{folder}: {error.strerror}", fix="choose another --output_dir") from error
    if not os.access(folder, os.W_OK):
        raise pairforge.InputError(f"{folder} can't be written to", fix="choose another --output_dir")
    return folder


def check_place(job: TrainingJob) -> None:
    """Refuses a model that would be overwritten by its own training."""
    if Path(job.model).resolve() == job.output_dir.resolve():
        raise pairforge.InputError(f"{job.model} is both the model and the output", fix="choose another --output_dir")


def parameters(model: str, revision: str | None) -> int:
    """About how many parameters a model has, by its configuration: its weights need not be here yet. 0: not known."""
    from transformers import AutoConfig

    try:
        known = AutoConfig.from_pretrained(pairforge.model_source(model), revision=revision, trust_remote_code=False)
    except (OSError, ValueError, pairforge.PairforgeError):
        return 0  # what is wrong with it is told where its tokenizer is loaded
    config = known.get_text_config()
    hidden, layers = getattr(config, "hidden_size", 0), getattr(config, "num_hidden_layers", 0)
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    return int(layers * (4 * hidden**2 + 3 * hidden * inner) + config.vocab_size * hidden)


def draw(count: int, limit: int | None, seed: int) -> list[int]:
    """The places of at most `limit` of `count` rows, drawn with the seed, in their order."""
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(random.Random(seed).sample(range(count), limit))


def digest(value: Any) -> str:
    """SHA-256, in hex, of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def identity(rows: Sequence[Mapping[str, Any]], model: str, script: Any, config: Any, chosen: Any) -> str:
    """A digest of all that a training's way depends on but its length: the pairs, the model, the flags."""
    flags = {**config.to_dict(), **vars(chosen), **vars(script)}
    return digest([[dict(row) for row in rows], model, {name: flags.get(name) for name in _DECISIVE}])


def dataset(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The columns that TRL reads. A text `prompt` beside message lists makes it crash, so only a list is kept."""
    from datasets import Dataset, Features, Value

    messages = [{"role": Value("string"), "content": Value("string")}]
    columns = ["chosen", "rejected"] + ["prompt"] * all(isinstance(row.get("prompt"), list) for row in rows)
    return Dataset.from_list(
        [{column: row[column] for column in columns} for row in rows], Features(dict.fromkeys(columns, messages))
    )


def say(text: str) -> None:
    """A line for the user, on stderr, from the first of several processes; what can't be printed shows as an escape."""
    if os.environ.get("RANK", "0") == "0":
        print("".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text), file=sys.stderr, flush=True)
