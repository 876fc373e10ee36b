"""select: pairs from the answers and scores of a run, picked again; judge: the same after another judge scored them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

from ..errors import InputError
from ..formats import read_rows
from ..judge_options import JudgeOptions, PickOptions, SelectOptions
from ..jury import Jury
from ..options import keywords, part_of
from ..run import Run
from ..samplers.replay import StoredSampler
from ..stopping import Budget
from ..types import Judge, Prompt, Skip
from .inputs import latest_run, run_folder
from .onpolicy import check_judge, judges_of, open_confirm, open_judges, open_pairer, try_judge
from .pipeline import BuildJob, BuildResult, build


@keywords(SelectOptions)
def select(options: SelectOptions) -> BuildResult:
    """Make pairs of the answers and scores of a run, by other rules of picking; no model and no judge is asked.

    Makes the run that `onpolicy` with these options would have made. Raises InputError for a run without scores.
    """
    run = _run_with_answers(options.run, options.output, options.quiet)
    if not isinstance(run.settings.get("judge"), dict):
        what = f"{run.path.name} has no scores: {run.command} asks no judge"
        raise InputError(what, fix="make a run with them: pairforge onpolicy")
    job = _job(run, _stored(run.settings["judge"]), options, Budget())
    return build(job, replace(options, output=str(run.path.parent)))


@keywords(JudgeOptions)
def judge(options: JudgeOptions) -> BuildResult:
    """Score the answers of a run by another judge, and make pairs of them; no answer is sampled.

    Makes the run that `onpolicy` with this judge would have made. Raises InputError for a judge that can't be used, and
    OutsideError for one that fails.
    """
    if not options.judge:
        raise InputError("no judge is named", fix="add --judge reference, or --judge FILE.py:FUNCTION")
    run = _run_with_answers(options.run, options.output, options.quiet)
    named = open_judges(options.judge, options)
    prompts = run.read_prompts()
    for one in judges_of(named):
        check_judge(one, prompts, run.path.name)
    job = _job(run, named, options, part_of(options, Budget))
    job = replace(job, check=partial(try_judge, named, prompts), confirm=open_confirm(options))
    return build(job, replace(options, output=str(run.path.parent)))


def _run_with_answers(name: str | PathLike[str] | None, output: str | None, quiet: bool) -> Run:
    run = Run.load(run_folder(name, output) if name else latest_run(output, quiet=quiet))
    if not (type(run.settings.get("n")) is int and run.settings["n"] > 1):
        what = f"{run.path.name} has one answer to each prompt"
        raise InputError(what, fix="make a run with several: pairforge onpolicy --n 4")
    return run


def _job(run: Run, judge: Judge | Jury, options: JudgeOptions | SelectOptions, budget: Budget) -> BuildJob:
    """Return the inputs of a run with the answers of another one."""
    settings = run.settings
    return BuildJob(
        run.command,
        StoredSampler(settings["sampling"], settings["model"], settings.get("revision"), dict(_skips(run))),
        budget,
        open_pairer(part_of(options, PickOptions), judge.name),
        settings["prompts"]["source"],
        run.read_prompts(),
        settings["contexts"],
        settings["n"],
        judge,
    )


def _skips(run: Run) -> Iterator[tuple[str, Skip]]:
    """Yield why a prompt of the run has no answer, by its id."""
    for row in read_rows(run.skips):
        yield str(row.get("prompt_id")), Skip(str(row.get("reason")), str(row.get("detail")))


def _stored(settings: dict[str, Any]) -> Judge | Jury:
    """Return the judge, or the jury, that has these settings."""
    if "judges" not in settings:
        return StoredJudge(settings)
    return Jury(tuple(map(StoredJudge, settings["judges"])), tuple(settings["weights"]), settings["vote"])


class StoredJudge(Judge):
    """The judge of a run, by its settings: its scores are in the evidence store, and it gives no others."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.name = str(settings.get("judge"))
        self.warnings: list[str] = []
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        return self._settings

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return that there is no score: one that is stored is not asked for."""
        return [Skip("unjudged", "the run has no score of this answer")] * len(answers)
