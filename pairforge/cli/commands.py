"""The commands, made from the options classes: each calls the function of its name with the options as keywords."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, fields
from functools import partial
from typing import Any

import click

from ..errors import InputError, PairforgeError
from ..options import asking, correction, hub, judging, management, pairs, viewing
from ..options.declaration import flags_of, grouped
from ..text import visible
from .completion import completer
from .config import announcement, yield_to_options
from .loading import loading_said
from .main import exit_code, finish, main, print_error, print_json, quiet_libraries
from .usage import ExtraArgumentsError, Group

COMMANDS: dict[str, tuple[str, type]] = {
    "ask": ("ask", asking.AskOptions),
    "balance": ("balance", pairs.BalanceOptions),
    "convert": ("convert", pairs.ConvertOptions),
    "correct": ("correct", correction.CorrectOptions),
    "doctor": ("doctor", management.DoctorOptions),
    "evaluate": ("evaluate", asking.EvaluateOptions),
    "fix": ("fix", pairs.FixOptions),
    "judge": ("judge", judging.JudgeOptions),
    "onpolicy": ("onpolicy", judging.OnpolicyOptions),
    "pair": ("pair", correction.DeltaOptions),
    "pull": ("pull", hub.PullOptions),
    "push": ("push", hub.PushOptions),
    "report": ("report", pairs.ReportOptions),
    "reproduce": ("reproduce", hub.ReproduceOptions),
    "runs diff": ("diff_runs", management.DiffRunsOptions),
    "runs list": ("list_runs", management.ListRunsOptions),
    "runs rm": ("remove_runs", management.RemoveRunsOptions),
    "runs show": ("show_run", management.ShowRunOptions),
    "sample": ("sample", asking.SampleOptions),
    "select": ("select", judging.SelectOptions),
    "shortcuts": ("shortcuts", pairs.ShortcutsOptions),
    "show": ("show", pairs.ShowOptions),
    "validate": ("validate", pairs.ValidateOptions),
    "view": ("view", viewing.ViewOptions),
}
"""The function of each command, and its options."""
_SHOWING = {"ask", "doctor", "runs diff", "runs show", "show"}
"""The commands whose whole output is what was asked for: -q leaves it as it is."""
_ONE_OUTPUT = ("fix", "svg", "easiness")
"""Options that name one file to write, which several sources can't share."""


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
        ctx.allow_extra_args = True  # so that click leaves it to us to say what they may have been meant for
        rest = super().parse_args(ctx, spread(args))
        if rest and not ctx.resilient_parsing:
            raise ExtraArgumentsError(rest, ctx)
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        for heading in dict.fromkeys(one.heading for one in options if isinstance(one, Option)):
            # click's own --help has no heading, and is among the last.
            of_heading = [one for one in options if getattr(one, "heading", "Output") == heading]
            listed = [one.get_help_record(ctx) for one in of_heading]
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


def parameter(heading: str, one: Field[Any]) -> click.Parameter:
    """Make the click parameter of a declared option."""
    how = one.metadata
    required = one.default is MISSING
    default = None if required else one.default
    if how.get("argument"):
        # A default of None would be a value to click.
        many = {"nargs": how["nargs"]} if "nargs" in how else {} if required else {"default": default}
        return click.Argument(
            [one.name], required=required, metavar=how.get("metavar"), shell_complete=completer(how), **many
        )
    repeated = default == ()
    help = how["help"].removesuffix(".") + " (repeatable)." if repeated else how["help"]
    help += f"  [default: {how['shown']}]" if "shown" in how else ""
    names = [*flags_of(one), one.name]
    if isinstance(default, bool):
        return Option(names, heading=heading, help=help, default=default, is_flag=True, show_default=default)
    kind = how.get("type") or type(default)
    bounds = {"min": how.get("above", how.get("at_least")), "max": how.get("at_most"), "min_open": "above" in how}
    bounded = bounds["min"] is not None or bounds["max"] is not None
    ranges: dict[type, Callable[..., Any]] = {int: click.IntRange, float: click.FloatRange}
    type_: Any = click.Choice(how["choices"]) if "choices" in how else ranges[kind](**bounds) if bounded else kind
    return Option(
        names,
        heading=heading,
        help=help,
        **({"required": True} if required else {"default": default}),
        multiple=repeated,
        show_default=default not in (None, ()),
        type=str if type_ in (tuple, type(None)) else type_,
        metavar=how.get("metavar") or (None if "choices" in how else {int: "N", float: "X"}.get(kind)),
        shell_complete=None if "choices" in how else completer(how),
    )


