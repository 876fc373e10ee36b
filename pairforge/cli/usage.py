"""What is wrong with a command line, in one line, and what was probably meant."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click

from ..errors import InputError
from ..text import did_you_mean, visible

_OPTION_FOR = {"correct": "-p", "onpolicy": "-p", "sample": "-p", "evaluate": "-m"}
"""The option that a lone word after a command was probably meant for."""


class ExtraArgumentsError(click.UsageError):
    """A command got words that belong to no option."""

    def __init__(self, words: Sequence[str], ctx: click.Context) -> None:
        super().__init__(" ".join(words), ctx)
        self.words = words


class UnknownCommandError(click.UsageError):
    """A group has no command of this name."""

    def __init__(self, word: str, ctx: click.Context) -> None:
        super().__init__(word, ctx)
        self.word = word


class Group(click.Group):
    """A group that says which of its commands was probably meant."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if not ctx.resilient_parsing and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise UnknownCommandError(args[0], ctx)
        return super().resolve_command(ctx, args)


def commands_of(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield the commands and groups under a group, each behind its words (`runs list`); hidden ones are left out."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{before}{name} ")
        if not command.hidden:
            yield f"{before}{name}", command


def explained(error: click.ClickException, args: Sequence[str] = ()) -> InputError:
    """Return an error of click as what is wrong, and what fixes it; `args` are the words of the command line."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "pairforge"
    name = path.partition(" ")[2]
    what, fix = error.format_message().rstrip("."), ""
    if isinstance(error, UnknownCommandError):
        what = f"{name} has no command {error.word!r}" if name else f"there is no command {error.word!r}"
        fix = _command_hint(error.word, ctx)
    elif isinstance(error, ExtraArgumentsError):
        what, fix = f"{name} can't use {shlex.join(error.words)}", _extra_hint(error.words, ctx)
    elif isinstance(error, click.NoSuchOption):
        what = f"{name} has no option {error.option_name}" if name else f"there is no option {error.option_name}"
        fix = _option_hint(error.option_name, ctx, args)
    elif isinstance(error, click.BadOptionUsage) and "requires" in what:
        what = f"{error.option_name} needs a value"
        fix = f"write {error.option_name} VALUE, or {error.option_name}=VALUE for one that begins with -"
    elif isinstance(error, click.MissingParameter) and error.param and ctx:
        option = isinstance(error.param, click.Option) and spelling(error.param)
        missing = option or error.param.metavar or error.param.human_readable_name
        what, fix = f"{name}: {missing} is missing", f"add {option} {error.param.metavar}" if option else _usage(ctx)
        if name == "pair" and len(args) == 3 and not any(word.startswith("-") for word in args):
            fix = f"write {path} --chosen {shlex.quote(args[1])} --rejected {shlex.quote(args[2])}"
    elif isinstance(error, click.BadParameter) and error.param:
        what = f"{spelling(error.param)}: {wrong_value(error, error.param)}"
        choices = getattr(error.param.type, "choices", ())
        given = error.message.partition(" is not")[0].strip("'\"")
        fix = did_you_mean(given, [*map(str, choices)])
        if "not a valid" in error.message:
            fix = fix or _number_hint(given, error.param)
    return InputError(visible(what), fix=visible(fix or f"see: {path} --help"))


def _usage(ctx: click.Context) -> str:
    return "write: " + " ".join(ctx.command.get_usage(ctx).split()).removeprefix("Usage: ")


def spelling(param: click.Parameter) -> str:
    """Return how a parameter is called in a message: the longest flag of an option."""
    return str(max(param.opts, key=len)) if isinstance(param, click.Option) else str(param.human_readable_name)


def wrong_value(error: click.BadParameter, param: click.Parameter) -> str:
    """Return click's message, with the bounds of a number in words: click writes them as `x>=1`."""
    kind: Any = param.type
    message = error.message.rstrip(".")
    for wrong, plain in (("integer", "whole number"), ("float", "number")):
        message = re.sub(rf"not a valid {wrong}( range)?$", f"not a {plain}", message)
    if not isinstance(kind, click.IntRange | click.FloatRange) or " is not in the range" not in message:
        return message
    low, high = kind.min, kind.max
    bounds = [] if low is None else [f"more than {low:g}" if kind.min_open else f"{low:g} or more"]
    bounds += [] if high is None else [f"at most {high:g}"]
    return f"{message.partition(' is not in')[0]} must be {' and '.join(bounds)}"


