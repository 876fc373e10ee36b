"""Commands that publish pairs, train on them, and ask the models."""

from __future__ import annotations

import sys
from typing import Any

import click

from .group import command, main
from .options import DATA, SOURCE, WHERE


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
    from .. import api

    return api.push(**arguments)


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
    from .. import api

    return api.ask(**arguments)


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
    from .. import api

    return api.evaluate(**arguments)


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