def for_each(words: str, option: str, names: Sequence[str], run: partial[Any], as_json: bool, brief: bool) -> int:
    """Print a result for each source, and return the worst exit code; a source that can't be read stops no other."""
    if one := next((name for name in _ONE_OUTPUT if run.keywords.get(name)), None):
        raise InputError(f"--{one} names one file, and there are {len(names)} sources", fix="run it for each source")
    codes, said = list[int](), list[dict[str, Any]]()
    for number, name in enumerate(names):
        if not as_json:
            click.echo(f"{visible(name)}: " if brief else f"{chr(10) if number else ''}{visible(name)}:", nl=not brief)
        try:
            result = run(**{option: name})
            codes.append(exit_code(result) if as_json else finish(result, False, brief))
            said.append({"source": name, **(result.as_json() if as_json else {})})
        except PairforgeError as error:
            if brief:
                click.echo("error")
            codes.append(print_error(error))
            said.append({"source": name, "ok": False, "error": error.message, "fix": error.fix})
    if as_json:
        print_json({"command": words, "ok": not any(codes), "sources": said})
    return max(codes)


def command(words: str, function: str, kind: type) -> click.Command:
    """Make the command that calls a public function of pairforge and prints its result."""

    each = next((one.name for one in fields(kind) if one.metadata.get("each")), None)

    def call(as_json: bool, verbose: bool, **arguments: Any) -> int:
        import pairforge

        ctx = click.get_current_context()
        yield_to_options(ctx)
        arguments |= {key: value for key, value in ctx.params.items() if key in arguments}
        quiet = arguments["quiet"]
        if not quiet and (line := announcement(ctx)):
            click.echo(visible(line), err=True)
        quiet_libraries(verbose)
        run = getattr(pairforge, function)
        brief = quiet and words not in _SHOWING
        named = arguments.pop(each) if each else ()
        with loading_said(quiet):
            if len(named := [*dict.fromkeys(named)]) > 1:
                return for_each(words, each or "", named, partial(run, **arguments), as_json, brief)
            more = {each: named[0] if named else None} if each else {}
            return finish(run(**arguments, **more), as_json, brief)

    printing = [
        Option(["--json", "as_json"], is_flag=True, help="Print one JSON object on stdout, nothing else."),
        Option(["-v", "--verbose"], is_flag=True, help="Show warnings of the libraries, too."),
    ]
    parameters = [parameter(heading, one) for heading, group in grouped(kind).items() for one in group]
    # The arguments in the order in which Python takes them, which begins with those of the base class.
    order = [one.name for one in fields(kind)]
    arguments = sorted((p for p in parameters if isinstance(p, click.Argument)), key=lambda p: order.index(str(p.name)))
    rest = [p for p in parameters if not isinstance(p, click.Argument)]
    return Command(words.split()[-1], callback=call, params=[*arguments, *rest, *printing], help=kind.__doc__)


@main.group(cls=Group)
def runs() -> None:
    """List, show, compare and remove runs."""


for words, (function, kind) in COMMANDS.items():
    *group, _ = words.split()
    (runs if group else main).add_command(command(words, function, kind))


@main.group(cls=Group)
def train() -> None:
    """Train on pairs: pairforge train dpo."""


@train.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def dpo(context: click.Context) -> int:
    """DPO on the latest run, with all flags of TRL: see pairforge train dpo --help."""
    from ..api.train import trainer_module

    code: int = trainer_module("dpo").main(context.args)
    return code
