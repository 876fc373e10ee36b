"""select: pairs from the answers and scores of a run, picked again; judge: the same after another judge scored them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from ..console import note
from ..errors import InputError
from ..formats import read_rows
from ..jury import Jury
from ..options.declaration import keywords, part_of
from ..options.judging import JudgeOptions, PickOptions, SelectOptions
from ..run import KeptPrompts, Run
from ..samplers.replay import StoredSampler
from ..stages import judged_group
from ..stopping import Budget
from ..store import Store
from ..types import AnswerGroup, Judge, Prompt, Skip
from .annotate import ExportedVerdicts, ask_people, export_verdicts, people_of
from .build_result import BuildResult
from .inputs import PairInput, check_output, latest_run, run_folder
from .judge_exam import JudgeExam, JudgeProbes, exam, probe
from .models import open_budget
from .onpolicy import (
    check_judge,
    family_warning,
    judge_opener,
    open_confirm,
    open_hard_pairs,
    open_judges,
    open_pairer,
    try_judge,
)
from .pipeline import BuildJob, build


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
    known = run.counts.get("diagnostics", {})
    job = replace(job, measured={name: known[name] for name in ("judges", "agree") if name in known})
    return build(job, replace(options, output=str(run.path.parent)))


@keywords(JudgeOptions)
def judge(options: JudgeOptions) -> BuildResult | JudgeExam | JudgeProbes | ExportedVerdicts:
    """Score the answers of a run by another judge, and make pairs of them; no answer is sampled.

    Makes the run that `onpolicy` with this judge would have made. With `gold` or `probe` it makes no pairs: see
    `JudgeExam` and `JudgeProbes`; with `export_verdicts` it writes what people said. Raises InputError for a judge that
    can't be used, OutsideError for one that fails.
    """
    if not options.judge:
        raise InputError("no judge is named", fix="add --judge reference, or --judge FILE.py:FUNCTION")
    named = open_judges(options.judge, options)
    if options.executor and (options.gold is not None or options.probe is not None):
        raise InputError("--gold and --probe have no shards", fix="leave --executor out")
    if options.gold is not None:
        source = PairInput(options.gold, options.output, quiet=options.quiet)
        file = Path(options.verdicts) if options.verdicts else None
        if file:
            check_output(file, (".jsonl",), source, overwrite=None, option="--verdicts ")
        return exam(_one(named), source, options.output, options.quiet, file)
    run = _run_with_answers(options.run, options.output, options.quiet)
    prompts = KeptPrompts(run)
    if options.probe is not None:
        return probe(_one(named), list(_answered(run)), options.probe, options.output, options.quiet)
    check_judge(named, prompts, run.path.name)
    job = _job(run, named, options, open_budget(options))
    job = replace(job, check=partial(try_judge, named, prompts), confirm=open_confirm(options))
    job = replace(job, open_judge=judge_opener(options.judge, options))
    if options.export_verdicts:
        return export_verdicts(job, Path(options.export_verdicts), str(run.path.parent))
    if people := people_of(named):
        ask_people(job, people, replace(options, output=str(run.path.parent)))
    if not options.quiet:
        for line in family_warning(named, job.sampler.model):
            note(f"warning: {line}")
    return build(job, replace(options, output=str(run.path.parent)))


def _one(judge: Judge | Jury) -> Judge:
    if isinstance(judge, Jury):
        raise InputError("a jury is examined judge by judge", fix="name one --judge")
    if people_of(judge):
        raise InputError("people are not examined like a judge", fix="leave out --gold and --probe")
    return judge


def _answered(run: Run) -> Iterator[AnswerGroup]:
    """Yield the prompts of a run, each with the first whole answer that is stored."""
    settings = run.settings
    with closing(Store(run.path.parent)) as store:
        for prompt in run.asked():
            group = judged_group(prompt, store.answers_to(settings["sampling"], prompt.id)[: settings["n"]])
            if group.answers:
                yield AnswerGroup(prompt, group.answers[:1])


def _run_with_answers(name: str | PathLike[str] | None, output: str | None, quiet: bool) -> Run:
    run = Run.load(run_folder(name, output) if name else latest_run(output, quiet=quiet))
    if not (type(run.settings.get("n")) is int and run.settings["n"] > 1):
        what = f"{run.path.name} has one answer to each prompt"
        raise InputError(what, fix="make a run with several: pairforge onpolicy --n 4")
    return run


def _job(run: Run, judge: Judge | Jury, options: JudgeOptions | SelectOptions, budget: Budget) -> BuildJob:
    """Return the inputs of a run with the answers of another one."""
    if options.model and not options.drop_hard:
        raise InputError("--model has no effect without --drop-hard", fix="leave it out")
    settings = run.settings
    sampler = StoredSampler(settings["sampling"], settings["model"], settings.get("revision"), dict(_skips(run)))
    return BuildJob(
        run.command,
        sampler,
        budget,
        open_pairer(part_of(options, PickOptions), judge.name),
        settings["prompts"]["source"],
        KeptPrompts(run),
        settings["contexts"],
        settings["n"],
        judge,
        adaptive="stored" if settings.get("adaptive") else False,
        drop_hard=open_hard_pairs(options.drop_hard, sampler, options.model),
    )


_ANSWERED = ("unjudged", "tie", "below_margin", "identical", "length_gap", "one_answer", "hard", "not_applicable")
"""The reasons of skips of prompts that have answers."""


def _skips(run: Run) -> Iterator[tuple[str, Skip]]:
    """Yield why a prompt of the run has no answer, by its id."""
    for row in read_rows(run.skips):
        if row.get("reason") in _ANSWERED:
            continue
        yield str(row.get("prompt_id")), Skip(str(row.get("reason")), str(row.get("detail")))


def _stored(settings: dict[str, Any]) -> Judge | Jury:
    """Return the judge, or the jury, that has these settings."""
    if "judges" not in settings:
        return StoredJudge(settings)
    return Jury(tuple(map(StoredJudge, settings["judges"])), tuple(settings["weights"]), settings["vote"])


class StoredJudge(Judge):
    """The judge of a run, by its settings: its scores are in the evidence store, and it gives no others."""

    groupwise = None

    def __init__(self, settings: dict[str, Any]) -> None:
        self.name = str(settings.get("judge"))
        self.warnings: list[str] = []
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        return self._settings

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return that there is no score: one that is stored is not asked for."""
        return [Skip("unjudged", "the run has no score of this answer")] * len(answers)
