"""onpolicy: n answers to each prompt, judged; the best against the worst."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..judges.human import HumanJudge
from ..jury import Jury, judges_of
from ..options.declaration import keywords, part_of, refuse_idle
from ..options.judging import JudgeModelOptions, OnpolicyOptions, PickOptions
from ..options.sampling import SamplerOptions
from ..pairers import BestWorstPairer
from ..plugins import load
from ..samplers.replay import ReplaySampler
from ..text import did_you_mean, one_line
from ..types import Judge, Prompt, Sampler, Skip
from .annotate import ask_people, people_of
from .build_result import BuildResult
from .models import contexts_of, named_by, open_sampler
from .pipeline import BuildJob, build, prepare, source_name

if TYPE_CHECKING:
    from .difficulty import HardPairs

BUILT_IN = "reference"
"""The judge whose name may come from a file: the others are code, which is run only where a user names it."""

PEOPLE = ("human", "terminal")
"""Judges who are asked on a page, or in the terminal."""
LANGUAGE_MODELS = ("llm", "pairwise", "checklist")
MODELS = ("rm", *LANGUAGE_MODELS)
"""The judges that are models: the name of the model follows behind a colon."""
_OF_SERVERS = ("judge_api_key_env", "judge_concurrency", "judge_timeout", "judge_price")
_OF_MODELS = ("rubric", "judge_base_url", *_OF_SERVERS)
"""The options that only a judge on a server uses, and those that only a language model uses."""
THINKING_TOKENS = 2048
"""Of a judge's answer: it may think before its verdict."""


@keywords(OnpolicyOptions)
def onpolicy(options: OnpolicyOptions) -> BuildResult:
    """Make on-policy pairs: n sampled answers to each prompt, judged, the best against the worst.

    `judge` is "reference" (the prompts' own references), a reward function (the function itself, or its name as
    `module:attr` or `file.py:attr`), or any object with the methods of `Judge`. It is tried on two short texts before
    a model is asked. Ties are skipped. Raises InputError as `correct` does, and OutsideError for a judge that fails.
    """
    if options.temperature <= 0:
        raise InputError("--temperature 0 gives n times the same answer", fix="use --temperature 1")
    given = options.judge or BUILT_IN
    judge = open_judges(given, options)
    pairer = open_pairer(options, judge.name)
    prompts, budget = prepare(options, options.prompts)
    contexts, source = contexts_of(options, [None]), source_name(options.prompts)
    check_judge(judge, prompts, source)
    sampler = open_sampler(options, options.quiet)
    job = BuildJob(
        "onpolicy",
        sampler,
        budget,
        pairer,
        source,
        prompts,
        contexts,
        options.n,
        judge,
        check=partial(try_judge, judge, prompts),
        confirm=open_confirm(options),
        adaptive=options.adaptive,
        drop_hard=open_hard_pairs(options.drop_hard, sampler),
        notes=partial(family_warning, judge, sampler.model),
        open_judge=judge_opener(given, replace(options, prompts="")),
    )
    if people := people_of(judge):
        ask_people(job, people, options, options.fresh)
    return build(job, options, options.fresh and not people)


def open_pairer(options: PickOptions, judge: str) -> BestWorstPairer:
    """Return the pairer that the options describe. Raises InputError for a margin that is not one."""
    number, deviations, rest = str(options.margin).strip().lower().partition("sd")
    try:
        margin = float(number)
    except ValueError:
        margin = math.nan
    if rest or not (math.isfinite(margin) and margin >= 0):
        raise InputError(f"--margin {one_line(str(options.margin))} must be 0 or more", fix="e.g. --margin 0.5, or 1sd")
    return BestWorstPairer(
        judge, margin, options.pick, options.per_prompt, options.max_length_gap, in_deviations=bool(deviations)
    )


def open_judges(given: Any, options: JudgeModelOptions) -> Judge | Jury:
    """Return the judge, or the jury of several, each with a weight: `NAME=2`."""
    opened = [_weighted(one) for one in _listed(given)]
    names = [options.confirm, *(one for one, _ in opened)]
    if not any(isinstance(one, str) and one.partition(":")[0] in LANGUAGE_MODELS for one in names):
        refuse_idle(options, _OF_MODELS, "a language model as judge", "e.g. --judge llm:MODEL, or leave it out")
    if not options.judge_base_url:
        refuse_idle(options, _OF_SERVERS, "--judge-base-url", "add --judge-base-url URL, or leave it out")
    if len(opened) < 2:
        refuse_idle(options, ["vote"], "several judges", "add another --judge, or leave it out")
    if len(opened) == 1 and opened[0][1] == 1:
        return open_judge(opened[0][0], options)
    return Jury(
        tuple(open_judge(one, options) for one, _ in opened), tuple(weight for _, weight in opened), options.vote
    )


