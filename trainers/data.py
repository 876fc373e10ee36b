"""The data of a training: pairs of a run, a file or a dataset on the Hub, and the model that they name."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pairforge
from pairforge.api.inputs import PairInput, run_folder
from pairforge.readers import near_file
from pairforge.run import Run, out_dir
from pairforge.samplers.chat_template import read_template
from pairforge.samplers.model_loading import ResolvedModel, load_config, resolve_model
from pairforge.samplers.model_names import check_model
from pairforge.text import plural
from pairforge.types import digest

from .flags import Given
from .messages import is_first, say
from .recipes import ALWAYS, CORRECTIONS

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_PAIR_FILES = (".json", ".jsonl", ".gz", ".parquet", ".csv", ".tsv", ".txt")
_ARGUMENTS = "chat_template_kwargs"
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
    """The pairs to train on and the model to start from.

    `run` is the run folder that the pairs are from, if any, `data` how the user named them (empty for rows),
    `chat_template` the file with which that run asked the model.
    """

    rows: list[Mapping[str, Any]]
    test_rows: list[Mapping[str, Any]]
    run: Path | None
    model: str
    data: str = ""
    revision: str = "main"
    chat_template: str | None = None

    @cached_property
    def start(self) -> ResolvedModel:
        """The base model and, if the model is an adapter, its folder."""
        return resolve_model(self.model, self.revision, None)

    @property
    def share(self) -> float:
        """The share of corrections among the pairs; 1 where there are none."""
        return sum(row.get("method") in CORRECTIONS for row in self.rows) / max(len(self.rows), 1) or 1.0

    @property
    def method(self) -> str:
        """The kind of pairs; of mixed kinds that of corrections, whose recipe suits all."""
        methods = {str(row.get("method")) for row in self.rows}
        return next((name for name in CORRECTIONS if name in methods), min(methods))


def find_training_job(given: Given, pairs: Any = None) -> TrainingJob:
    """Read the pairs, and find the model that they came from.

    Args:
        given: the flags, which name pairs and model.
        pairs: rows, in place of those that `given` names.

    Raises InputError or OutsideError.
    """
    name, tests = given.text("dataset_name"), given.text("eval_strategy") not in (None, "no")
    run, test_rows, from_hub = None, list[Mapping[str, Any]](), False
    model, most = given.text("model_name_or_path"), _streamed(given)
    if model and pairs is None and not name:  # before a run is made for it
        check_model(from_here(model), given.text("model_revision"))
    if pairs is not None:
        rows, name = _as_pairs(pairs, "the rows", given, most), ""
    elif not name or _is_here(name):
        file = pairforge.pairs_file(name, quiet=not is_first()) if name else _default_pairs()
        rows = _as_pairs(file, str(file), given, most)
        run = file.parent if (file.parent / "run.json").exists() else None
        name = str(file)
    else:
        from_hub = True
        rows = _from_hub(name, given, "dataset_train_split", "train", most)
        test_rows = _from_hub(name, given, "dataset_test_split", "test") if tests else []
    if tests and not from_hub:
        what = f"{name or 'the data'} has no test split to evaluate on"
        raise pairforge.InputError(what, fix="leave --eval_strategy out: the verdict asks held-out questions")
    if not rows:
        fix = "skips.jsonl beside them says why" if run else "name other pairs with --dataset"
        raise pairforge.InputError(f"{name or 'the rows'}: no pairs to train on", fix=fix)
    models = {str(row["model"]) for row in rows if row.get("model")}
    if not model and len(models) != 1:
        why = f"come from {len(models)} models" if models else "don't say which model they come from"
        raise pairforge.InputError(
            f"Which model should be trained? The pairs {why}", fix="name it with --model_name_or_path, or -m"
        )
    model = model or models.pop()
    # The revision that the run asked, if it asked this model.
    asked = Run.load(run).asked_with(model) if run else {}
    if run:
        rows = _with_arguments(rows, asked.get("chat_template_kwargs"))
    revision = given.text("model_revision") or str(asked.get("revision", "main"))
    template = _template(Run.load(run), model) if run else None
    return TrainingJob(rows, test_rows, run, from_here(model), name or "", revision, template)


def from_here(path: str) -> str:
    """Return an absolute path below the working folder as a relative one; every other name as it is.

    An adapter and a verdict name the base: without the folders above, they hold where a whole project is moved.
    """
    here = Path.cwd()
    return f"./{Path(path).relative_to(here)}" if Path(path).is_relative_to(here) else path


def _is_here(name: str) -> bool:
    """Return True for a run, a file or a folder, False for a name of the Hub. Raises InputError for anything else."""
    if pairforge.pairs_file(name, quiet=True).exists() or name == "-":
        return True
    if HUB_NAME.fullmatch(name) and Path(name).suffix not in _PAIR_FILES:
        return False
    if Path(name).suffix or name[0] in "./~" or "/" in name:
        fix = near_file(name) or "see: pairforge runs list"
        raise pairforge.InputError(f"there is no file or run {name}", fix=fix)
    run_folder(name)  # raises, with the names that are like it
    raise pairforge.InputError(f"the run {name} has no pairs", fix="run its command again: pairforge runs list has it")


def _default_pairs() -> Path:
    """Return the pairs of the latest run; one of several processes makes it where there is none."""
    from filelock import FileLock

    lock: Any = nullcontext()
    if os.environ.get("WORLD_SIZE", "1") != "1":
        out_dir().mkdir(parents=True, exist_ok=True)
        lock = FileLock(out_dir() / ".default-run.lock")
    with lock:
        return pairforge.pairs_file(pairforge.default_run(quiet=not is_first()), quiet=True)


def _streamed(given: Given) -> int | None:
    """Return how many pairs are read with --dataset_streaming: those that the steps take; None for all."""
    if not given.on("dataset_streaming"):
        return None
    if (steps := given.number("max_steps") or 0) < 1:
        what = "--dataset_streaming reads as many pairs as the steps of the training take, and doesn't know how many"
        raise pairforge.InputError(what, fix="e.g. --max_steps 1000")
    batch = given.number("per_device_train_batch_size")
    together = ALWAYS["per_device_train_batch_size"] if batch is None else batch * processes()
    return math.ceil(steps * together * (given.number("gradient_accumulation_steps") or 1))


def processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _as_pairs(data: Any, name: str, given: Given, most: int | None = None) -> list[Mapping[str, Any]]:
    """Return the first `most` rows of any known shape as pairs. Raises InputError for rows that are not pairs."""
    rows = [*islice(PairInput(data, quiet=True, columns=given.text("columns") or ()), most)]
    for number, row in enumerate(rows):
        missing = [side for side in ("chosen", "rejected") if not isinstance(row, Mapping) or side not in row]
        if missing:
            what = f"row {number} is not a pair: it has no {' and no '.join(missing)}"
            raise pairforge.InputError(f"{name}: {what}", fix="see why with: pairforge validate")
    return rows


def _from_hub(name: str, given: Given, flag: str, default: str, most: int | None = None) -> list[Mapping[str, Any]]:
    from datasets import load_dataset

    split = given.text(flag) or default
    say(f"fetching {name}, split {split}")
    try:
        rows = load_dataset(name, given.text("dataset_config"), split=split, streaming=most is not None)
    except (OSError, ValueError) as error:
        line = str(error).split("\n")[0]
        fix = "give a run folder, a file of pairs or a Hub id as --dataset"
        raise pairforge.OutsideError(f"can't load {name}: {line}", fix=fix) from error
    return _as_pairs(rows, name, given, most)


def _with_arguments(rows: list[Mapping[str, Any]], arguments: Any) -> list[Mapping[str, Any]]:
    """Return the rows with the arguments of the chat template with which their run asked, in the column TRL reads."""
    return [{**row, _ARGUMENTS: row.get(_ARGUMENTS) or arguments} for row in rows] if arguments else rows


def _template(run: Run, model: str) -> str | None:
    """Return the file of the chat template with which a run asked the model. Raises InputError where it has changed."""
    asked = run.settings["sampling"].get("chat_template") if run.settings["model"] == model else None
    file = run.settings.get("chat_template")
    if asked and not (file and digest(read_template(file)) == asked):
        what = f"the chat template {file or ''} is not the one with which the run {run.name or run.path.name} asked"
        raise pairforge.InputError(what, fix="put it back, or copy it into the model's folder as chat_template.jinja")
    return str(file) if asked else None


def count_parameters(model: str, revision: str | None) -> int:
    """Estimate a model's number of parameters from its configuration, without its weights; 0 if that is not known."""
    try:
        resolved = resolve_model(model, revision, None)
        config = load_config(resolved.base, resolved.revision)
    except pairforge.PairforgeError:
        return 0  # the error is reported where its tokenizer is loaded
    text = config.get_text_config()
    hidden, layers = getattr(text, "hidden_size", 0), getattr(text, "num_hidden_layers", 0)
    inner = getattr(text, "intermediate_size", None) or 4 * hidden
    heads = getattr(text, "num_attention_heads", 1)
    shared = (getattr(text, "num_key_value_heads", None) or heads) / heads
    return int(layers * ((2 + 2 * shared) * hidden**2 + 3 * hidden * inner) + text.vocab_size * hidden)