def _number_hint(given: str, param: click.Parameter) -> str:
    """Return the number that was probably meant, where one was written with a unit or as in other countries."""
    whole = isinstance(param.type, click.types.IntParamType)
    found = re.fullmatch(r"(\d[\d_ ]*)(?:([.,])(\d+))?\s*(e\d|[^\W\d_]+|%)?", given.lower())
    if not found or not (whole or isinstance(param.type, click.types.FloatParamType)):
        return ""
    digits, point, rest, unit = found.groups()
    thousands = whole and point and len(rest) == 3
    number = float(re.sub(r"[_ ]", "", digits) + ((rest if thousands else f".{rest}") if point else ""))
    factors: dict[str | None, float] = {None: 1.0, "%": 0.01, **({"k": 1e3, "m": 1e6} if whole else {})}
    if unit not in factors and not re.fullmatch(r"e\d", unit):
        return "write the number without a unit: --help says which one is meant"
    number *= factors[unit] if unit in factors else 10.0 ** int(unit[1:])
    if whole and number != int(number):
        return ""
    return f"write the number alone: {spelling(param)} {int(number) if number == int(number) else f'{number:g}'}"


def _command_hint(word: str, ctx: click.Context | None) -> str:
    group = ctx.find_root().command if ctx else None
    paths = [words for words, _ in commands_of(group)] if isinstance(group, click.Group) else []
    prefix = ctx.command_path.partition(" ")[2] if ctx else ""
    own = [path.removeprefix(f"{prefix} ") for path in paths if path.startswith(f"{prefix} ")] if prefix else paths
    same = [path for path in paths if path.split()[-1] == word.lower()]
    return did_you_mean(word, own) or (f"did you mean 'pairforge {same[0]}'?" if same else "")


_MEANT = {
    **dict.fromkeys(("dataset", "data", "input", "input-file", "file"), ("prompts", "data")),
    **dict.fromkeys(("num-samples", "num-return-sequences", "num-generations", "samples", "n-samples"), ("n",)),
    **dict.fromkeys(("reward", "reward-funcs", "reward-func", "reward-model", "scorer"), ("judge",)),
    **dict.fromkeys(("old", "old-name"), ("from_",)),
    **dict.fromkeys(("new", "new-name"), ("to",)),
    **dict.fromkeys(("max-length", "max-completion-length"), ("max_new_tokens",)),
    **dict.fromkeys(("url", "endpoint", "server", "api-base", "base"), ("base_url",)),
    "system-prompt": ("system",),
}
"""What options of other tools are called here: the first of these parameters that a command has."""
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"


def _option_hint(name: str, ctx: click.Context | None, args: Sequence[str]) -> str:
    params = ctx.command.get_params(ctx) if ctx else []
    known = [one for param in params for one in (*param.opts, *param.secondary_opts) if one.startswith("--")]
    words = [arg.partition("=")[0] for arg in args if re.match(r"-[^\W\d]{2}", arg) and arg.startswith(name)]
    if words and f"-{words[0]}" in known:
        return f"write two hyphens: -{words[0]}"
    longer = [one for one in known if one.startswith(name) and len(name) > 3]
    if 0 < len(longer) < 4:
        return f"did you mean {' or '.join(longer)}?"
    if ctx and isinstance(ctx.command, click.Group) and len(only := [*ctx.command.commands]) == 1:
        return f"did you mean {ctx.command_path} {only[0]} {name}?"
    own = {param.name: param for param in params}
    if meant := next((own[one] for one in _MEANT.get(name.strip("-").replace("_", "-"), ()) if one in own), None):
        return f"write {spelling(meant)}" if isinstance(meant, click.Option) or not ctx else _usage(ctx)
    return did_you_mean(name, known)


def _typography_hint(words: Sequence[str]) -> str:
    """Return what to write where a word processor has changed quotes and hyphens."""
    if dashed := next((word for word in words if word[0:1] and word[0] in _DASHES), ""):
        plain = f"--{dashed.lstrip(_DASHES + '-')}"
        return f"write {plain} with two hyphens: {dashed[0]} is a dash"
    if any(set(_QUOTES) & {*word} for word in words):
        return """write straight quotes: --to "Deep Qwen" """.rstrip()
    return ""


def _extra_hint(words: Sequence[str], ctx: click.Context | None) -> str:
    from ..api.vocabulary import known_runs

    if ctx is None:
        return ""
    name, given = ctx.command.name or "", ctx.params
    if hint := _typography_hint(words):
        return hint
    if name == "correct" and not (given.get("from_") or given.get("to")) and len(words) == 2:
        return f'did you mean {ctx.command_path} --from {shlex.quote(words[0])} --to "{words[1]}"?'
    if "from_" in given and (given["from_"] or given.get("to")):
        return 'put a text of several words in quotes: --to "Deep Qwen"'
    if name == "correct" and not os.path.exists(words[0]):
        return 'name both names: --from Qwen --to "Deep Qwen"'
    if len(words) == 1 and name in _OPTION_FOR:
        flag = "--run" if name == "evaluate" and words[0] in known_runs(given.get("output")) else _OPTION_FOR[name]
        return f"did you mean {ctx.command_path} {flag} {shlex.quote(words[0])}?"
    if len(words) == 1 and os.path.exists(words[0]):
        return f"{words[0]} is one file too many; {_usage(ctx)}"
    return _usage(ctx)