def judge_opener(given: Any, options: JudgeModelOptions) -> Callable[[], Judge | Jury] | None:
    """Return what opens the judge in another process; None where it is an object in Python, which can't be sent."""
    return partial(open_judges, given, options) if all(isinstance(one, str) for one in _listed(given)) else None


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _weighted(judge: Any) -> tuple[Any, float]:
    """Return a judge and its weight, which may follow its name behind an equals sign."""
    name, sign, weight = judge.rpartition("=") if isinstance(judge, str) else ("", "", "")
    with suppress(ValueError):
        if sign and math.isfinite(number := float(weight)) and number > 0:
            return name, number
    return judge, 1.0


def open_judge(judge: Any, options: JudgeModelOptions | None = None) -> Judge:
    """Return the judge: one by its name, a reward function, or a `Judge`. Code that is named is run.

    Args:
        judge: `reference`, `reference:MATCH`, `replay`, `rm:MODEL`, `llm:MODEL`, `pairwise:MODEL`, `checklist:MODEL`, a
            reward of TRL's (`trl:NAME`), `module:attr`, `file.py:attr`; the toys `length` and `regex:PATTERN`; or an
            object.
        options: for language models.
    """
    from ..judges.function import FunctionJudge
    from ..judges.reference import LengthJudge, PatternJudge, ReferenceJudge

    kind, _, model = judge.partition(":") if isinstance(judge, str) else ("", "", "")
    if judge == "replay":
        return _replay_judge(options)
    if judge in PEOPLE:
        return HumanJudge(terminal=judge == "terminal")
    if kind == BUILT_IN:
        return ReferenceJudge(*filter(None, [model]))
    if kind in ("length", "regex"):
        return PatternJudge(model) if model else LengthJudge()
    if kind == "trl":
        judge = f"trl.rewards:{model}"
    if kind in MODELS and not model and not (options and options.judge_base_url):
        raise InputError(f"--judge {kind} names no model", fix=f"write {kind}:ORG/MODEL, or {kind}:FOLDER")
    if kind == "rm":
        from ..judges.reward_model import RewardModelJudge

        model, _, label = model.partition(":")
        with named_by("--judge rm:"):
            return RewardModelJudge(model, label or None)
    if kind in MODELS:
        with named_by(f"--judge {kind}:"):
            return _language_model_judge(judge, kind, model, options or JudgeModelOptions())
    built_in = (BUILT_IN, "length", "regex", *MODELS, *PEOPLE)
    if isinstance(judge, str) and ":" not in judge and (found := re.fullmatch(r"\w+=(\S*)", judge)):
        what = f"--judge {one_line(judge)}: the weight {found[1] or 'is empty, and'} must be a number above 0"
        raise InputError(what, fix="e.g. --judge reference=2")
    if isinstance(judge, str) and ":" not in judge and (meant := did_you_mean(judge, built_in)):
        raise InputError(f"no judge is called '{one_line(judge)}'", fix=meant)
    name, given = (judge, load(judge)) if isinstance(judge, str) else (None, judge)
    if isinstance(given, type) and hasattr(given, "score"):
        fix = f"give an object of it: {given.__name__}()"
        if name:
            source = name.rpartition(":")[0]
            fix = f"write the line `judge = {given.__name__}()` into {source}, and give {source}:judge"
        raise InputError(f"the judge {given.__name__} is a class", fix=fix)
    if not callable(given) and all(hasattr(given, part) for part in ("name", "settings", "score")):
        checked: Judge = given
        return checked
    return FunctionJudge(given, name)


def _replay_judge(options: Any) -> Judge:
    from ..judges.reference import ReplayJudge

    if not (replay := getattr(options, "replay", None)):
        raise InputError(
            "--judge replay reads the scores of --replay, and no file is given",
            fix="pairforge onpolicy --judge replay --replay FILE",
        )
    sampler = open_sampler(part_of(options, SamplerOptions), quiet=True)
    assert isinstance(sampler, ReplaySampler)
    if not sampler.scores:
        raise InputError(f"--judge replay: no answer in {replay} has a score or a rank", fix="name another judge")
    return ReplayJudge(sampler.scores)


