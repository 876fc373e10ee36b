"""Commands that look at pairs."""

from __future__ import annotations

from typing import Any

import click

from .group import command
from .options import DATA, WHERE, options

READER = options(
    click.option("-m", "--model", help="As training on this model sees it: Hub id, folder, or pocket."),
    click.option("--revision", help="Branch, tag or commit of a Hub model."),
    click.option(
        "--max-length", default=1024, show_default=True, type=click.IntRange(min=1), help="Tokens of a side that count."
    ),
)
AUDIT = options(
    click.option(
        "--expect",
        "--term",
        "expect",
        multiple=True,
        metavar="TERM",
        help="What is meant to differ (repeatable); a correct run names its own.",
    ),
    click.option(
        "--fail-on",
        default="high",
        show_default=True,
        type=click.Choice(["watch", "high", "critical"]),
        help="The verdict from which the exit code is 1.",
    ),
    click.option(
        "--max-prompts",
        default=20_000,
        show_default=True,
        type=click.IntRange(min=1),
        metavar="N",
        help="Look for features in a sample of N prompts; those found are counted in all rows.",
    ),
    click.option("--seed", default=0, show_default=True, help="Draws the sample."),
    click.option(
        "--jobs", default=1, show_default=True, type=click.IntRange(min=1), metavar="N", help="Processes that count."
    ),
)


@command()
@DATA
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--select",
    multiple=True,
    metavar="CODE",
    help="Look only for these: codes, or beginnings such as PF1. Shortcuts (PF3) are looked for only where named.",
)
@click.option("--ignore", multiple=True, metavar="CODE", help="Leave these out.")
@click.option("--against", metavar="FILE", help="Pairs or prompts that must not be trained on, e.g. an evaluation set.")
@READER
@click.option("--fix", metavar="OUT", help="Write what can be mended without a decision to a new file.")
@click.option(
    "--max-row-bytes", default=2**24, show_default=True, type=click.IntRange(min=1), help="Longer rows are an error."
)
@click.option("--explain", metavar="CODE", help="Why a check matters; nothing is looked at.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=0), help="Processes (0: one a core).")
@click.option("--format", default="table", show_default=True, type=click.Choice(["table", "github"]))
@WHERE
def validate(**arguments: Any) -> Any:
    """Check pairs.

    Shape, same context on both sides, chosen and rejected differ, nothing empty.
    """
    from .. import api

    return api.validate(**arguments)


@command()
@DATA
@AUDIT
@click.option(
    "--fdr", default=0.05, show_default=True, type=click.FloatRange(0, 1), help="Share of findings that may be false."
)
@click.option("--all", "whole", is_flag=True, help="Look for features in all rows.")
@click.option(
    "--tokenizer", metavar="MODEL", help="Look at this model's tokens in place of words: Hub id, folder, or pocket."
)
@click.option("-m", "--model", help="Say how hard the pairs are for DPO on this model: Hub id, folder, or pocket.")
@click.option("--svg", metavar="FILE", help="Write the picture: share won against prompts told apart.")
@click.option("--easiness", metavar="FILE", help="Write how easily each pair is told, in bits, as JSON Lines.")
@WHERE
def shortcuts(**arguments: Any) -> Any:
    """Find what DPO could learn instead of the preference.

    Words and habits that stand on one side only.
    """
    from .. import api

    return api.shortcuts(**arguments)


@command()
@click.argument("data", metavar="IN")
@click.argument("out", required=False)
@click.option("--select", multiple=True, metavar="REMEDY", help="Use only these (repeatable): see docs/balance.md.")
@click.option("--ignore", multiple=True, metavar="REMEDY", help="Leave these out.")
@click.option(
    "--subsample", is_flag=True, help="Drop pairs, at most a fifth, until no side has more of what was found."
)
@AUDIT
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@WHERE
def balance(**arguments: Any) -> Any:
    """Mend what `shortcuts` finds: to OUT.jsonl, or only shown where no OUT is named. IN stays as it is."""
    from .. import api

    return api.balance(**arguments)


@command()
@DATA
@click.argument("pair", required=False, metavar="[ID|ROW]")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1), help="How many pairs.")
@click.option("--tokens", is_flag=True, help="One pair as the trainer sees it: context, completion, mask, the cut.")
@READER
@WHERE
def show(**arguments: Any) -> Any:
    """Show pairs as a word diff, or one pair in tokens."""
    from .. import api

    return api.show(**arguments)


@command()
@click.argument("data", metavar="IN")
@click.argument("out")
@click.option(
    "--to",
    default="trl",
    show_default=True,
    metavar="SHAPE",
    help="trl, trl-explicit, llamafactory, ms-swift, axolotl, openrlhf, sharegpt or kto.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@WHERE
def convert(**arguments: Any) -> Any:
    """Write pairs in the shape that a trainer reads.

    From any known shape to OUT: .jsonl, .json, .parquet or .csv.
    """
    from .. import api

    return api.convert(**arguments)
