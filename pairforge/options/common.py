"""Options that several commands share: where runs are, budgets, prompts and contexts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from .declaration import option, options
from .sampling import SamplerOptions

History: TypeAlias = Literal["last", "full"]
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
    max_cost: float | None = option(
        "The run stops after this much money, by --price and --judge-price (exit 3).", default=None, type=float
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
class ExecutorOptions:
    """Options of a run on several processes or machines; its pairs do not depend on them."""

    heading: ClassVar = "Several machines"
    executor: str | None = option(
        "What runs the shards of the answers: local, array (tasks of Slurm, Kubernetes or --part), ray, or an object.",
        default=None,
        metavar="NAME|FILE.py:ATTR",
    )
    part: str | None = option("The part of this task of an array, e.g. 3/64.", default=None, metavar="I/N")
    workers: int = option("Number of Ray's workers; each holds a model.", default=1, metavar="N", at_least=1)
    gpus: float = option("GPUs of each of Ray's workers.", default=0.0, at_least=0)
    address: str | None = option("Address of the Ray cluster, e.g. auto.", default=None)
    shards: str | None = option(
        "Folder or URL (s3://bucket/folder) that all workers see.", default=None, shown="shards/ beside the runs"
    )
    shard_size: int = option("Prompts of a shard, on average.", default=2048, at_least=1)


@options
class BuildOptions(PromptOptions, SamplerOptions, ExecutorOptions, BudgetOptions, FreshOption, RunOptions):
    """The options of every command that makes pairs."""


def prompts_option(default: str, **more: Any) -> Any:
    return option(
        "Ask the prompts of this file, folder, Hub data set or bundled set; in Python also a list or DataFrame.",
        default=default,
        flags=("-p", "--prompts"),
        metavar="FILE|SET",
        **more,
    )
