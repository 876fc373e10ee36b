"""What can be refused before TRL is imported, a model is loaded, or a question is asked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pairforge
from pairforge.api.onpolicy import BUILT_IN, open_judge, try_judge
from pairforge.evaluation.suites import check_suites
from pairforge.prompts import bundled
from pairforge.run import Run
from pairforge.samplers.model_names import check_model
from pairforge.text import did_you_mean, one_line

from .checkpoints import resumed
from .data import TrainingJob, refuse_errors
from .flags import Given
from .known_flags import Flag, loss_types
from .messages import say
from .output_folder import check_output_folder
from .publishing import repository_of
from .recipes import recipe

_AT_LEAST = {
    "num_train_epochs": 0.0,
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "max_length": 1,
    "logging_steps": 0.0,
    "save_steps": 0.0,
    "eval_steps": 0.0,
    "learning_rate": 0.0,
    "beta": 0.0,
    "lora_r": 1,
    "lora_alpha": 1,
    **dict.fromkeys(("seed", "data_seed", "weight_decay", "warmup_steps", "max_grad_norm", "lora_dropout"), 0),
}
"""The least value of numbers; 0.0 stands for any number above 0."""
_TRACKERS: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("wandb", "trackio", "mlflow", "comet_ml", "neptune", "clearml", "dvclive", "swanlab", "codecarbon"), ()
)
_TRACKERS |= {"tensorboard": ("tensorboard", "tensorboardX"), "flyte": ("flytekit",), "azure_ml": ("azureml",)}
"""The trackers that --report_to names, with the modules of each where those are called otherwise."""
_LOOKED_AT = 100  # pairs


def check_flags(given: Given, job: TrainingJob) -> None:
    """Refuse flags that can't work, together or on this machine. Raises InputError."""
    check_model(job.model, job.revision, ask_hub=True)
    check_output_folder(given, job)
    check_values(given, job.method)
    _check_verdict(given, job)
    _check_judge(given.text("judge"), job)
    _check_rows(job)
    asked = resumed(given.text("resume_from_checkpoint"))
    if isinstance(asked, Path) and not (asked / "trainer_state.json").is_file():
        why = "it is not a checkpoint, which holds trainer_state.json" if asked.is_dir() else "no such folder"
        raise pairforge.InputError(f"can't resume from {asked}: {why}", fix="--resume_from_checkpoint auto")
    if given.on("push_to_hub"):
        repository_of(given.text("hub_model_id"))


def check_values(given: Given, method: str) -> None:
    """Refuse values that flags can't have, whatever the pairs and the model. Raises InputError."""
    _check_numbers(given)
    _check_losses(given, method)
    _check_lora(given)
    _check_files(given)
    _check_trackers(given)


def _check_verdict(given: Given, job: TrainingJob) -> None:
    """Refuse flags of a verdict that is not made, or that can't be made here."""
    if given.on("sweep_only") and not given.text("sweep"):
        raise pairforge.InputError("--sweep_only has no effect without --sweep", fix="e.g. --sweep beta=0.1,0.3")
    for name in ("suite", "verdict_lang"):
        if given.text(name) and (not job.run or given.number("verdict_questions") == 0):
            what = f"--{name} has no effect: only pairs of a run get a verdict, and not with --verdict_questions 0"
            raise pairforge.InputError(what, fix="leave it out, and ask afterwards: pairforge evaluate")
    check_suites(given.text("suite") or ())


def _check_rows(job: TrainingJob) -> None:
    """Refuse pairs of which each one looked at has an error; where only some have, all are checked later."""
    start = job.rows[:_LOOKED_AT]
    findings = pairforge.validate(start, quiet=True)
    if len({one.row for one in findings if one.severity == "error" and one.row is not None}) == len(start):
        numbers: dict[int | None, str] = {None: "-", **{number: str(number) for number in range(len(start))}}
        refuse_errors(findings, len(start), numbers, job.data)


