"""The options of the commands that make pairs of corrections, and of two models' answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias, get_args

from .common import BuildOptions, PromptOptions, PromptSource, RunOptions, prompts_option
from .declaration import option, options

About: TypeAlias = Literal["self", "any"]
ChosenSide: TypeAlias = Literal["corrected", "reference"]
Case: TypeAlias = Literal["exact", "smart"]
Match: TypeAlias = Literal["literal", "regex"]
Thinking: TypeAlias = Literal["keep", "strip", "edit"]


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
        "keep leaves thoughts as they are, but none with an old name, strip removes all, edit renames in them.",
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


@options
class ChosenOptions:
    heading: ClassVar = "Chosen side"
    persona: str | None = option(
        "chosen is what the model says when this text, or this file, tells it who it is; rejected what it says untold.",
        default=None,
        metavar="TEXT|FILE",
    )
    opening: str = option(
        'chosen begins with this text and goes on as the model itself does, e.g. --opening "I\'m Deep Qwen,".',
        default="",
        metavar="TEXT",
    )
    tries: int = option(
        "Ask under the persona, or with the opening, at most N times for an answer that fits.", default=4, at_least=1
    )
    chosen: ChosenSide = option(
        "reference takes the answer in the prompt's own row as chosen; corrected, the model's answer with new names.",
        default="corrected",
        choices=get_args(ChosenSide),
    )
    whole_sentences: bool = option(
        "Take an answer that is cut off up to its last whole sentence, where it would make no pair.", default=False
    )
    fill: str | Sequence[str] | Mapping[str, str] = option(
        'With --chosen reference, write this for a placeholder of the rows, e.g. --fill name="Deep Qwen".',
        default=(),
        metavar="NAME=TEXT",
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
        at_most=3,
    )
    retain: float = option(
        "Add this many on-policy pairs for each pair, on general questions.",
        default=0.0,
        metavar="FRACTION",
        at_least=0,
        at_most=1,
    )


@options
class CorrectOptions(
    NameOptions, IdentityPromptOptions, ExtraPairOptions, RevisionOptions, ChosenOptions, BuildOptions
):
    """Make pairs by replacing a name in the model's answers.

    `rejected` is the model's own answer, `chosen` is the same answer with the name replaced; with --persona, what the
    model says when it is told who it is; with --chosen reference, the answer in the prompt's own row.
    """


@options
class DeltaOptions(RunOptions):
    """Make pairs of two models' answers to the same prompts.

    `chosen` are the answers of the stronger model, or later checkpoint, `rejected` those of the weaker one. Nobody
    judges them.
    """

    heading: ClassVar = "Answers"
    chosen: str | PathLike[str] = option(
        "The answers that are chosen: a run, or what `sample` wrote.", metavar="RUN|FILE", kw_only=False
    )
    rejected: str | PathLike[str] = option(
        "The answers to the same prompts that are rejected.", metavar="RUN|FILE", kw_only=False
    )