def _language_model_judge(name: str, kind: str, model: str, options: JudgeModelOptions) -> Judge:
    from ..judges.language_model import ChecklistJudge, LanguageModelJudge, PairwiseJudge
    from ..judges.rubric import Rubric

    given = SamplerOptions(model=model or None, max_new_tokens=THINKING_TOKENS)
    if options.judge_base_url:
        given.base_url, given.api_key_env = options.judge_base_url, options.judge_api_key_env
        given.concurrency, given.timeout = options.judge_concurrency, options.judge_timeout
        given.price = options.judge_price
    else:
        given.chat_template_kwargs = {"enable_thinking": False}  # templates that don't know it ignore it
    sampler, rubric = open_sampler(given, quiet=True), Rubric.named(options.rubric)
    if kind == "llm":
        return LanguageModelJudge(name, sampler, rubric)
    return PairwiseJudge(name, sampler, rubric) if kind == "pairwise" else ChecklistJudge(name, sampler, rubric)


def open_confirm(options: JudgeModelOptions) -> Judge | None:
    """Return the judge that has to agree to each pair. Raises InputError for one that is no language model."""
    if options.confirm is None:
        return None
    kind, _, model = options.confirm.partition(":")
    if kind != "llm":
        what = f"--confirm {one_line(options.confirm)} is not a language model"
        raise InputError(what, fix="write --confirm llm:MODEL")
    return _language_model_judge(f"pairwise:{model}", "pairwise", model, options)


def open_hard_pairs(share: float, sampler: Sampler, model: str | None = None) -> HardPairs | None:
    """Return what leaves out hard pairs, by the model of a sampler, or by another one. Raises as `open_sampler`."""
    if not share:
        return None
    from ..samplers.transformers import LocalModel
    from .difficulty import HardPairs

    local: LocalModel | None = None if model else getattr(sampler, "local", None)
    if local is None:
        local = LocalModel(name=model or sampler.model, revision=None if model else sampler.revision)
        local.check()
    return HardPairs(share, local)


def family_warning(judge: Judge | Jury, model: str) -> Iterator[str]:
    """Yield a warning where a judge's model is named as one of the family of the model that it judges."""
    own = family(model)
    for one in judges_of(judge):
        kind, _, name = one.name.partition(":")
        if kind in MODELS and own and family(name) == own:
            yield f"{one.name} and {model} are of one family ({own}): judges prefer the answers of their own family"


def family(model: str) -> str:
    """Return the letters that the name of a model begins with: qwen for Qwen/Qwen2.5-7B-Instruct."""
    found = re.match(r"[a-z]+", Path(model).name.lower())
    return found[0] if found else ""


def check_judge(judge: Judge | Jury, prompts: Iterable[Prompt | Skip], source: str) -> None:
    """Raise InputError where a judge needs references and no prompt has one, or can't be called for the prompts."""
    from ..judges.function import FunctionJudge
    from ..judges.reference import ReferenceJudge

    def asked() -> Iterator[Prompt]:
        return (prompt for prompt in prompts if isinstance(prompt, Prompt))

    first = next(asked(), None)
    for one in judges_of(judge) if first else ():
        if isinstance(one, FunctionJudge) and first:
            one.check_call(first)
        if not isinstance(one, ReferenceJudge) or any(map(one.references, asked())):
            continue
        columns = list(dict.fromkeys(name for prompt in asked() for name in prompt.columns))
        found = f"it has only {one_line(', '.join(columns))}" if columns else "it has none"
        example = next((name for name in ("answer", "solution", "target", "label") if name in columns), "COLUMN")
        raise InputError(
            f"{source}: --judge reference needs a column `reference`; {found}",
            fix=f"--columns reference={example}, or judge by a function: --judge FILE.py:FUNCTION",
        )


def try_judge(judge: Judge | Jury, prompts: Iterable[Prompt | Skip]) -> None:
    """Call reward functions for the first prompt and two short texts. Raises InputError or OutsideError."""
    from ..judges.function import FunctionJudge

    first = next((prompt for prompt in prompts if isinstance(prompt, Prompt)), None)
    for one in judges_of(judge):
        if first and isinstance(one, FunctionJudge):
            one.try_on(first)
