"""A sweep: short trainings with several values of one flag, compared by the verdict, before the training itself."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pairforge
from pairforge.disk import json_object, write_atomic
from pairforge.text import did_you_mean, one_line, plural
from pairforge.types import digest

from .data import TrainingJob, pairs_digest
from .early_checks import check_values
from .flags import CPU_SAMPLES, OWN, Given
from .known_flags import trl_flags
from .messages import say
from .outcome import TrainingResult, replaced
from .recipes import ALWAYS, recipe

_SHARE = 0.25
_LEAST = 100
"""The share of the pairs in a short training, and the least number of them."""
_QUESTIONS = 100
"""The questions of each kind by which it is judged: the fewest that a threshold is applied to."""
_OWN_FLAGS = ("sweep", "sweep_only", "output_dir", "overwrite", "push_to_hub", "hub_model_id")


def best_flags(
    argv: Sequence[str], given: Given, job: TrainingJob, train: Callable[[Sequence[str]], TrainingResult | None]
) -> list[str]:
    """Train shortly with each value of `--sweep`, and return `argv` with the best one in its place.

    The best is the one whose verdict is the least short of its thresholds in sum; those that the guard stopped come
    last. A rate is raised for the short training as the recipe would raise it. Results are kept in `sweep.json` in the
    run, so that a sweep that was stopped goes on; models are not. Raises InputError for a sweep that can't be made.
    """
    name, values = _parsed(str(given.text("sweep")), job, given)
    assert job.run
    pairs = min(len(job.rows), int(given.number("max_samples") or CPU_SAMPLES))
    few = min(pairs, max(_LEAST, math.ceil(_SHARE * pairs)))
    say(f"sweep: {plural(len(values), 'training')} on {few} of {plural(pairs, 'pair')} each, by {name}")
    folder, found = job.run / "sweep", dict[str, dict[str, Any]]()
    tried = dict[str, tuple[dict[str, str], list[str]]]()
    for value in values:
        flags = {**_short(given, few / pairs), "max_samples": str(few), name: value}
        if name == "learning_rate":
            flags[name] = f"{float(value) * _faster(given, job, few, pairs):.3g}"
        tried[value] = flags, replaced(argv, {**dict.fromkeys(_OWN_FLAGS, ""), **flags})
        check_values(Given.of(tried[value][1]), job.method)  # of all, before the first is trained with
    for value, (flags, words) in tried.items():
        key = digest([words, pairs_digest(job.rows), job.model, job.revision], 16)
        known = json_object(folder / "sweep.json")
        if key not in known:
            say(f"sweep: {name} {value} ({_flags(flags)})")
            output = folder / key
            result = train([*words, "--output_dir", str(output), "--overwrite"])
            assert result
            known[key] = _figures(result)
            write_atomic(folder / "sweep.json", json.dumps(known, indent=1) + "\n")
            shutil.rmtree(output)
        found[value] = known[key]
    best = min(values, key=lambda value: (bool(found[value]["stopped"]), found[value]["short"]))
    _show(name, found, best)
    return replaced(argv, {"sweep": "", "sweep_only": "", name: best})


def _parsed(text: str, job: TrainingJob, given: Given) -> tuple[str, list[str]]:
    """Return the flag and the values of `learning_rate=1e-5,3e-5`."""
    head, _, tail = text.partition("=")
    name, values = head.strip().lstrip("-").replace("-", "_"), [*dict.fromkeys(filter(None, tail.split(",")))]
    flags = {**(trl_flags() or {}), **{one.name: one for one in OWN}}
    example = "e.g. --sweep learning_rate=1e-5,3e-5,1e-4"
    if len(values) < 2:
        raise pairforge.InputError(f"--sweep {one_line(text)} has no two values to compare", fix=example)
    if name not in flags or name in (*_OWN_FLAGS, "max_samples", "max_steps", "dataset_name", "model_name_or_path"):
        fix = did_you_mean(name, ("learning_rate", "beta", "loss_type", "lora_r")) or example
        raise pairforge.InputError(f"--sweep can't vary {one_line(name)!r}", fix=fix)
    for value in values:
        if why := flags[name].wrong(value):
            raise pairforge.InputError(f"--sweep: --{name} {one_line(value)} {why}", fix=example)
    if not job.run or given.number("verdict_questions") == 0:
        what = "--sweep compares verdicts, which only pairs of a run get, and not with --verdict_questions 0"
        raise pairforge.InputError(what, fix="give a run as --dataset: pairforge runs list")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise pairforge.InputError("--sweep runs in one process", fix="sweep in one, then train in several")
    return name, values


def _short(given: Given, share: float) -> dict[str, str]:
    """Return the flags of a short training that don't depend on the value."""
    limit = given.number("max_steps")
    steps = {"max_steps": str(math.ceil(share * limit))} if limit and limit > 0 else {}
    return {"verdict_questions": str(_QUESTIONS), "resume_from_checkpoint": "", **steps}


def _faster(given: Given, job: TrainingJob, few: int, pairs: int) -> float:
    """Return by what the recipe's rate for so few pairs is higher than that for all of them."""
    limit, epochs = given.number("max_steps") or 0, given.number("num_train_epochs") or 1
    batch = given.number("per_device_train_batch_size") or ALWAYS["per_device_train_batch_size"]
    lengths = [limit * count / pairs if limit > 0 else epochs * count / batch for count in (few, pairs)]
    recipes = (recipe(job.method, steps=math.ceil(steps), share=job.share) for steps in lengths)
    short, whole = (found["learning_rate"] for found in recipes)
    return float(short / whole)


def _figures(result: TrainingResult) -> dict[str, Any]:
    """Return what a short training is judged by: the figures of the verdict, and how short of their limits they are."""
    checks = result.verdict.checks if result.verdict else {}
    return {
        "stopped": result.history.stopped,
        "short": sum(check.shortfall for check in checks.values()),
        "figures": {name: round(check.figure, 4) for name, check in checks.items()},
    }


def _flags(flags: Mapping[str, str]) -> str:
    return shlex.join(word for name, value in flags.items() if value for word in (f"--{name}", value))


def _show(name: str, found: Mapping[str, Mapping[str, Any]], best: str) -> None:
    """Print a line for each value: what its verdict is short of, and the figures that differ."""
    width = max(map(len, found))
    for value, one in found.items():
        figures = "  ".join(f"{metric} {figure:.1%}" for metric, figure in one["figures"].items() if "/" not in metric)
        stopped = "  stopped by the guard" if one["stopped"] else ""
        mark = "*" if value == best else " "
        print(f"{mark} {name} {value:{width}}  short by {one['short']:.3f}{stopped}  {figures}", flush=True)
    say(f"sweep: the best is --{name} {best}")
