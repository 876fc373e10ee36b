"""How an option is declared, how a function takes options as keyword arguments, and how their values are checked."""

from __future__ import annotations

import functools
import inspect
import json
import numbers
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..errors import InputError
from ..text import did_you_mean

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # Python 3.10 lacks it

    def dataclass_transform(**_):
        return lambda function: function


GIVEN_IN_PYTHON = "given in Python"
"""What stands for a value that no command line can hold."""
P = ParamSpec("P")
O = TypeVar("O")  # noqa: E741
R = TypeVar("R")


def option(help: str, *, default: Any = MISSING, kw_only: bool = True, **more: Any) -> Any:
    """Declare an option: a dataclass field with its default and what `--help` says.

    Args:
        help: One or two sentences.
        default: The value where the option is not given; without it, the option is required.
        kw_only: False for one that Python also takes without its name.
        more: `flags` (as click takes them, else `--name`), `type` where the default does not tell it, `metavar`,
            `choices`, `at_least`, `at_most` and `above` for numbers, `argument` for one without a dash (`nargs` as
            click takes it; with `each`, the command is run once for each value), and `shown`, the default in words. An
            option whose default is () may be given repeatedly.
    """
    return field(default=default, kw_only=kw_only, metadata={"help": help, **more})


@dataclass_transform(kw_only_default=True, field_specifiers=(option,))
def options(kind: type[R]) -> type[R]:
    """Make a class of options a dataclass."""
    return dataclass(kind)


def keywords(options: Callable[P, O]) -> Callable[[Callable[[O], R]], Callable[P, R]]:
    """Make a function that takes an options object one that takes the fields of the object as keyword arguments."""

    def decorate(function: Callable[[O], R]) -> Callable[P, R]:
        signature = inspect.signature(options)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                unknown = next((name for name in kwargs if name not in signature.parameters), "")
                hint = did_you_mean(unknown, signature.parameters) if unknown else ""
                raise TypeError(f"{function.__name__}(): {error}{hint and ': '}{hint}") from None
            given = options(*args, **kwargs)
            check_values(given)
            return function(given)

        call.__signature__ = signature  # type: ignore[attr-defined]
        listed = [one for group in grouped(options).values() for one in group]  # type: ignore[arg-type]
        lines = [f"    {one.name}: {one.metadata['help']}{_shown_default(one)}" for one in listed]
        call.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *lines])
        return call

    return decorate


def _shown_default(one: Field[Any]) -> str:
    if "shown" in one.metadata:
        return f" Default: {one.metadata['shown']}."
    return "" if one.default in (None, (), MISSING) else f" Default: {one.default!r}."


def flags_of(one: Field[Any]) -> Sequence[str]:
    """Return the spellings of an option on the command line, as click takes them."""
    return one.metadata.get("flags") or (f"--{one.name.replace('_', '-')}",)


def flag_of(one: Field[Any]) -> str:
    """Return how an option is called on the command line, for a message."""
    return next(flag for flag in flags_of(one) if flag.startswith("--")).partition("/")[0]


_TYPES: Mapping[str, tuple[Any, str]] = {
    "bool": (bool, "True or False"),
    "int": (numbers.Integral, "a whole number"),
    "float": (numbers.Real, "a number"),
    "str": ((str, PathLike), "a text"),
}
_BOUNDS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "at_least": (operator.ge, "at least {}"),
    "above": (operator.gt, "more than {}"),
    "at_most": (operator.le, "at most {}"),
}


