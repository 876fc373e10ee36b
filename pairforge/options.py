"""The options of every command, each declared once: a dataclass field with its default and its help.

A function of the api takes these fields as its keyword arguments (`keywords`), the command line makes its options from
them (`cli/commands.py`), and `docs/options.md` lists them. Options that several commands share are in a class of their
own; its `heading` is what `--help` puts above them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, ParamSpec, TypeAlias, TypeVar, get_args

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # Python 3.10 lacks it

    def dataclass_transform(**_):
        return lambda function: function


P = ParamSpec("P")
O = TypeVar("O")  # noqa: E741
R = TypeVar("R")

About: TypeAlias = Literal["self", "any"]
Case: TypeAlias = Literal["exact", "smart"]
FailOn: TypeAlias = Literal["watch", "high", "critical"]
History: TypeAlias = Literal["last", "full"]
Match: TypeAlias = Literal["literal", "regex"]
Pick: TypeAlias = Literal["all-pairs", "best-worst", "adjacent"]
Thinking: TypeAlias = Literal["keep", "strip", "edit"]
PromptColumns: TypeAlias = "str | Sequence[str] | Mapping[str, str]"
"""The column of each part of a prompt or a pair: `{"prompt": "my_question"}`, or texts `prompt=my_question`."""
PairColumns: TypeAlias = PromptColumns
PairData: TypeAlias = "str | PathLike[str] | Iterable[Mapping[str, Any]] | None"
"""A run or its folder, a file, a folder of files, `org/name` on the Hub, `-` for stdin, rows; None: the latest run."""


def option(help: str, *, default: Any = MISSING, kw_only: bool = True, **more: Any) -> Any:
    """Declare an option: a dataclass field with its default and what `--help` says.

    Args:
        help: One or two sentences.
        default: The value where the option is not given; without it, the option is required.
        kw_only: False for one that Python also takes without its name.
        more: `flags` (as click takes them, else `--name`), `type` where the default does not tell it, `metavar`,
            `choices`, `at_least`, `at_most` and `above` for numbers, `argument` for one without a dash (`nargs` as
            click takes it), and `shown`, the default in words. An option whose default is () may be given repeatedly.
    """
    return field(default=default, kw_only=kw_only, metadata={"help": help, **more})


@dataclass_transform(kw_only_default=True, field_specifiers=(option,))
def options(kind: type[R]) -> type[R]:
    """Make a class of options a dataclass."""
    return dataclass(kind)


def keywords(options: Callable[P, O]) -> Callable[[Callable[[O], R]], Callable[P, R]]:
    """Make a function that takes an options object one that takes the fields of the object as keyword arguments."""

    def decorate(function: Callable[[O], R]) -> Callable[P, R]:
        signature = inspect.signature(options)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{function.__name__}(): {error}") from None
            return function(options(*args, **kwargs))

        call.__signature__ = signature  # type: ignore[attr-defined]
        lines = [f"    {one.name}: {one.metadata['help']}" for one in fields(options)]  # type: ignore[arg-type]
        call.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *lines])
        return call

    return decorate


def part_of(options: Any, group: type[O], **changes: Any) -> O:
    """Return the fields of `options` that are also of `group`, as an object of that class, with some changed."""
    names = {one.name for one in fields(group)}  # type: ignore[arg-type]
    given = {one.name: getattr(options, one.name) for one in fields(options) if one.name in names}
    return group(**{**given, **changes})


def grouped(options: type) -> dict[str, list[Field[Any]]]:
    """Return the fields of an options class by heading, in the order in which `--help` lists them."""
    known = {one.name: one for one in fields(options)}
    found: dict[str, list[Field[Any]]] = {}
    for kind in options.__mro__:
        for name in vars(kind).get("__annotations__", ()):
            if one := known.pop(name, None):
                found.setdefault(kind.heading, []).append(one)  # type: ignore[attr-defined]
    output = found.pop("Output")
    return {**found, "Output": output}


@options
class OutputOptions:
    heading: ClassVar = "Output"
    output: str | None = option(
        "Folder that holds the runs.",
        default=None,
        flags=("-o", "--output"),
        metavar="DIR",
        shown="$PAIRFORGE_OUT, or pairforge-out/",
    )
    quiet: bool = option("Print no progress and no notes.", default=False, flags=("-q", "--quiet"))


@options
class BudgetOptions:
    """Limits of what a run may cost in this process; None: no limit."""

    heading: ClassVar = "Budget"
    max_minutes: float | None = option(
        "Stop after this many minutes, and keep what was made (exit 3).", default=None, type=float
    )
    max_tokens: int | None = option("Stop after this many generated tokens in total (exit 3).", default=None, type=int)
    max_failures: int | None = option(
        "Stop when more than this many answers have failed (exit 3).", default=None, type=int
    )


@options
class DecodingOptions:
    heading: ClassVar = "Decoding"
    max_new_tokens: int = option("Cut an answer after this many tokens.", default=256)
    top_p: float = option(
        "Nucleus sampling: from the likeliest tokens with this total probability; 1: from all.", default=1.0
    )
    top_k: int = option("Sample from this many of the likeliest tokens; 0: from all.", default=0)
    min_p: float = option("Leave out tokens below this share of the likeliest one's probability.", default=0.0)
    stop: str | Sequence[str] = option("Text that ends an answer.", default=(), metavar="TEXT")
    seed: int = option("Random seed of the samples.", default=0)


@options
class ServerOptions:
    heading: ClassVar = "Server"
    base_url: str | Sequence[str] = option(
        "Ask this OpenAI-compatible server (one of several replicas).", default=(), metavar="URL"
    )
    provider: str | None = option("Ask a Hugging Face inference provider.", default=None, metavar="NAME")
    api_key_env: str | None = option(
        "Environment variable that holds the server's key.", default=None, metavar="VARIABLE"
    )
    concurrency: int = option("Send at most N requests at once.", default=32, metavar="N")
    timeout: float = option("Deadline of one request.", default=120.0, metavar="SECONDS")
    replay: str | None = option(
        "Take the answers from a run, or from what `sample` wrote.", default=None, metavar="RUN|FILE"
    )


@options
class LocalModelOptions:
    heading: ClassVar = "Model"
    revision: str | None = option("Branch, tag or commit of a Hub model.", default=None)
    adapter: str | None = option("LoRA adapter on top of the model: a folder or Hub id.", default=None, metavar="DIR")
    chat_template: str | None = option("Jinja file to use in place of the model's own.", default=None, metavar="FILE")
    chat_template_kwargs: str | Mapping[str, Any] | None = option(
        "Arguments of the chat template, e.g. enable_thinking=false.", default=None, metavar="JSON"
    )
    dtype: str = option("bfloat16, float16 or float32; auto: by hardware.", default="auto")
    device: str = option("cpu, cuda or mps; auto: by hardware.", default="auto")
    batch_size: int | None = option(
        "Answers generated in one batch.", default=None, type=int, at_least=1, shown="by memory"
    )
    allow_pickle: bool = option("Load a model that has only pickled weights, which can run code.", default=False)


@options
class TemperatureOption:
    heading: ClassVar = "Decoding"
    temperature: float = option("Sampling temperature; 0: greedy.", default=0.0)


@options
class SourceOptions(LocalModelOptions, DecodingOptions, ServerOptions):
    """The options of every command that asks models."""


@options
class SamplerOptions(TemperatureOption, SourceOptions):
    heading: ClassVar = "Model"
    model: str = option("Hub id, folder, or the bundled pocket model.", default="pocket", flags=("-m", "--model"))


@options
class ContextOptions:
    heading: ClassVar = "Prompts"
    system: str | Sequence[str] = option("Ask under this system message.", default=(), metavar="TEXT")
    no_system: bool = option("Ask with no system message.", default=False)


@options
class PromptOptions(ContextOptions):
    heading: ClassVar = "Prompts"
    limit: int | None = option("Use the first N prompts.", default=None, type=int, metavar="N", at_least=1)
    columns: PromptColumns = option(
        "Column that holds a part of the prompt, e.g. prompt=my_column.", default=(), metavar="NAME=COLUMN"
    )
    history: History = option(
        "Ask the last user turn of a conversation, or all turns up to it.", default="last", choices=get_args(History)
    )


@options
class FreshOption:
    heading: ClassVar = "Output"
    fresh: bool = option("Set the stored answers aside, and ask everything again.", default=False)


@options
class BuildOptions(PromptOptions, SamplerOptions, BudgetOptions, FreshOption, OutputOptions):
    """The options of every command that makes pairs."""


@options
class NameOptions:
    heading: ClassVar = "Names"
    from_: str | Sequence[str] = option(
        "Name to replace.", default=(), flags=("--from",), metavar="NAME", kw_only=False
    )
    to: str | Sequence[str] = option("New name, one for each --from.", default=(), metavar="NAME", kw_only=False)
    rules: str | Path | Mapping[str, str] | None = option(
        "File of names and new names: JSON, CSV, TSV, or lines of the form old -> new.", default=None, metavar="FILE"
    )
    case: Case = option(
        "smart: also find the name in capitals and in lower case, and give the new name that case.",
        default="exact",
        choices=get_args(Case),
    )
    match: Match = option(
        "literal: --from is a name. regex: it is a regular expression.", default="literal", choices=get_args(Match)
    )
    fold_width: bool = option("Treat full-width forms as the same name.", default=False)
    article: bool = option("Correct the English article (a or an) before a new name.", default=False)
    inside: str | Sequence[str] = option(
        "Replace the name also inside: url, path, code, or another kind of docs/rename.md.", default=(), metavar="KIND"
    )
    about: About = option(
        "self: correct only what the model says of itself. any: also what it says of others.",
        default="self",
        choices=get_args(About),
    )
    thinking: Thinking = option(
        "<think> blocks: keep them as they are, strip them from both sides, or edit them too.",
        default="keep",
        choices=get_args(Thinking),
    )


@options
class RevisionOptions:
    heading: ClassVar = "Revision by a model"
    revise: str | None = option("Have a model rewrite the answers by this instruction.", default=None, metavar="TEXT")
    revise_model: str | None = option(
        "Model that rewrites.", default=None, metavar="MODEL", shown="the one that is asked"
    )
    revise_base_url: str | None = option("OpenAI-compatible server of that model.", default=None, metavar="URL")
    revise_api_key_env: str | None = option(
        "Environment variable that holds the key of that server.", default=None, metavar="VARIABLE"
    )
    max_edit: float = option("Share of an answer that a revision may change.", default=0.3, above=0, at_most=1)


def _prompts(default: str) -> Any:
    return option("File of prompts, or a bundled set.", default=default, flags=("-p", "--prompts"), metavar="FILE|SET")


@options
class IdentityPromptOptions(PromptOptions):
    heading: ClassVar = "Prompts"
    prompts: str = _prompts("identity.train")


@options
class ExtraPairOptions:
    heading: ClassVar = "Added pairs"
    counter: float = option(
        "Add this many counter-pairs for each pair: pairs in which the new name is the wrong answer.",
        default=0.0,
        metavar="FRACTION",
        at_least=0,
        at_most=1,
    )
    retain: float = option(
        "Add this many on-policy pairs for each pair, on general questions.",
        default=0.0,
        metavar="FRACTION",
        at_least=0,
        at_most=1,
    )


@options
class CorrectOptions(NameOptions, IdentityPromptOptions, ExtraPairOptions, RevisionOptions, BuildOptions):
    """Make pairs by replacing a name in the model's answers.

    `rejected` is the model's own answer, `chosen` is the same answer with the name replaced.
    """


@options
class OnpolicyOptions(BuildOptions):
    """Make pairs of the best and the worst of n sampled answers.

    A judge scores the answers to each prompt: `chosen` is the best one, `rejected` is the worst one.
    """

    heading: ClassVar = "Pairs"
    prompts: str = _prompts("general.train")
    n: int = option("Answers to each prompt.", default=4)
    judge: str = option("reference, or a reward function: module:attr, file.py:attr.", default="reference")
    margin: float = option("Skip a prompt whose best and worst scores are not further apart than this.", default=0.0)
    temperature: float = option("Sampling temperature.", default=1.0)


@options
class SampleOptions(PromptOptions, SamplerOptions, BudgetOptions, OutputOptions):
    """Only sample answers, without making pairs.

    Writes JSON Lines to stdout, which --replay reads.
    """

    heading: ClassVar = "Answers"
    prompts: str | Path | Iterable[Any] = option(
        "File of prompts, or a bundled set.",
        default="identity.eval",
        flags=("-p", "--prompts"),
        metavar="FILE|SET",
        kw_only=False,
    )
    n: int = option("Answers to each prompt.", default=1)


@options
class AskOptions(TemperatureOption, SourceOptions, OutputOptions):
    """Ask models the same questions, side by side."""

    heading: ClassVar = "Questions"
    questions: str | Sequence[str] = option("Questions.", default=(), argument=True, nargs=-1, kw_only=False)
    model: str | Sequence[str] = option(
        "Hub id or folder.", default=(), flags=("-m", "--model"), shown="the latest run's, and its tuned one"
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
        shown="the one tuned on the latest run",
        kw_only=False,
    )
    base: str | None = option("The model before training, to compare with.", default=None)
    run: str | None = option(
        "Run that names and contexts are taken from.",
        default=None,
        metavar="DIR",
        shown="the run the model was trained on, or the latest",
    )
    from_: str | Sequence[str] | None = option(
        "Old name.", default=None, flags=("--from",), metavar="NAME", shown="the run's"
    )
    to: str | Sequence[str] | None = option("New name.", default=None, metavar="NAME", shown="the run's")
    system: str | Sequence[str] = option(
        "Ask under this system message.", default=(), metavar="TEXT", shown="the run's contexts"
    )
    judge: str | None = option(
        "Judge that compares sampled answers with the base model's: reference, module:attr.",
        default=None,
        metavar="NAME",
        shown="the run's",
    )
    thresholds: str | Sequence[str] = option(
        "Replace a default threshold, e.g. 'new_name/* at least 98%'.",
        default=(),
        flags=("--threshold",),
        metavar="TEXT",
    )
    greedy: bool = option("Ask greedily only, not at temperature 1 as well.", default=False)
    limit: int | None = option("Ask at most N questions of each kind.", default=None, type=int, metavar="N", at_least=1)


_PAIRS = (
    "Pairs: a run or its folder, a file, a folder of files, a data set on the Hub, - for stdin, or rows (in Python); "
    "by default those of the latest run."
)


@options
class DataArgument(OutputOptions):
    heading: ClassVar = "Pairs"
    data: PairData = option(_PAIRS, default=None, argument=True, metavar="[RUN|FILE]", kw_only=False)
    columns: PairColumns = option(
        "Columns of the pair that have other names than usual, e.g. prompt=question chosen=good rejected=bad.",
        default=(),
        metavar="PART=COLUMN",
    )


@options
class TokenizerOptions:
    heading: ClassVar = "Model"
    model: str | None = option(
        "Check what training on this model will see: Hub id, folder, or pocket.", default=None, flags=("-m", "--model")
    )
    revision: str | None = option("Branch, tag or commit of a Hub model.", default=None)
    max_length: int = option("Tokens that training keeps of each side, prompt included.", default=1024, at_least=1)


@options
class AuditOptions:
    heading: ClassVar = "Audit"
    expect: str | Sequence[str] = option(
        "Term that is meant to differ; a correction run names its own.",
        default=(),
        flags=("--expect", "--term"),
        metavar="TERM",
    )
    fail_on: FailOn = option("Exit with 1 for this verdict or a worse one.", default="high", choices=get_args(FailOn))
    max_prompts: int = option(
        "Look for features in a sample of N prompts, and count those found in all rows.",
        default=20_000,
        metavar="N",
        at_least=1,
    )
    seed: int = option("Seed of that sample.", default=0)
    jobs: int = option("Processes that count.", default=1, metavar="N", at_least=1)


_OVERWRITE = "Replace OUT if it exists."


@options
class ValidateOptions(DataArgument, TokenizerOptions):
    """Check pairs for errors.

    Among the checks (docs/checks.md has them all) are the shape of the rows, the same context on both sides, empty or
    equal answers, duplicates, and leaks from an evaluation set.
    """

    heading: ClassVar = "Checks"
    select: str | Sequence[str] = option(
        "Run only these checks, by code or prefix (PF1). Shortcuts (PF3) and secrets (PF5) run only if selected.",
        default=(),
        metavar="CODE",
    )
    ignore: str | Sequence[str] = option("Leave out these checks.", default=(), metavar="CODE")
    strict: bool = option("Exit with 1 on warnings, too.", default=False)
    explain: str | None = option("Explain a check, and exit.", default=None, metavar="CODE")
    against: PairData = option(
        "Pairs or prompts that must not be trained on, e.g. an evaluation set.", default=None, metavar="FILE"
    )
    fix: str | PathLike[str] | None = option(
        "Write the pairs to a new file, with everything that can be fixed automatically.", default=None, metavar="OUT"
    )
    max_row_bytes: int = option("Report longer rows as errors.", default=2**24, at_least=1)
    jobs: int = option("Number of processes; 0: one for each core.", default=1, metavar="N", at_least=0)
    format: str = option("Format of the report.", default="table", choices=("table", "github"))


@options
class ShortcutsOptions(DataArgument, AuditOptions):
    """Find what DPO could learn instead of the preference.

    These are words, lengths and features of style that occur mostly on one side.
    """

    heading: ClassVar = "Features"
    fdr: float = option("False discovery rate.", default=0.05, at_least=0, at_most=1)
    whole: bool = option("Look for features in all rows.", default=False, flags=("--all",))
    tokenizer: str | None = option(
        "Look at this model's tokens instead of words: Hub id, folder, or pocket.", default=None, metavar="MODEL"
    )
    model: str | None = option(
        "Say how hard the pairs are for DPO on this model: Hub id, folder, or pocket.",
        default=None,
        flags=("-m", "--model"),
    )
    svg: str | None = option("Write a plot of the features (needs matplotlib).", default=None, metavar="FILE")
    easiness: str | None = option(
        "Write how easily each pair is classified, in bits, as JSON Lines.", default=None, metavar="FILE"
    )


@options
class BalanceOptions(DataArgument, AuditOptions):
    """Reduce the shortcuts that `shortcuts` finds.

    Writes OUT.jsonl, or only shows the result where no OUT is named. IN stays as it is.
    """

    heading: ClassVar = "Remedies"
    data: PairData = option(_PAIRS, argument=True, metavar="IN", kw_only=False)
    out: str | PathLike[str] | None = option(
        "File of JSON Lines to write; without it, the result is only shown.",
        default=None,
        argument=True,
        metavar="[OUT]",
        kw_only=False,
    )
    select: str | Sequence[str] = option("Use only this remedy: see docs/balance.md.", default=(), metavar="REMEDY")
    ignore: str | Sequence[str] = option("Leave out this remedy.", default=(), metavar="REMEDY")
    subsample: bool = option(
        "Drop pairs, at most a fifth, until the features found are equally frequent on both sides.", default=False
    )
    overwrite: bool = option(_OVERWRITE, default=False)


@options
class ShowOptions(DataArgument, TokenizerOptions):
    """Show pairs as a word diff, or one pair in tokens."""

    heading: ClassVar = "Pairs"
    pair: str | None = option(
        "Id of one pair, or its row number from 0.", default=None, argument=True, metavar="[ID|ROW]", kw_only=False
    )
    limit: int = option("Number of pairs.", default=10, metavar="N", at_least=1)
    tokens: bool = option("Show one pair as the trainer sees it: context, completion, mask, and cut.", default=False)


@options
class ConvertOptions(DataArgument):
    """Write pairs in the shape that a trainer reads.

    Reads any known shape, and writes OUT: .jsonl, .json, .parquet or .csv.
    """

    heading: ClassVar = "Pairs"
    data: PairData = option(_PAIRS, argument=True, metavar="IN", kw_only=False)
    out: str | PathLike[str] = option(
        "File to write: .jsonl, .json, .parquet or .csv.", argument=True, metavar="OUT", kw_only=False
    )
    to: str = option(
        "trl, trl-explicit, llamafactory, ms-swift, axolotl, openrlhf, sharegpt or kto.", default="trl", metavar="SHAPE"
    )
    pick: Pick = option(
        "Of several ranked or scored answers, pair each with each worse one, the best with the worst, "
        "or each with the next worse.",
        default="all-pairs",
        choices=get_args(Pick),
    )
    overwrite: bool = option(_OVERWRITE, default=False)


@options
class PushOptions(DataArgument):
    """Build and preview the data set, and upload it.

    A Parquet file and a card; they are uploaded when --repo is given.
    """

    heading: ClassVar = "Upload"
    repo: str | None = option("Dataset repository on the Hub.", default=None, metavar="USER/NAME")
    license: str | None = option("Licence of the data, e.g. apache-2.0.", default=None, metavar="ID")
    private: bool = option("Make a new dataset private.", default=True, flags=("--private/--public",))
    yes: bool = option("Replace files in the repository that pairforge did not make.", default=False)
    allow_pocket: bool = option("Publish pairs of the bundled pocket model.", default=False)
    dry_run: bool = option("Build and preview only.", default=False)


@options
class ListRunsOptions(OutputOptions):
    """List all runs, the latest first.

    For a stopped run, it shows the command that resumes it.
    """


@options
class ShowRunOptions(OutputOptions):
    """Show the settings and counts of a run, by default of the latest."""

    heading: ClassVar = "Output"
    run: str | None = option(
        "Name or folder of a run; by default the latest.", default=None, argument=True, metavar="[RUN]", kw_only=False
    )


@options
class RemoveRunsOptions(OutputOptions):
    """Remove runs, with the models trained in them."""

    heading: ClassVar = "Runs"
    runs: str | Sequence[str] = option(
        "Names or folders of runs.", argument=True, metavar="RUN...", nargs=-1, kw_only=False
    )
    answers: bool = option("Remove also the stored answers that no other run uses.", default=False)
    yes: bool = option("Remove them; without it, only say what would be removed.", default=False)
