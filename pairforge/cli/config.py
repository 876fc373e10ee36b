"""Default options from a file: `pairforge.toml`, or the table `tool.pairforge` of `pyproject.toml`.

The file is data. What publishes, removes or overwrites something, or runs code, can't be set there: see `_NEVER`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ..api.config_file import CONFIG_NAME, config_file
from ..errors import InputError
from ..options.common import ExecutorOptions
from ..options.sampling import SamplerOptions
from ..text import did_you_mean, error_line
from .usage import commands_of, spelling, wrong_value

_NEVER = {
    "repo": "publishes",
    "private": "publishes",
    "yes": "removes or replaces",
    "allow_pocket": "publishes",
    "overwrite": "overwrites",
    "answers": "removes",
    "fresh": "asks everything again",
    "name": "belongs to one run",
    "judge": "can run code",
    "executor": "can run code",
    "address": "can run code",
    "suite": "can run code",
    "allow_pickle": "can run code",
}
"""The options that a file can't set: it may have come with a folder that somebody else made."""
_KINDS = {"integer": "a whole number", "float": "a number"}
_SOURCES = ("base_url", "provider", "replay")
"""Where answers come from: one that is given as an option takes the place of what the file says of the others."""


def default_map(main: click.Group) -> dict[str, Any]:
    """Return the defaults of all commands, as click takes them: those of the file that is in force, if there is one.

    Raises InputError for a file that can't be read, an unknown section or option, and a value of the wrong type.
    """
    file = config_file(Path.cwd())
    if file is None:
        return {}
    try:
        return _defaults(_table(file), main, file)
    except InputError as error:
        error.message = f"{_name(file)}: {error.message}"
        raise


def announcement(ctx: click.Context) -> str | None:
    """Return which options of a command come from the file, for a note; None where none do."""
    names = [param for param in ctx.command.params if _is_default(ctx, param)]
    file = config_file(Path.cwd())
    if not names or file is None:
        return None
    return f"{_name(file)} sets {', '.join(map(spelling, names))}"


def yield_to_options(ctx: click.Context) -> None:
    """Put back the defaults of what the file says of a server, where the user names another source of answers.

    So it is with what the file says of an executor, where the user names none.
    """
    idle = set[str | None]()
    if any(name in ctx.params and _source(ctx, name) == "COMMANDLINE" for name in _SOURCES):
        idle |= {*_SOURCES, "api_key_env", "concurrency", "timeout"}
    if ctx.params.get("executor") is None:
        idle |= {one.name for one in fields(ExecutorOptions)}
    for param in ctx.command.params:
        if param.name in idle and _is_default(ctx, param):
            ctx.params[param.name] = () if getattr(param, "multiple", False) else param.default
            ctx.set_parameter_source(param.name, click.core.ParameterSource.DEFAULT)


def _source(ctx: click.Context, name: str | None) -> str:
    return getattr(ctx.get_parameter_source(name or ""), "name", "")


def _is_default(ctx: click.Context, param: click.Parameter) -> bool:
    return _source(ctx, param.name) == "DEFAULT_MAP"


def _name(file: Path) -> str:
    return os.path.relpath(file) if file.parent != Path.cwd() else file.name


