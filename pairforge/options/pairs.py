"""The options of the commands that read pairs: validate, shortcuts, balance, fix, show and convert."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from .common import OutputOptions, PairColumns, PairData
from .declaration import option, options

FailOn: TypeAlias = Literal["watch", "high", "critical"]
Pick: TypeAlias = Literal["all-pairs", "best-worst", "adjacent"]
PairOrder: TypeAlias = Literal["file", "margin", "length", "easiness", "random"]
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
    chat_template: str | None = option(
        "Jinja file to use in place of the model's own chat template.", default=None, metavar="FILE"
    )
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


def _baseline_option() -> Any:
    return option(
        "Compare with this earlier report (of --json): exit with 3 where a rate is worse.", default=None, metavar="FILE"
    )


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
        "Run only these checks, by code or prefix (PF1). Shortcuts (PF3) run only if selected.",
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
        "Also write what `pairforge fix` makes of the pairs.", default=None, metavar="OUT"
    )
    max_row_bytes: int = option("Report longer rows as errors.", default=2**24, at_least=1)
    jobs: int = option("Number of processes; 0: one for each core.", default=1, metavar="N", at_least=0)
    format: str = option("Format of the report.", default="table", choices=("table", "github"))
    baseline: str | PathLike[str] | None = _baseline_option()


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
    baseline: str | PathLike[str] | None = _baseline_option()


@options
class ReportOptions(DataArgument):
    """Write one HTML file about a run, with figures and tables.

    It has the way from prompts to pairs, lengths, scores, the judge's figures, shortcuts, findings, example pairs, the
    training and the verdict. It opens without a server and can be mailed: it runs nothing, loads nothing, and names no
    folder of this machine.
    """

    heading: ClassVar = "Report"
    html: str | None = option(
        "File to write.", default=None, metavar="FILE", shown="report.html in the folder of the run"
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
    """Repair what `validate` finds: write a new file.

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
    """Show pairs with marked differences, or one in tokens.

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
