"""The options of every command, each declared once: a dataclass field with its default and its help.

A function of the api takes these fields as its keyword arguments (`keywords`), the command line makes its options from
them (`cli/commands.py`), and `docs/options.md` lists them; `option_declaration.py` has what a declaration is. Options
that several commands share are in a class of their own; its `heading` is what `--help` puts above them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from .model_options import (
    DecodingOptions,
    LocalModelOptions,
    SamplerOptions,
    ServerOptions,
    SourceOptions,
    TemperatureOption,
)
from .option_declaration import flag_of, flags_of, grouped, keywords, option, options, part_of

__all__ = [
    "DecodingOptions",
    "LocalModelOptions",
    "SamplerOptions",
    "ServerOptions",
    "SourceOptions",
    "TemperatureOption",
    "flag_of",
    "flags_of",
    "grouped",
    "keywords",
    "option",
    "options",
    "part_of",
]  # besides the classes
About: TypeAlias = Literal["self", "any"]
Case: TypeAlias = Literal["exact", "smart"]
FailOn: TypeAlias = Literal["watch", "high", "critical"]
History: TypeAlias = Literal["last", "full"]
Match: TypeAlias = Literal["literal", "regex"]
Pick: TypeAlias = Literal["all-pairs", "best-worst", "adjacent"]
Thinking: TypeAlias = Literal["keep", "strip", "edit"]
PairOrder: TypeAlias = Literal["file", "margin", "length", "easiness", "random"]
PromptColumns: TypeAlias = "str | Sequence[str] | Mapping[str, str]"
"""The column of each part of a prompt or a pair: `{"prompt": "my_question"}`, or texts `prompt=my_question`."""
PairColumns: TypeAlias = PromptColumns
PairData: TypeAlias = "str | PathLike[str] | Iterable[Mapping[str, Any]] | None"
"""A run or its folder, a file, a folder of files, `org/name` on the Hub, `-` for stdin; rows: a list, a DataFrame, a
Dataset, or what `correct` returns; None: the latest run."""
PromptSource: TypeAlias = "str | PathLike[str] | Iterable[Any]"
"""A file, a folder, `org/name` on the Hub, `-` for stdin, a bundled set; or texts, message lists, rows, a DataFrame."""


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
    quiet: bool = option(
        "Print no progress and no notes. The command then prints only the path of what it wrote, or the last line of "
        "its report.",
        default=False,
        flags=("-q", "--quiet"),
    )


@options
class BudgetOptions:
    """Limits of what a run may cost in this process; None: no limit."""

    heading: ClassVar = "Budget"
    max_minutes: float | None = option(
        "The run stops after this many minutes and keeps what was made (exit 3).", default=None, type=float
    )
    max_tokens: int | None = option(
        "The run stops after this many generated tokens in total (exit 3).", default=None, type=int
    )
    max_failures: int | None = option(
        "The run stops when more than this many answers have failed (exit 3).", default=None, type=int
    )


@options
class ContextOptions:
    heading: ClassVar = "Prompts"
    system: str | Sequence[str] = option("Ask each prompt under this system message.", default=(), metavar="TEXT")
    no_system: bool = option("Ask each prompt without a system message; with --system, in both ways.", default=False)


@options
class PromptOptions(ContextOptions):
    heading: ClassVar = "Prompts"
    limit: int | None = option("Use only the first N prompts.", default=None, type=int, metavar="N", at_least=1)
    columns: PromptColumns = option(
        "The column that holds a part of the prompt, e.g. prompt=my_column, reference=my_answer.",
        default=(),
        metavar="NAME=COLUMN",
    )
    history: History = option(
        "Of a conversation, ask the last user turn alone, or all turns up to it (full).",
        default="last",
        choices=get_args(History),
    )


@options
class FreshOption:
    heading: ClassVar = "Output"
    fresh: bool = option(
        "Ask everything again, e.g. after the server's model has changed; the stored answers are renamed, not removed.",
        default=False,
    )


@options
class RunNameOption:
    heading: ClassVar = "Output"
    name: str | None = option(
        "Name by which every command finds this run; its pairs do not depend on it.", default=None, metavar="NAME"
    )


@options
class RunOptions(RunNameOption, OutputOptions):
    """The options of every command that makes a run."""


@options
class BuildOptions(PromptOptions, SamplerOptions, BudgetOptions, FreshOption, RunOptions):
    """The options of every command that makes pairs."""


@options
class NameOptions:
    heading: ClassVar = "Names"
    from_: str | Sequence[str] = option(
        "The name to replace, e.g. --from Qwen.", default=(), flags=("--from",), metavar="NAME", kw_only=False
    )
    to: str | Sequence[str] = option("The new name, one for each --from.", default=(), metavar="NAME", kw_only=False)
    rules: str | Path | Mapping[str, str] | None = option(
        "Read names and new names from this file: JSON, CSV, TSV, or lines of the form old -> new.",
        default=None,
        metavar="FILE",
    )
    case: Case = option(
        "exact finds the name as it is written; smart also finds QWEN and qwen, and keeps their case in the new name.",
        default="exact",
        choices=get_args(Case),
    )
    match: Match = option(
        "literal takes --from as a name, regex as a regular expression.", default="literal", choices=get_args(Match)
    )
    fold_width: bool = option("Also find the name in full-width letters, e.g. Ｑｗｅｎ.", default=False)
    article: bool = option("Fix the English a or an before the new name.", default=False)
    inside: str | Sequence[str] = option(
        "Also replace the name inside this kind of text, e.g. --inside url, --inside code; docs/rename.md has all.",
        default=(),
        metavar="KIND",
    )
    about: About = option(
        "self corrects only what the model says of itself (I am Qwen). --about any also corrects, for example, "
        "Qwen is a family of models.",
        default="self",
        choices=get_args(About),
    )
    thinking: Thinking = option(
        "keep leaves <think> blocks as they are, strip removes them from both sides, edit renames in them too.",
        default="keep",
        choices=get_args(Thinking),
    )


@options
class RevisionOptions:
    heading: ClassVar = "Revision by a model"
    revise: str | None = option("A model rewrites the answers by this instruction.", default=None, metavar="TEXT")
    revise_model: str | None = option(
        "This model rewrites.", default=None, metavar="MODEL", shown="the one that is asked"
    )
    revise_base_url: str | None = option("The OpenAI-compatible server of that model.", default=None, metavar="URL")
    revise_api_key_env: str | None = option(
        "This environment variable holds the key of that server.", default=None, metavar="VARIABLE"
    )
    max_edit: float = option("The share of an answer that a revision may change.", default=0.3, above=0, at_most=1)


def prompts_option(default: str, **more: Any) -> Any:
    return option(
        "Ask the prompts of this file, folder, Hub data set or bundled set; in Python also a list or DataFrame.",
        default=default,
        flags=("-p", "--prompts"),
        metavar="FILE|SET",
        **more,
    )


@options
class IdentityPromptOptions(PromptOptions):
    heading: ClassVar = "Prompts"
    prompts: PromptSource = prompts_option("identity.train")


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
class SampleOptions(PromptOptions, SamplerOptions, BudgetOptions, OutputOptions):
    """Only sample answers, without making pairs.

    Writes JSON Lines to stdout, which --replay reads.
    """

    heading: ClassVar = "Answers"
    prompts: PromptSource = prompts_option("identity.eval", kw_only=False)
    n: int = option("The model gives this many answers to each prompt.", default=1, at_least=1)


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
    from_: str | Sequence[str] | None = option(
        "Old name.", default=None, flags=("--from",), metavar="NAME", shown="the run's"
    )
    to: str | Sequence[str] | None = option("New name.", default=None, metavar="NAME", shown="the run's")
    system: str | Sequence[str] = option(
        "Ask under this system message.", default=(), metavar="TEXT", shown="the run's contexts"
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
    data: PairData = option(
        _PAIRS, default=None, argument=True, nargs=-1, each=True, metavar="[RUN|FILE]...", kw_only=False
    )
    select: str | Sequence[str] = option(
        "Run only these checks, by code or prefix (PF1). Shortcuts (PF3) and secrets (PF5) run only if selected.",
        default=(),
        metavar="CODE",
    )
    ignore: str | Sequence[str] = option("Leave out these checks.", default=(), metavar="CODE")
    strict: bool = option("Exit with 1 on warnings, too.", default=False)
    explain: str | None = option("Explain a check, and exit.", default=None, metavar="CODE")
    against: PairData = option(
        "Pairs or prompts that must not be trained on, e.g. an evaluation set.", default=None, metavar="RUN|FILE|SET"
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
    data: PairData = option(
        _PAIRS, default=None, argument=True, nargs=-1, each=True, metavar="[RUN|FILE]...", kw_only=False
    )
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
class FixOptions(DataArgument):
    """Write sound pairs of one shape: the one command for what `validate` finds.

    Reads any known shape and writes message lists. Rows with errors, rows that were there before and rows that
    contradict each other are dropped. Each row that was dropped or changed is kept, with the reason: for OUT
    fixed.jsonl, in fixed.fixes.jsonl.
    """

    heading: ClassVar = "Pairs"
    data: PairData = option(_PAIRS, argument=True, metavar="IN", kw_only=False)
    out: str | PathLike[str] = option("File of JSON Lines to write.", argument=True, metavar="OUT", kw_only=False)
    drop_cut: bool = option("Also drop pairs of which only one answer is cut off (PF111).", default=False)
    overwrite: bool = option(_OVERWRITE, default=False)


@options
class ShowOptions(DataArgument, TokenizerOptions):
    """Show pairs with their differences marked, or one pair in tokens.

    [-a word-] is only in the rejected answer, {+a word+} only in the chosen one. Answers that have little in common are
    shown one below the other.
    """

    heading: ClassVar = "Pairs"
    pair: str | None = option(
        "Id of one pair, or its row number from 0.", default=None, argument=True, metavar="[ID|ROW]", kw_only=False
    )
    limit: int = option("Number of pairs.", default=10, metavar="N", at_least=1)
    where: str | Sequence[str] = option(
        "Show only pairs for which this is true, e.g. 'margin<0.2', method=counter, 'chosen_length>=400'.",
        default=(),
        metavar="CONDITION",
    )
    grep: str | None = option(
        "Show only pairs with a message that this regular expression matches; (?i) before it: in any case.",
        default=None,
        metavar="REGEX",
    )
    sort: PairOrder = option(
        "margin, length, easiness: the lowest first. random: by --seed. file: as they are in the file.",
        default="file",
        choices=get_args(PairOrder),
    )
    reverse: bool = option("Sort the other way round.", default=False)
    seed: int = option("Seed of --sort random.", default=0)
    side_by_side: bool = option("Show the two answers in two columns.", default=False)
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

    A Parquet file and a card; they are uploaded when --repo is given. In place of pairs: the folder of a trained model.
    """

    heading: ClassVar = "Upload"
    repo: str | None = option("Repository on the Hub.", default=None, metavar="USER/NAME")
    license: str | None = option(
        "Licence of the data: an id that the Hub knows, e.g. apache-2.0, or other:NAME.", default=None, metavar="ID"
    )
    private: bool = option("Make a new repository private.", default=True, flags=("--private/--public",))
    yes: bool = option(
        "Replace rows, and a card that pairforge did not write; push a model whose verdict is FAIL.", default=False
    )
    allow_pocket: bool = option("Publish pairs of the bundled pocket model.", default=False)
    dry_run: bool = option("Build, and say what would change in --repo; upload nothing.", default=False)