def _table(file: Path) -> dict[str, Any]:
    """Read the file; Python 3.10 needs tomli, which it lacks."""
    toml: Any = None
    with suppress(ImportError):
        toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    if toml is None:
        raise InputError("Python 3.10 can't read it", fix="pip install tomli, or use Python 3.11")
    try:
        table = toml.loads(file.read_bytes().decode("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"not TOML: {error_line(error)}", fix="see docs/runs.md") from error
    return table if file.name == CONFIG_NAME else dict(table.get("tool", {}).get("pairforge", {}))


def _defaults(table: Mapping[str, Any], main: click.Group, file: Path) -> dict[str, Any]:
    own = {name: value for name, value in table.items() if isinstance(value, Mapping) and name != "pairforge"}
    shared = {name: value for name, value in table.items() if name not in own and name != "pairforge"}
    general = table.get("pairforge", {})
    if not isinstance(general, Mapping):
        raise InputError("pairforge must be a section", fix="write [pairforge]")
    general = {**shared, **general}
    commands = {words: command for words, command in commands_of(main) if command.params}
    found = {words: dict[str, Any]() for words in commands}
    for key, value in general.items():
        for words in _holders(key, commands):
            found[words] |= _checked(key, value, commands[words], "pairforge", file)
    for words, section in _sections(own, main):
        for key, value in section.items():
            found[words] |= _checked(key, value, commands[words], words.replace(" ", "."), file)
    return _nested(found)


def _sections(own: Mapping[str, Any], group: click.Group, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the words of each command that has a section, with the section."""
    for name, section in own.items():
        command = group.commands.get(name)
        if command is None or command.hidden:
            hint = did_you_mean(name, [*group.commands, *(() if prefix else ("pairforge",))])
            raise InputError(f"unknown section [{prefix}{name}]", fix=hint or "a section has the name of a command")
        if not isinstance(section, Mapping):
            raise InputError(f"{prefix}{name} must be a section", fix=f"write [{prefix}{name}]")
        if isinstance(command, click.Group):
            yield from ((f"{name} {words}", inner) for words, inner in _sections(section, command, f"{name}."))
        elif command.params:
            yield name, section
        else:
            raise InputError(f"unknown section [{prefix}{name}]", fix="the trainer has --config FILE for its flags")


def _holders(key: str, commands: Mapping[str, click.Command]) -> list[str]:
    """Return the commands for which an option of [pairforge] holds.

    How answers are made concerns the commands that make data: `ask` and `evaluate` ask the trained model by default.
    """
    holders = {words: option for words, command in commands.items() if (option := _option(key, command))}
    if not holders:
        every = {name for command in commands.values() for name in _spellings(command)}
        raise InputError(f"unknown option {key} in [pairforge]", fix=did_you_mean(key, every) or "see docs/options.md")
    if _field(key) in {one.name for one in fields(SamplerOptions)}:
        return [words for words in holders if words in ("correct", "onpolicy", "sample")]
    if len({option.help for option in holders.values()}) > 1 and _field(key) not in _NEVER:
        what = f"{key} in [pairforge] does not mean the same in {', '.join(holders)}"
        raise InputError(what, fix=f"put it into a section of its own, e.g. [{next(iter(holders))}]")
    return [*holders]


def _field(key: str) -> str:
    return key.replace("-", "_")


def _spellings(command: click.Command) -> dict[str, click.Option]:
    """Return the options by the name they have in a file: that of the long flag, without dashes."""
    options = [param for param in command.params if isinstance(param, click.Option)]
    flags = ((flag, option) for option in options for flag in (spelling(option), *option.secondary_opts))
    named = {_field(flag.lstrip("-")): option for flag, option in flags}
    return {name: option for name, option in named.items() if name not in ("json", "verbose")}


def _option(key: str, command: click.Command) -> click.Option | None:
    known = _spellings(command)
    by_field = {option.name: option for option in known.values()}
    return known.get(_field(key)) or by_field.get(_field(key))


def _checked(key: str, value: Any, command: click.Command, section: str, file: Path) -> dict[str, Any]:
    """Return a value of the file under the name that click knows it by."""
    option = _option(key, command)
    if option is None or option.name is None:
        hint = did_you_mean(key, _spellings(command))
        raise InputError(f"unknown option {key} in [{section}]", fix=hint or f"see: pairforge {command.name} --help")
    if option.name in _NEVER:
        what = f"{key} can't be set in a file: it {_NEVER[option.name]}"
        raise InputError(what, fix="give it on the command line")
    if option.name == "output" and os.environ.get("PAIRFORGE_OUT"):
        return {}
    values = value if isinstance(value, list) else [value]
    wanted = "true or false" if option.is_flag else _KINDS.get(option.type.name.split()[0], "a text")
    if (isinstance(value, list) and not option.multiple) or not all(_fits(one, option) for one in values):
        kind = f"{wanted}{', or a list' if option.multiple else ''}"
        raise InputError(f"{key} in [{section}] is {value!r:.60}, and must be {kind}", fix="see docs/options.md")
    try:
        made = [one if option.is_flag else option.type.convert(one, option, None) for one in values]
    except click.BadParameter as error:
        hint = did_you_mean(str(value), map(str, getattr(option.type, "choices", ())))
        what = f"{key} in [{section}]: {wrong_value(error, option)}"
        raise InputError(what, fix=hint or "see docs/options.md") from error
    made = [_path(one, option.name, file) for one in made]
    return {option.name: made if option.multiple else made[0]}


def _fits(value: Any, option: click.Option) -> bool:
    if option.is_flag or isinstance(value, bool):
        return option.is_flag and isinstance(value, bool)
    if isinstance(option.type, click.types.IntParamType):
        return isinstance(value, int)
    if isinstance(option.type, click.types.FloatParamType):
        return isinstance(value, int | float)
    return isinstance(value, str)


def _path(value: Any, name: str, file: Path) -> Any:
    """Return a path as seen from the working folder, where it is meant from that of the file: ./x, and the output."""
    if not isinstance(value, str) or not (name == "output" or value.startswith(("./", "../", "~/"))):
        return value
    path = file.parent / Path(value).expanduser()
    return str(path) if value.startswith(("/", "~")) else os.path.relpath(path)


def _nested(found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for words, values in found.items():
        *groups, name = words.split()
        inner = made
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = values
    return made