def _check_judge(judge: str | None, job: TrainingJob) -> None:
    """Refuse a judge that can't be loaded or called; say that one which only the run names is not run."""
    if judge:
        try_judge(open_judge(judge), bundled("general.eval"))
    made_by = Run.load(job.run).settings.get("judge") if job.run else None
    name = made_by.get("judge") if isinstance(made_by, Mapping) else None
    if isinstance(name, str) and name != BUILT_IN and not judge:
        say(f"the judge {name} made these pairs; for a win rate in the verdict, add --judge {name}")


def _check_numbers(given: Given) -> None:
    for name, least in _AT_LEAST.items():
        value = given.number(name)
        if value is None or (name == "num_train_epochs" and (given.number("max_steps") or -1) > 0):
            continue
        if not (value > 0 if isinstance(least, float) else value >= least) or value == float("inf"):
            bound = "above 0" if isinstance(least, float) else f"at least {least}"
            raise pairforge.InputError(f"--{name} {given.text(name)} must be {bound}", fix="see --help")
    steps = given.number("max_steps")
    if steps is not None and steps <= 0 and steps != -1:
        raise pairforge.InputError(f"--max_steps {steps:g} must be above 0", fix="leave it out to train by epochs")


def _check_losses(given: Given, method: str) -> None:
    losses, weights = given.texts("loss_type") or recipe(method)["loss_type"], given.texts("loss_weights")
    known = (*loss_types(), "dpop") if loss_types() else losses
    if unknown := next((name for name in losses if name not in known), None):
        hint = did_you_mean(unknown, known)
        raise pairforge.InputError(
            f"there is no --loss_type {one_line(unknown)}", fix=hint or f"use one of {', '.join(known)}"
        )
    if wrong := next((one for one in weights if Flag("loss_weights", kind=float).wrong(one)), None):
        raise pairforge.InputError(f"--loss_weights {one_line(wrong)} is not a number", fix="e.g. --loss_weights 1 0.2")
    if given.text("dpop_lambda") and "dpop" not in losses:
        raise pairforge.InputError(
            "--dpop_lambda has no effect without --loss_type dpop", fix="add dpop, or leave it out"
        )
    if weights and len(weights) != len(losses):
        what = f"--loss_weights has {len(weights)}, and --loss_type {len(losses)}: {' '.join(losses)}"
        raise pairforge.InputError(what, fix="give each loss one weight, in the same order")


def _check_lora(given: Given) -> None:
    quantized = next((name for name in ("load_in_4bit", "load_in_8bit") if given.on(name)), None)
    if given.on("use_peft"):
        _need("use_peft", "peft")
    else:
        adapter = [name for name in given.values if name.startswith("lora_") or name in ("use_rslora", "use_dora")]
        for name in filter(None, (*adapter, quantized)):
            raise pairforge.InputError(f"--{name} has no effect without --use_peft", fix="add --use_peft")
    if quantized:
        _need(quantized, "bitsandbytes")


def _check_files(given: Given) -> None:
    for name in ("deepspeed", "fsdp_config"):
        value = given.values.get(name)
        if isinstance(value, str) and not value.lstrip().startswith("{") and not Path(value).is_file():
            raise pairforge.InputError(f"--{name} {one_line(value)}: there is no such file", fix="check the path")
    if given.values.get("deepspeed"):
        _need("deepspeed", "deepspeed")


def _check_trackers(given: Given) -> None:
    for name in given.texts("report_to"):
        if name in ("all", "none"):
            continue
        if name not in _TRACKERS:
            hint = did_you_mean(name, [*_TRACKERS, "all", "none"])
            fix = hint or f"use {', '.join(_TRACKERS)}, or none"
            raise pairforge.InputError(f"--report_to {one_line(name)} is not a tracker", fix=fix)
        _need(f"report_to {name}", name, *_TRACKERS[name])


def _need(flag: str, package: str, *modules: str) -> None:
    """Raise InputError where none of the modules of a package is there; most packages have one, of their own name."""
    if not any(map(find_spec, modules or [package])):
        what = f"--{flag} needs {package}, which is not installed"
        raise pairforge.InputError(what, fix=f"pip install {shlex.quote(package)}")
