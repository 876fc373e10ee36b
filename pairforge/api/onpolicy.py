"""onpolicy: n answers to each prompt, judged; the best against the worst."""

from __future__ import annotations

import math

from ..errors import InputError
from ..options import OnpolicyOptions, keywords, part_of
from ..pairers import BestWorstPairer
from ..plugins import load
from ..stopping import Budget
from ..types import Judge
from .models import contexts_of, open_sampler
from .pipeline import BuildJob, BuildResult, build, load_prompts


@keywords(OnpolicyOptions)
def onpolicy(options: OnpolicyOptions) -> BuildResult:
    """Make on-policy pairs: n sampled answers to each prompt, judged, the best against the worst.

    `judge` is "reference" (the prompts' own references) or a reward function, `module:attr` or `file.py:attr`. Ties are
    skipped. Raises InputError as `correct` does.
    """
    if options.n < 2:
        raise InputError(f"--n {options.n}: best and worst need at least two answers", fix="use --n 4")
    if options.temperature <= 0:
        raise InputError("--temperature 0 gives n times the same answer", fix="use --temperature 1")
    if not (math.isfinite(options.margin) and options.margin >= 0):
        raise InputError(f"--margin {options.margin} must be a finite number of at least 0", fix="use 0 or more")
    judge = open_judge(options.judge)
    job = BuildJob(
        "onpolicy",
        open_sampler(options),
        part_of(options, Budget),
        BestWorstPairer(judge.name, options.margin),
        str(options.prompts),
        load_prompts(options, options.prompts),
        contexts_of(options, [None]),
        options.n,
        judge,
    )
    return build(job, options)


def open_judge(name: str) -> Judge:
    """Return the judge: "reference", or the reward function `module:attr` or `file.py:attr`, whose code is run."""
    if name == "reference":
        from ..judges.reference import ReferenceJudge

        return ReferenceJudge()
    from ..judges.function import FunctionJudge

    return FunctionJudge(load(name), name)
