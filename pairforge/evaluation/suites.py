"""Outside suites: lm-evaluation-harness asks the model its own tasks (IFEval, GSM8K ...); the figures come here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InputError, OutsideError
from ..options.declaration import as_tuple
from ..resources import installed_versions
from ..store import Store
from ..text import did_you_mean, one_line
from ..types import Sampler, digest
from .metrics import Judged

_PACKAGE = "lm-eval"


def check_suites(given: str | Sequence[str]) -> list[str]:
    """Return the tasks that are given as `ifeval,gsm8k`: names, or paths of YAML files.

    Raises InputError where the harness isn't installed, or has no such task, and OutsideError where the data of a task
    can't be loaded.
    """
    names = [name.strip() for text in as_tuple(given) for name in text.split(",") if name.strip()]
    if not names:
        return names
    if find_spec("lm_eval") is None:
        what = f"--suite {names[0]} is asked by lm-evaluation-harness, which is not installed"
        raise InputError(what, fix=f'pip install "{_PACKAGE}[hf]", and what the task needs, e.g. "{_PACKAGE}[ifeval]"')
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager()
    known = manager.all_tasks
    for name in names:
        if name not in known and not (name.endswith((".yaml", ".yml")) and Path(name).is_file()):
            fix = did_you_mean(name, known) or "lm-eval ls tasks names them all; or give the YAML file of a task"
            raise InputError(f"--suite {one_line(name)}: lm-evaluation-harness has no such task", fix=fix)
    with _harness(names):
        load = getattr(manager, "load", None) or manager.load_task_or_group  # of earlier versions
        load([*names])
    return names


def suite_outcomes(sampler: Sampler, names: Sequence[str], limit: int | None, store: Store) -> Judged:
    """Return whether each document of the suites counts for each metric of 0 or 1: `gsm8k exact_match strict-match`.

    What was measured before is in the evidence store. The sampler is that of a local model, with its chat template.
    Raises OutsideError where the harness fails, as for data that can't be downloaded.
    """
    files = {name: digest(Path(name).read_text("utf-8", "replace")) for name in names if Path(name).is_file()}
    about = {"suites": list(names), "files": files, "limit": limit, "versions": installed_versions(_PACKAGE)}
    settings = {**about, "sampling": sampler.settings()}
    if not store.scores(settings):
        found = outcomes_of(_run(sampler, names, limit))
        hits = {(metric, document): hit for metric, documents in found.items() for document, hit in documents.items()}
        store.add_scores(settings, hits)
    outcomes: dict[str, dict[str, bool]] = {}
    for (metric, document), hit in store.scores(settings).items():
        outcomes.setdefault(metric, {})[f"{metric}:{document}"] = hit == 1
    return outcomes


def outcomes_of(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Read what the harness returns: metric -> document -> 0 or 1. Metrics with other values are left out."""
    outcomes: dict[str, dict[str, float]] = {}
    for task, figures in results["results"].items():
        for key in figures:
            metric, _, filter_ = key.partition(",")
            rows = [row for row in results["samples"].get(task, ()) if row.get("filter", filter_) == filter_]
            values = {str(row["doc_id"]): row[metric] for row in rows if metric in row}
            if values and all(isinstance(value, int | float) and value in (0, 1) for value in values.values()):
                name = " ".join([task, metric, *([filter_] if filter_ not in ("", "none") else [])])
                # A slash or an at sign would begin a part of a metric, or its suffix.
                outcomes[name.replace("/", "-").replace("@", "-")] = {id_: float(hit) for id_, hit in values.items()}
    return outcomes


def _run(sampler: Any, names: Sequence[str], limit: int | None) -> Mapping[str, Any]:
    with _harness(names):
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM

        local = sampler.local
        model = HFLM(pretrained=local.model, tokenizer=local.chat.tokenizer, batch_size=local.batch_size or 8)
        found: Mapping[str, Any] = simple_evaluate(
            model=model, tasks=[*names], limit=limit, apply_chat_template=True, bootstrap_iters=0
        )
    return found


@contextmanager
def _harness(names: Sequence[str]) -> Iterator[None]:
    """Raise OutsideError for what a library of so many tasks, and their data, may raise."""
    try:
        yield
    except Exception as error:
        what = f"lm-evaluation-harness can't run {', '.join(map(one_line, names))}: {one_line(error, 300)}"
        fix = "see that the data of the task can be downloaded, and what else it needs"
        raise OutsideError(what, fix=fix) from error
