"""onpolicy: n answers to each prompt, judged; the best against the worst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import InputError
from ..pairers import BestWorst
from ..plugins import load
from ..prompts import History
from ..types import Judge
from .models import SamplingOptions, contexts_of, open_sampling
from .pipeline import BuildJob, BuildResult, PromptColumns, build, read

if TYPE_CHECKING:
    from typing_extensions import Unpack


def onpolicy(
    *,
    n: int = 4,
    judge: str = "reference",
    margin: float = 0.0,
    prompts: str = "general.train",
    columns: PromptColumns = (),
    history: History = "last",
    system: str | Sequence[str] = (),
    no_system: bool = False,
    limit: int | None = None,
    temperature: float = 1.0,
    output: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
    **sampling: Unpack[SamplingOptions],
) -> BuildResult:
    """Makes on-policy pairs: n sampled answers to each prompt, judged, the best against the worst.

    `judge` is "reference" (the prompts' own references) or a reward function, `module:attr` or `file.py:attr`. Ties are
    skipped. Raises InputError as `correct` does.
    """
    if n < 2:
        raise InputError(f"--n {n}: best and worst need at least two answers", fix="use --n 4")
    if temperature <= 0:
        raise InputError("--temperature 0 gives n times the same answer", fix="use --temperature 1")
    if not (math.isfinite(margin) and margin >= 0):
        raise InputError(f"--margin {margin} is no distance between scores", fix="use 0 or more")
    contexts = contexts_of(system, no_system, [None])
    sampler, budget = open_sampling(temperature, sampling)
    scorer = open_judge(judge)
    pairer = BestWorst(scorer.name, margin)
    job = BuildJob(
        "onpolicy", sampler, budget, pairer, str(prompts), read(prompts, limit, columns, history), contexts, n, scorer
    )
    return build(job, output, fresh, quiet)


def open_judge(name: str) -> Judge:
    """The judge of that name: "reference", or a reward function, `module:attr` or `file.py:attr`, whose code is run."""
    if name == "reference":
        from ..judges.reference import ReferenceJudge

        return ReferenceJudge()
    from ..judges.function import FunctionJudge

    return FunctionJudge(load(name), name)
