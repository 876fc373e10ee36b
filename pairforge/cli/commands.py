"""The commands, made from the options classes: each calls the function of its name with the options as keywords."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

import click

from .. import options
from .main import finish, main, quiet_libraries

COMMANDS: dict[str, tuple[str, type]] = {
    "ask": ("ask", options.AskOptions),
    "balance": ("balance", options.BalanceOptions),
    "convert": ("convert", options.ConvertOptions),
    "correct": ("correct", options.CorrectOptions),
    "evaluate": ("evaluate", options.EvaluateOptions),
    "fix": ("fix", options.FixOptions),
    "onpolicy": ("onpolicy", options.OnpolicyOptions),
    "push": ("push", options.PushOptions),
    "runs list": ("list_runs", options.ListRunsOptions),
    "runs rm": ("remove_runs", options.RemoveRunsOptions),
    "runs show": ("show_run", options.ShowRunOptions),
    "sample": ("sample", options.SampleOptions),
    "shortcuts": ("shortcuts", options.ShortcutsOptions),
    "show": ("show", options.ShowOptions),
    "validate": ("validate", options.ValidateOptions),
}
"""The function of each command, and its options."""


class Option(click.Option):
    """An option that `--help` lists under a heading."""

    def __init__(self, *args: Any, heading: str = "Output", **more: Any) -> None:
        super().__init__(*args, **more)
        self.heading = heading


class HelpFormatter(click.HelpFormatter):
    """Wraps between words only, and not at hyphens, as click does: `--max-row-bytes` stays whole."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        first = min(max(len(term) for term, _ in rows), col_max) + col_spacing
        for term, text in rows:
            lines = textwrap.wrap(
                text, self.width - self.current_indent - first, break_on_hyphens=False, break_long_words=False
            )
            head = " " * self.current_indent + term
            if len(term) > first - col_spacing:
                self.write(head + "\n")
                head = ""
            for line in lines or [""]:
                self.write(f"{head:{self.current_indent + first}}{line}".rstrip() + "\n")
                head = ""


class Context(click.Context):
    formatter_class = HelpFormatter


class Command(click.Command):
    """A command whose help lists its options by heading."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading in dict.fromkeys(one.heading for one in self.params if isinstance(one, Option)):
            listed = [one.get_help_record(ctx) for one in self.get_params(ctx) if _heading(one) == heading]
            with formatter.section(heading):
                formatter.write_dl(filter(None, listed))


def spread(args: Iterable[str]) -> list[str]:
    """Return arguments with `--columns` before each of its values: it may be given several at once."""
    made, within = list[str](), False
    for arg in args:
        if within and made[-1] != "--columns" and re.match(r"\w+=.", arg):
            made.append("--columns")
        else:
            within = arg == "--columns" or (within and made[-1] == "--columns")
        made.append(arg)
    return made


def _heading(one: click.Parameter) -> str:
    """Return the heading of an option, and that of the last ones for click's own --help; "" for an argument."""
    return getattr(one, "heading", "Output") if isinstance(one, click.Option) else ""


def parameter(heading: str, one: Field[Any]) -> click.Parameter:
    """Make the click parameter of a declared option."""
    how = one.metadata
    required = one.default is MISSING
    default = None if required else one.default
    if how.get("argument"):
        many = {"nargs": how["nargs"]} if "nargs" in how else {"default": default}
        return click.Argument([one.name], required=required, metavar=how.get("metavar"), **many)
    flags = how.get("flags") or (f"--{one.name.replace('_', '-')}",)
    repeated = default == ()
    help = how["help"].removesuffix(".") + " (repeatable)." if repeated else how["help"]
    help += f"  [default: {how['shown']}]" if "shown" in how else ""
    if isinstance(default, bool):
        return Option(
            [*flags, one.name], heading=heading, help=help, default=default, is_flag=True, show_default=default
        )
    kind = how.get("type") or type(default)
    bounds = {"min": how.get("above", how.get("at_least")), "max": how.get("at_most"), "min_open": "above" in how}
    bounded = bounds["min"] is not None or bounds["max"] is not None
    ranges: dict[type, Callable[..., Any]] = {int: click.IntRange, float: click.FloatRange}
    type_: Any = click.Choice(how["choices"]) if "choices" in how else ranges[kind](**bounds) if bounded else kind
    return Option(
        [*flags, one.name],
        heading=heading,
        help=help,
        default=default,
        multiple=repeated,
        show_default=default not in (None, ()),
        type=str if type_ in (tuple, type(None)) else type_,
        metavar=how.get("metavar") or (None if "choices" in how else {int: "N", float: "X"}.get(kind)),
    )


def command(name: str, function: str, kind: type) -> click.Command:
    """Make the command that calls a public function of pairforge and prints its result."""

    def call(as_json: bool, verbose: bool, **arguments: Any) -> int:
        import pairforge

        quiet_libraries(verbose)
        return finish(getattr(pairforge, function)(**arguments), as_json)

    printing = [
        Option(["--json", "as_json"], is_flag=True, help="Print one JSON object on stdout, nothing else."),
        Option(["-v", "--verbose"], is_flag=True, help="Show warnings of the libraries, too."),
    ]
    parameters = [parameter(heading, one) for heading, group in options.grouped(kind).items() for one in group]
    # The arguments in the order in which Python takes them, which begins with those of the base class.
    order = [one.name for one in fields(kind)]
    arguments = sorted((p for p in parameters if isinstance(p, click.Argument)), key=lambda p: order.index(str(p.name)))
    rest = [p for p in parameters if not isinstance(p, click.Argument)]
    return Command(name, callback=call, params=[*arguments, *rest, *printing], help=kind.__doc__)


@main.group()
def runs() -> None:
    """List, show and remove runs."""


for words, (function, kind) in COMMANDS.items():
    *group, name = words.split()
    (runs if group else main).add_command(command(name, function, kind))


@main.group()
def train() -> None:
    """Train on pairs: pairforge train dpo."""


@train.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def dpo(context: click.Context) -> int:
    """DPO on the latest run, with all flags of TRL: see pairforge train dpo --help."""
    from ..api.train import trainer_module

    code: int = trainer_module("dpo").main(context.args)
    return code
