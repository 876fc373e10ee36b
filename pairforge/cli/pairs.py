"""Commands that make pairs, and that look after the runs they make."""

from __future__ import annotations

from typing import Any

import click

from .group import command, main
from .options import BESIDE, FRESH, NAMES, REVISE, SAMPLING, TURNS, WHERE


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
    from .. import api

    return api.correct(**arguments)


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
    from .. import api

    return api.onpolicy(**arguments)


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
    from .. import api

    return api.sample(**arguments)


@main.group()
def runs() -> None:
    """List, show and remove runs."""


@command("list", runs)
@WHERE
def list_runs(**arguments: Any) -> Any:
    """List all runs, the latest first.

    Where one stopped, the command that goes on is shown.
    """
    from .. import api

    return api.list_runs(**arguments)


@command("show", runs)
@click.argument("run", required=False)
@WHERE
def show_run(**arguments: Any) -> Any:
    """Show the settings and counts of a run, by default of the latest."""
    from .. import api

    return api.show_run(**arguments)


@command("rm", runs)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--answers", is_flag=True, help="Also the stored answers that no other run uses.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would go.")
@WHERE
def remove_runs(**arguments: Any) -> Any:
    """Remove runs, with the models trained in them."""
    from .. import api

    return api.remove_runs(**arguments)
