"""pair: the answers of two models, or of two checkpoints, to the same prompts."""

from __future__ import annotations

import os
from dataclasses import replace

from ..console import note
from ..correction.given_answer import PartnerAnswer
from ..errors import InputError
from ..formats import read_rows
from ..options.correction import DeltaOptions
from ..options.declaration import keywords
from ..pairers import CorrectionPairer
from ..run import Run, check_run_name, out_dir
from ..samplers.replay import MISSING, ReplaySampler
from ..stopping import Budget
from ..types import Answer, Skip
from .build_result import BuildResult
from .inputs import find_run
from .models import open_replay
from .pipeline import BuildJob, build


@keywords(DeltaOptions)
def pair(options: DeltaOptions) -> BuildResult:
    """Make delta pairs: chosen are one model's answers, rejected another's to the same prompts.

    Each side is a run, whose prompts and answers are taken, or a file as `sample` writes it. They are joined by the id
    of the prompt, which its system message is part of. Nobody judges them: it is enough that the first model answers
    better on average (Geng et al. 2025, arXiv:2507.06187). `model` of the pairs is that of `rejected`, the one that is
    usually trained. Raises InputError.
    """
    out_dir(options.output)
    if options.name is not None:
        check_run_name(options.name)
    chosen = _opened(os.fspath(options.chosen), options.output, "--chosen")
    rejected = _opened(os.fspath(options.rejected), options.output, "--rejected")
    if not chosen.prompts.keys() & rejected.prompts.keys():
        what = f"no prompt of {options.chosen} is in {options.rejected} under the same system message"
        raise InputError(what, fix="ask both models the same prompts, with the same --system")
    if chosen.answers == rejected.answers:
        raise InputError("--chosen and --rejected hold the same answers", fix="name the answers of two models")
    if not options.quiet:
        note(f"chosen: answers of {chosen.model}; rejected: of {rejected.model}, the model that is to be trained")
    prompts = chosen.prompts | rejected.prompts
    for side, other in ((chosen, rejected), (rejected, chosen)):
        skip = Skip("no_partner", f"only {other.model} was asked")
        side.skips.update(dict.fromkeys(prompts.keys() - side.prompts.keys(), skip))
    count = 1 + max((index for _, index in (*chosen.answers, *rejected.answers)), default=0)
    partners: dict[str, list[Answer] | Skip] = {}
    for name in prompts:
        given = [chosen.answers[name, index] for index in range(count) if (name, index) in chosen.answers]
        partners[name] = given or chosen.skips.get(name, MISSING)
    by = {"source": str(options.chosen), **chosen.settings()}
    asked = [replace(prompt, columns={}) for prompt in prompts.values()]
    job = BuildJob(
        "pair",
        rejected,
        Budget(),
        CorrectionPairer(PartnerAnswer(by, partners)),
        str(options.rejected),
        asked,
        [None],
        count,
    )
    return build(job, options)


def _opened(source: str, output: str | None, option: str) -> ReplaySampler:
    """Return the answers of a run or a file, with the prompts that were asked."""
    if not source.strip():
        raise InputError(f"{option} is empty", fix="name a run, or a file of answers as pairforge sample writes it")
    replay = open_replay(source, None, output, option)
    if not replay.answers:
        raise InputError(f"{option} {source} holds no answers", fix="ask a model: pairforge sample -p PROMPTS > FILE")
    if folder := find_run(source, output):
        run = Run.load(folder)
        replay.prompts = {prompt.id: prompt for prompt in run.asked()}
        replay.skips = {row["prompt_id"]: Skip(row["reason"], row["detail"]) for row in read_rows(run.skips)}
    return replay
