"""The options of the commands that pick pairs among judged answers."""

from __future__ import annotations

from os import PathLike
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from .common import BudgetOptions, BuildOptions, ExecutorOptions, PairData, PromptSource, RunOptions, prompts_option
from .declaration import option, options
from .viewing import AnnotationOptions

ScorePick: TypeAlias = Literal["best-worst", "sigma", "best-random", "best-second", "matched", "all-pairs", "confident"]


@options
class PickOptions:
    heading: ClassVar = "Pairs"
    pick: ScorePick = option(
        "Which worse answer is rejected, while chosen is the best one: best-worst (the worst), sigma (two standard "
        "deviations below the mean), best-random, best-second, matched (the nearest in length); all-pairs; or "
        "confident (of several judges, the two on which most of them agree).",
        default="best-worst",
        choices=get_args(ScorePick),
        metavar="PICK",
    )
    margin: float | str = option(
        "The scores of the two must be more than this apart, else there is no pair; 1sd: more than one standard "
        "deviation of all scores.",
        default="0",
        flags=("--margin", "--min-margin"),
        metavar="X|Xsd",
    )
    max_length_gap: int | None = option(
        "The two answers may differ by so many tokens in length.", default=None, type=int, metavar="TOKENS", at_least=0
    )
    per_prompt: int = option("Make at most K pairs of a prompt.", default=1, metavar="K", at_least=1)
    drop_hard: float = option(
        "Leave out this share of the pairs, those in which learning would most lower the probability of the chosen "
        "answer, too: the highest CHES.",
        default=0.0,
        metavar="SHARE",
        at_least=0,
        at_most=1,
    )


_JUDGE = (
    "Score answers by the prompts' own references (reference), your reward function (FILE.py:FUNCTION or "
    "MODULE:FUNCTION; in Python also the function itself), a reward model (rm:MODEL), or a language model that rates "
    "each answer (llm:MODEL), compares every two (pairwise:MODEL) or goes by a checklist (checklist:MODEL), or the "
    "scores or ranks in the file of --replay (replay), or let people judge on a page (human) or in the terminal "
    "(terminal). Several make a jury; NAME=2 counts twice."
)


@options
class JudgeModelOptions:
    heading: ClassVar = "Judge"
    judge_base_url: str | None = option(
        "The OpenAI-compatible server of the judge's model.", default=None, metavar="URL"
    )
    judge_api_key_env: str | None = option(
        "This environment variable holds the key of that server.", default=None, metavar="VARIABLE"
    )
    judge_concurrency: int = option("At most N requests are sent to it at once.", default=32, metavar="N", at_least=1)
    judge_timeout: float = option(
        "A request to it is given up after this many seconds.", default=120.0, metavar="SECONDS", above=0
    )
    judge_price: str | None = option(
        "What a million tokens of the judge's model cost, as --price.", default=None, metavar="IN/OUT"
    )
    rubric: str = option(
        "What a language model judges by: helpfulness, correctness, identity (each also with _zh, in Chinese), or a "
        "file of your own.",
        default="helpfulness",
        metavar="NAME|FILE",
    )
    vote: bool = option(
        "A jury votes: a judge gives an answer the share of the others that it finds worse. Else the mean of the "
        "judges' standardised scores counts.",
        default=False,
    )
    confirm: str | None = option(
        "This language model (llm:MODEL) compares the two answers of each pair in both orders; where it does not find "
        "the best one better in both, there is no pair.",
        default=None,
        metavar="llm:MODEL",
    )


@options
class OnpolicyOptions(PickOptions, JudgeModelOptions, AnnotationOptions, BuildOptions):
    """Make pairs of the best and the worst of n sampled answers.

    A judge scores the answers to each prompt: `chosen` is the best one, `rejected` is the worst one.
    """

    heading: ClassVar = "Pairs"
    prompts: PromptSource = prompts_option("general.train")
    n: int = option(
        "The model gives this many answers to each prompt, of which the best and the worst are taken.",
        default=4,
        at_least=2,
        at_most=1000,  # all are listed before the first one is asked for
    )
    adaptive: bool = option(
        "Ask for two answers first, and for more, up to --n, only where these make no pair.", default=False
    )
    judge: Any = option(_JUDGE, default=(), metavar="NAME", shown="reference")
    temperature: float = option("The sampling temperature.", default=1.0)


@options
class StoredAnswersOptions(PickOptions, RunOptions):
    heading: ClassVar = "Pairs"
    run: str | PathLike[str] | None = option(
        "Run of `onpolicy`, by default the latest.", default=None, argument=True, metavar="[RUN]", kw_only=False
    )
    model: str | None = option(
        "The model by which --drop-hard measures.", default=None, flags=("-m", "--model"), shown="the run's"
    )


@options
class JudgeOptions(StoredAnswersOptions, JudgeModelOptions, AnnotationOptions, ExecutorOptions, BudgetOptions):
    """Score the answers of a run by another judge.

    No answers are sampled: it makes the run that `onpolicy` with this judge would have made. With --gold or --probe it
    makes no pairs, and says what the judge is worth.
    """

    heading: ClassVar = "Examination"
    gold: PairData = option(
        "Compare the judge with the labels of these pairs: how often does it score the chosen answer higher?",
        default=None,
        metavar="RUN|FILE",
    )
    verdicts: str | PathLike[str] | None = option(
        "With --gold: write the judge's scores, a line for each pair, to this file (.jsonl).",
        default=None,
        metavar="FILE",
    )
    probe: int | None = option(
        "Change the first answers to N prompts so that they get no better (filler, flattery, ...), and see how often "
        "the judge scores them higher.",
        default=None,
        type=int,
        metavar="N",
        at_least=1,
    )
    judge: Any = option(_JUDGE, default=(), metavar="NAME")
    import_verdicts: str | PathLike[str] | None = option(
        "Take the verdicts of people that are in this file, and make the pairs: no page is opened.",
        default=None,
        flags=("--import",),
        metavar="FILE",
    )
    export_verdicts: str | PathLike[str] | None = option(
        "Write the verdicts of people to this file (.jsonl), and make no pairs.",
        default=None,
        flags=("--export",),
        metavar="FILE",
    )


@options
class SelectOptions(StoredAnswersOptions):
    """Pick other pairs of the answers of a run.

    The scores of the run are used: no model and no judge is asked.
    """
