"""The options of the commands that ask models: sample, ask and evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, ClassVar

from .common import BudgetOptions, ContextOptions, OutputOptions, PromptOptions, PromptSource, prompts_option
from .declaration import option, options
from .sampling import SamplerOptions, SourceOptions, TemperatureOption


@options
class SampleOptions(PromptOptions, SamplerOptions, BudgetOptions, OutputOptions):
    """Only sample answers, without making pairs.

    Writes JSON Lines to stdout, which --replay reads.
    """

    heading: ClassVar = "Answers"
    prompts: PromptSource = prompts_option("identity.eval", kw_only=False)
    n: int = option("The model gives this many answers to each prompt.", default=1, at_least=1, at_most=10000)


@options
class AskOptions(TemperatureOption, SourceOptions, OutputOptions):
    """Ask models the same questions, side by side.

    Without a question, it asks: What is your name? Are you ChatGPT? Tell me about your name and organization.
    """

    heading: ClassVar = "Questions"
    questions: str | Sequence[str] = option(
        "Questions; by default three about the model's name.", default=(), argument=True, nargs=-1, kw_only=False
    )
    model: str | Sequence[str] = option(
        "Model to ask: Hub id, folder, or pocket.",
        default=(),
        flags=("-m", "--model"),
        shown="the latest run's, and the one trained last on it; without a run, pocket",
    )
    system: str | None = option("System message.", default=None, metavar="TEXT")


@options
class EvaluateOptions(ContextOptions, SourceOptions, OutputOptions):
    """Measure whether a model has learned its new name.

    It counts how often the model gives its new name, its old one or neither; how many general questions it answers
    correctly; how often the new name leaks into other answers; whether questions about others (controls) and system
    messages that name another assistant (obedience) are answered as before; and repetition. With a judge, it also
    counts how often the model's answer scores higher than its base model's.
    """

    heading: ClassVar = "Evaluation"
    model: str | None = option(
        "Model to measure.",
        default=None,
        flags=("-m", "--model"),
        shown="the one trained last on the latest run",
        kw_only=False,
    )
    base: str | None = option(
        "The model before training, to compare with.", default=None, shown="the one that the model was trained from"
    )
    run: str | None = option(
        "Run that names and contexts are taken from.",
        default=None,
        metavar="RUN",
        shown="the one that the model was trained on",
    )
    from_: str | Sequence[str] = option("Old name.", default=(), flags=("--from",), metavar="NAME", shown="the run's")
    to: str | Sequence[str] = option("New name, one for each --from.", default=(), metavar="NAME", shown="the run's")
    system: str | Sequence[str] = option(
        "Ask under this system message.", default=(), metavar="TEXT", shown="the run's contexts"
    )
    lang: str | Sequence[str] = option(
        "Ask only questions in this language, en or zh.", default=(), metavar="LANG", shown="as before, else both"
    )
    judge: Any = option(
        "Judge that compares sampled answers with the base model's: reference, module:attr, file.py:attr.",
        default=None,
        metavar="NAME",
        shown="the run's, if it is reference",
    )
    thresholds: str | Sequence[str] = option(
        "Replace a default threshold, e.g. 'new_name/* at least 98%'.",
        default=(),
        flags=("--threshold",),
        metavar="TEXT",
    )
    suite: str | Sequence[str] = option("Measure by this task of lm-eval, too, e.g. gsm8k.", default=(), metavar="NAME")
    greedy: bool = option("Ask greedily only, not at temperature 1 as well.", default=False)
    limit: int | None = option(
        "Ask at most N questions of each kind; fewer than 100 give no PASS or FAIL.",
        default=None,
        type=int,
        metavar="N",
        at_least=1,
    )
    failures: str | PathLike[str] | None = option(
        "Write all answers that count against a metric, whether it fails or not, as JSON Lines.",
        default=None,
        metavar="FILE",
        shown="those of failed metrics, to failures.jsonl in --output",
    )