def check_values(options: Any) -> None:
    """Raise InputError for a value of the wrong type, or one that the declaration of its option does not allow.

    The command line has checked its own values before; a path where a text is declared becomes one.
    """
    for one in fields(options):
        value, how, annotation = getattr(options, one.name), one.metadata, str(one.type)
        if value is None and (one.default is None or "None" in annotation):
            continue
        kind = annotation.removesuffix(" | None")
        if kind in _TYPES:
            accepted, words = _TYPES[kind]
            if not isinstance(value, accepted) or (isinstance(value, bool) and kind != "bool"):
                raise InputError(f"{one.name}={value!r:.60} must be {words}", fix=f"{flag_of(one)}: {how['help']}")
            if isinstance(value, PathLike):
                setattr(options, one.name, fspath(value))
        if "choices" in how and value not in how["choices"]:
            fix = did_you_mean(str(value), how["choices"]) or f"use {' or '.join(how['choices'])}"
            raise InputError(f"{flag_of(one)} {value!r:.60} is unknown", fix=fix)
        for bound, (fits, words) in _BOUNDS.items():
            if bound in how and isinstance(value, numbers.Real) and not fits(value, how[bound]):
                raise InputError(f"{flag_of(one)} {value} must be {words.format(how[bound])}", fix=how["help"])


def words_of(options: Any, leave_out: Collection[str] = ()) -> list[str]:
    """Return the options that are not at their defaults as words of a command line, but for those that are named.

    What only Python can give, such as a function, is said to be so given.
    """
    words = list[str]()
    for one in fields(options):
        value, many = getattr(options, one.name), one.default == ()
        if one.name in leave_out or (type(value) is type(one.default) and value == one.default):
            continue
        if isinstance(value, bool):
            words.append(flag_of(one))
            continue
        if isinstance(value, Mapping):
            value = [f"{name}={item}" for name, item in value.items()] if many else json.dumps(value, default=str)
        for item in value if many and isinstance(value, (list, tuple)) else [value]:
            words += [flag_of(one), str(item) if isinstance(item, (str, numbers.Real, PathLike)) else GIVEN_IN_PYTHON]
    return words


def values_of(kind: type, words: Iterable[str]) -> dict[str, Any]:
    """Return the keyword arguments that words of a command line give: the inverse of `words_of`.

    Raises InputError for a word that is none of the options of the class, and for one without its value.
    """
    known = {flag: one for one in fields(kind) for flag in flags_of(one) if not one.metadata.get("argument")}
    found, rest = dict[str, Any](), iter(words)
    for word in rest:
        flag, sign, value = word.partition("=") if word.startswith("--") else (word, "", "")
        one = known.get(flag)
        if one is None or (sign and isinstance(one.default, bool)):
            raise InputError(f"{word!r:.60} is not an option of this version", fix="update pairforge")
        if isinstance(one.default, bool):
            found[one.name] = not one.default
            continue
        text = value if sign else next(rest, None)
        number = one.metadata.get("type") or type(one.default)
        try:
            given: Any = text if text is None or number not in (int, float) else number(text)
        except (ValueError, TypeError):
            given = None
        if given is None:
            raise InputError(f"{flag} has the value {text!r:.60}", fix=one.metadata["help"])
        found[one.name] = [*found.get(one.name, ()), given] if one.default == () else given
    return found


def as_tuple(values: str | Sequence[str]) -> tuple[str, ...]:
    """Return the values of an option that may be given repeatedly: a lone text is one value."""
    return (values,) if isinstance(values, str) else tuple(values)


def refuse_idle(options: object, names: Iterable[str], needed: str, fix: str) -> None:
    """Refuse options that were given although nothing uses them without what is `needed`. Raises InputError."""
    for name in names:
        if getattr(options, name) != getattr(type(options), name):
            raise InputError(f"--{name.replace('_', '-')} has no effect without {needed}", fix=fix)


def part_of(options: Any, group: type[O], **changes: Any) -> O:
    """Return the fields of `options` that are also of `group`, as an object of that class, with some changed."""
    names = {one.name for one in fields(group)}  # type: ignore[arg-type]
    given = {one.name: getattr(options, one.name) for one in fields(options) if one.name in names}
    return group(**{**given, **changes})


def grouped(options: type) -> dict[str, list[Field[Any]]]:
    """Return the fields of an options class by heading, in the order in which `--help` lists them."""
    known = {one.name: one for one in fields(options)}
    found: dict[str, list[Field[Any]]] = {}
    for kind in options.__mro__:
        for name in vars(kind).get("__annotations__", ()):
            if one := known.pop(name, None):
                found.setdefault(kind.heading, []).append(one)  # type: ignore[attr-defined]
    output = found.pop("Output")
    return {**found, "Output": output}