def check_pairs(rows: Sequence[Mapping[str, Any]], numbers: Sequence[int], job: TrainingJob, config: Any) -> None:
    """Refuse pairs with errors, as the model's own tokenizer sees them; print warnings, and how many carry a signal.

    `numbers` are the rows' numbers in the whole dataset. Raises InputError.
    """
    limit = config.max_length or sys.maxsize
    revision = (config.model_init_kwargs or {}).get("revision")
    template = job.chat_template
    findings = pairforge.validate(
        rows, model=job.model, revision=revision, chat_template=template, max_length=limit, quiet=True
    )
    row_number: dict[int | None, str] = {None: "-", **{index: str(number) for index, number in enumerate(numbers)}}
    refuse_errors(findings, len(rows), row_number, job.data)
    first = {finding.code: finding for finding in reversed(findings)}
    for code, finding in sorted(first.items()):
        if finding.severity == "warning":
            # A message that names another row counts in the sampled pairs, which the user can't look up.
            what = "" if " row " in finding.message else f": {finding.message}"
            say(f"warning: {findings.counts[code]} x {code}, first in row {row_number[finding.row]}{what}")
    if signal := first.get("PF414"):
        _say_signal(signal.message, config.max_length)


def refuse_errors(findings: Iterable[Any], pairs: int, row_number: Mapping[int | None, str], data: str) -> None:
    """Raise InputError where there are errors among the findings on so many pairs."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        codes, one = ", ".join(sorted({finding.code for finding in errors})), errors[0]
        count = f"{plural(len(errors), 'error')} in {plural(pairs, 'pair')}"
        what = f"{count}: {codes}, e.g. row {row_number[one.row]}: {one.message}"
        raise pairforge.InputError(what, fix=f"pairforge fix {shlex.quote(data)} fixed.jsonl" if data else None)


def _say_signal(message: str, max_length: int | None) -> None:
    """Print how many pairs can be learned from. Raises InputError where no pair can."""
    found = re.match(r"(\d+) of (\d+) pairs carry a signal(?: \((.*?)\))?", message)
    if not found:
        return
    signal, pairs, lost = found.groups()
    if signal == "0":
        what = f"0 of {pairs} pairs can be learned from at --max_length {max_length}: {lost or 'no sides differ'}"
        raise pairforge.InputError(what, fix="use a larger --max_length, and see: pairforge show --tokens")
    say(f"{signal} of {pairs} pairs can be learned from{f' ({lost})' if lost else ''}")


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


_BESIDE = ("tools", "images", "image", _ARGUMENTS)
"""Columns that TRL reads beside the messages."""


def trl_dataset(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return the columns that TRL reads, and the `method` of mixed pairs, which the guard reads.

    A text `prompt` beside lists of messages makes TRL crash, and is left out.
    """
    from datasets import Dataset, Features, Json, Value

    text_turn = {"role": Value("string"), "content": Value("string")}

    columns = ["chosen", "rejected"] + ["prompt"] * all(isinstance(row.get("prompt"), list) for row in rows)
    beside = [name for name in _BESIDE if any(row.get(name) for row in rows)]
    mixed = ["method"] * (len({row.get("method") for row in rows}) > 1)
    whole = all(turn.keys() == text_turn.keys() for row in rows for column in columns for turn in row[column])
    plain = whole and all(isinstance(turn["content"], str) for row in rows for name in columns for turn in row[name])
    # As JSON, calls and typed parts keep just the keys that they have: as columns all would get those of all others.
    messages = [text_turn if plain else Json()]
    types = dict.fromkeys(columns, messages) | dict.fromkeys(beside, Json()) | dict.fromkeys(mixed, Value("string"))
    return Dataset.from_list([{name: row.get(name) for name in types} for row in rows], Features(types))
