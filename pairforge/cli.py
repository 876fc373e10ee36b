"""The command line: parse, call the api function of the same name, print, exit."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from .errors import PairforgeError
from .types import visible

# The spellings of TRL and LLaMA-Factory, taken everywhere and shown nowhere.
_ALIASES = {"model_name_or_path": "model", "dataset_name": "prompts", "output_dir": "output", "max_samples": "limit"}
PRESENTATION = ("as_json", "verbose")
"""Parameters that shape what is printed and are no argument of the api."""


class Main(click.Group):
    """Turns every known way to end into its exit code and at most one line; an unknown error keeps its traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        signal.signal(signal.SIGTERM, _terminated)
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.exit(code if isinstance(code, int) else 0)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except PairforgeError as error:
            click.echo(f"pairforge: {visible(error.message)}", err=True)
            if error.fix:
                click.echo(f"  -> {visible(error.fix)}", err=True)
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\npairforge: interrupted; the same command goes on where this one stopped", err=True)
            sys.stdout.flush()
            sys.stderr.flush()
            # Python ends by the signal itself, not by 130, where the interrupt passed through an extension's import.
            os._exit(130)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _pipe():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _pipe():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@contextmanager
def _pipe() -> Iterator[None]:
    """A reader that has gone (`| head`) ends the command quietly, before click makes it an error."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _terminated(number: int, frame: Any) -> None:
    click.echo("pairforge: terminated; the same command goes on where this one stopped", err=True)
    sys.exit(143)


@click.group(
    cls=Main,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: _ALIASES.get(name, name),
    },
)
@click.version_option(package_name="pairforge")
def main() -> None:
    """Preference pairs from a model's own answers: made, checked, published, trained on, proven."""


def options(*given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several option decorators as one."""
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(given), command)


_PRINTED = options(
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there."),
    click.option("-q", "--quiet", is_flag=True, help="No progress and no notes."),
    click.option("-v", "--verbose", is_flag=True, help="Warnings of the libraries below as well."),
)
_WHERE = click.option(
    "-o", "--output", metavar="DIR", help="Where runs live.  [default: $PAIRFORGE_OUT, pairforge-out/]"
)
_DATA = click.argument("data", required=False, metavar="[RUN|FILE]")
_SAMPLING = options(
    click.option(
        "-m", "--model", default="pocket", show_default=True, help="Hub id, folder, or the bundled pocket model."
    ),
    click.option("--revision", help="Branch, tag or commit of a Hub model."),
    click.option("--system", multiple=True, help="Ask under this system message (repeatable)."),
    click.option("--no-system", is_flag=True, help="Ask with no system message."),
    click.option("--limit", type=click.IntRange(min=1), help="Use the first N prompts."),
    click.option("--seed", default=0, show_default=True),
    click.option("--max-new-tokens", default=256, show_default=True),
    click.option("--fresh", is_flag=True, help="Set the stored answers aside and start anew."),
)


def _emit(result: Any, as_json: bool) -> int:
    """Prints a result, as JSON or for a reader; returns its exit code."""
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        from rich.console import Console

        console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
        with console.capture() as capture:
            console.print(result)
        click.echo(capture.get(), nl=False, color=True)
    return 0 if result.ok else int(getattr(result, "exit_code", 1))


def command(name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """A command that prints what its function returns."""

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def call(as_json: bool, verbose: bool, **arguments: Any) -> int:
            _hush(verbose)
            return _emit(function(**arguments), as_json)

        return main.command(name or function.__name__)(_PRINTED(call))

    return make


def _hush(verbose: bool) -> None:
    """Keeps the libraries' own progress bars and notes out of ours, unless asked for."""
    if not verbose:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@command()
@click.option("--from", "from_", multiple=True, required=True, metavar="NAME", help="Name to replace (repeatable).")
@click.option(
    "--to", multiple=True, required=True, metavar="NAME", help="What to put in its place, one for each --from."
)
@click.option("-p", "--prompts", default="identity.train", show_default=True, help="File of prompts, or a bundled set.")
@click.option(
    "--counter",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="FRACTION",
    help="Counter-pairs to add for each pair, in which the new name is wrong.",
)
@click.option("--temperature", default=0.0, show_default=True, help="0: greedy.")
@_SAMPLING
@_WHERE
def correct(**arguments: Any) -> Any:
    """Make correction pairs: the model's own answers against the same with the name replaced."""
    from . import api

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
@click.option("--temperature", default=1.0, show_default=True)
@_SAMPLING
@_WHERE
def onpolicy(**arguments: Any) -> Any:
    """Make on-policy pairs: n answers to each prompt, judged, the best against the worst."""
    from . import api

    return api.onpolicy(**arguments)


@command()
@_DATA
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@_WHERE
def validate(**arguments: Any) -> Any:
    """Check pairs: shape, same context on both sides, chosen and rejected differ, nothing empty."""
    from . import api

    return api.validate(**arguments)


@command()
@_DATA
@click.option("--expect", multiple=True, metavar="TERM", help="What is meant to differ; a correct run names its own.")
@_WHERE
def shortcuts(**arguments: Any) -> Any:
    """Find what DPO could learn instead of the preference: words and habits that stand on one side only."""
    from . import api

    return api.shortcuts(**arguments)


@command()
@_DATA
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1), help="How many pairs.")
@_WHERE
def show(**arguments: Any) -> Any:
    """Show pairs as a word diff."""
    from . import api

    return api.show(**arguments)


@command()
@_DATA
@click.option("--repo", metavar="USER/NAME", help="Dataset repository on the Hub.")
@click.option("--license", metavar="ID", help="Licence of the data, e.g. apache-2.0.")
@click.option("--private/--public", default=True, show_default=True)
@click.option("--yes", is_flag=True, help="Replace files in the repository that pairforge did not make.")
@click.option("--allow-pocket", is_flag=True, help="Publish pairs of the bundled pocket model.")
@click.option("--dry-run", is_flag=True, help="Build and preview only.")
@_WHERE
def push(**arguments: Any) -> Any:
    """Build the Parquet file and the card, preview them, and upload them when --repo is given."""
    from . import api

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
@click.option("--seed", default=0, show_default=True)
@click.option("--max-new-tokens", default=256, show_default=True)
@_WHERE
def ask(**arguments: Any) -> Any:
    """Ask one or more models the same questions, answers side by side."""
    from . import api

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
@click.option("--limit", type=click.IntRange(min=1), help="At most N questions of each kind.")
@click.option("--seed", default=0, show_default=True)
@click.option("--max-new-tokens", default=128, show_default=True)
@_WHERE
def evaluate(**arguments: Any) -> Any:
    """Measure a model: new name, old name, neither; general accuracy, leak, controls, obedience to system messages."""
    from . import api

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
