"""Commands that look at pairs.

Commands that publish pairs, train on them, and ask the models.
Commands that make pairs, and that look after the runs they make.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from .main import command, main
from .options import BESIDE, DATA, FRESH, NAMES, REVISE, SAMPLING, SOURCE, TURNS, WHERE, options

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
    help="Look only for these codes, or beginnings (PF1). Shortcuts (PF3) and secrets (PF5) only where named.",
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
    import pairforge

    return pairforge.validate(**arguments)


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
    import pairforge

    return pairforge.shortcuts(**arguments)


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
    import pairforge

    return pairforge.balance(**arguments)


@command()
@DATA
@click.argument("pair", required=False, metavar="[ID|ROW]")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1), help="How many pairs.")
@click.option("--tokens", is_flag=True, help="One pair as the trainer sees it: context, completion, mask, the cut.")
@READER
@WHERE
def show(**arguments: Any) -> Any:
    """Show pairs as a word diff, or one pair in tokens."""
    import pairforge

    return pairforge.show(**arguments)


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
    import pairforge

    return pairforge.convert(**arguments)


@command()
@DATA
@click.option("--repo", metavar="USER/NAME", help="Dataset repository on the Hub.")
@click.option("--license", metavar="ID", help="Licence of the data, e.g. apache-2.0.")
@click.option("--private/--public", default=True, show_default=True)
@click.option("--yes", is_flag=True, help="Replace files in the repository that pairforge did not make.")
@click.option("--allow-pocket", is_flag=True, help="Publish pairs of the bundled pocket model.")
@click.option("--dry-run", is_flag=True, help="Build and preview only.")
@WHERE
def push(**arguments: Any) -> Any:
    """Build and preview the data set, and upload it.

    A Parquet file and a card; uploaded when --repo is given.
    """
    import pairforge

    return pairforge.push(**arguments)


@command()
@click.argument("questions", nargs=-1)
@click.option(
    "-m",
    "--model",
    multiple=True,
    help="Hub id or folder (repeatable).  [default: the latest run's, and its tuned one]",
)
@click.option("--system", help="System message.")
@click.option("--temperature", default=0.0, show_default=True)
@SOURCE
@WHERE
def ask(**arguments: Any) -> Any:
    """Ask models the same questions, answers side by side."""
    import pairforge

    return pairforge.ask(**arguments)


@command()
@click.option("-m", "--model", help="Model to judge.  [default: the one tuned on the latest run]")
@click.option("--base", help="The model before training, for before and after.")
@click.option(
    "--run", metavar="DIR", help="Take names and contexts from this run.  [default: the model's, or the latest]"
)
@click.option("--from", "from_", metavar="NAME", help="Old name.  [default: the run's]")
@click.option("--to", metavar="NAME", help="New name.  [default: the run's]")
@click.option(
    "--system", multiple=True, help="Ask under this system message (repeatable).  [default: the run's contexts]"
)
@click.option("--no-system", is_flag=True, help="Ask with no system message.")
@click.option(
    "--judge",
    metavar="NAME",
    help="Scores sampled answers against the base's: reference, module:attr.  [default: the run's]",
)
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="TEXT",
    help="In place of the default: 'new_name/* at least 98%' (repeatable).",
)
@click.option("--greedy", is_flag=True, help="Ask nothing at temperature 1.")
@click.option("--limit", type=click.IntRange(min=1), help="At most N questions of each kind.")
@SOURCE
@WHERE
def evaluate(**arguments: Any) -> Any:
    """Measure a model.

    New name, old name, neither; general accuracy, leak, controls, obedience to system messages, repetition; and with a
    judge, how often it wins against its base.
    """
    import pairforge

    return pairforge.evaluate(**arguments)


@main.group()
def train() -> None:
    """Train on pairs."""


@train.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def dpo(context: click.Context) -> None:
    """DPO on the latest run: the same as python -m trainers.dpo, with all its flags."""
    import runpy

    sys.argv = ["trainers.dpo", *context.args]
    runpy.run_module("trainers.dpo", run_name="__main__", alter_sys=True)


@command()
@NAMES
@REVISE
@click.option("-p", "--prompts", default="identity.train", show_default=True, help="File of prompts, or a bundled set.")
@TURNS
@BESIDE
@click.option("--temperature", default=0.0, show_default=True, help="0: greedy.")
@SAMPLING
@FRESH
@WHERE
def correct(**arguments: Any) -> Any:
    """Make correction pairs.

    The model's own answers against the same with the name replaced.
    """
    import pairforge

    return pairforge.correct(**arguments)


@command()
@click.option("--n", default=4, show_default=True, help="Answers to each prompt.")
@click.option(
    "--judge",
    default="reference",
    show_default=True,
    help="reference, or a reward function: module:attr, file.py:attr.",
)
@click.option("--margin", default=0.0, show_default=True, help="Best and worst must be further apart than this.")
@click.option("-p", "--prompts", default="general.train", show_default=True, help="File of prompts, or a bundled set.")
@TURNS
@click.option("--temperature", default=1.0, show_default=True)
@SAMPLING
@FRESH
@WHERE
def onpolicy(**arguments: Any) -> Any:
    """Make on-policy pairs.

    n answers to each prompt, judged, the best against the worst.
    """
    import pairforge

    return pairforge.onpolicy(**arguments)


@command()
@click.option("-p", "--prompts", default="identity.eval", show_default=True, help="File of prompts, or a bundled set.")
@TURNS
@click.option("--n", default=1, show_default=True, help="Answers to each prompt.")
@click.option("--temperature", default=0.0, show_default=True, help="0: greedy.")
@SAMPLING
@WHERE
def sample(**arguments: Any) -> Any:
    """Sample answers alone.

    JSON Lines on stdout, which --replay reads.
    """
    import pairforge

    return pairforge.sample(**arguments)


@main.group()
def runs() -> None:
    """List, show and remove runs."""


@command("list", runs)
@WHERE
def list_runs(**arguments: Any) -> Any:
    """List all runs, the latest first.

    Where one stopped, the command that goes on is shown.
    """
    import pairforge

    return pairforge.list_runs(**arguments)


@command("show", runs)
@click.argument("run", required=False)
@WHERE
def show_run(**arguments: Any) -> Any:
    """Show the settings and counts of a run, by default of the latest."""
    import pairforge

    return pairforge.show_run(**arguments)


@command("rm", runs)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--answers", is_flag=True, help="Also the stored answers that no other run uses.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would go.")
@WHERE
def remove_runs(**arguments: Any) -> Any:
    """Remove runs, with the models trained in them."""
    import pairforge

    return pairforge.remove_runs(**arguments)
