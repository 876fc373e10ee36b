"""Describe a function that a user gives in Python by all that its results depend on, as far as that can be seen."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any

_PLAIN = (bool, int, float, str, bytes, type(None))


class CodeDescriber:
    """Describes a function as JSON that differs whenever the function, or what it uses, differs.

    That is its source (its byte code where there is no source, or where functions may share a line), its defaults, the
    variables around it, and the global variables that it reads: numbers, texts, and lists of them by value; functions
    and objects of the user's own code in the same way. Of anything else, such as a model, only the type counts.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._own = {"__main__", _package(function), _package(type(function))}
        self._seen: dict[int, Any] = {}  # kept, so that no id is used twice

    def describe(self) -> Any:
        """Return the description of the function."""
        return self._of(self._function)

    def _of(self, value: Any) -> Any:
        if isinstance(value, _PLAIN):
            return repr(value)
        if id(value) in self._seen:
            return "above"
        self._seen[id(value)] = value
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if isinstance(value, list | tuple):
            return [kind, *map(self._of, value)]
        if isinstance(value, set | frozenset):
            return [kind, *sorted(map(repr, value))]
        if isinstance(value, dict):
            return [kind, *([repr(key), self._of(part)] for key, part in value.items())]
        if isinstance(value, functools.partial):
            return [kind, self._of(value.func), self._of(value.args), self._of(value.keywords)]
        if isinstance(value, types.MethodType):
            return [kind, self._of(value.__func__), self._of(value.__self__)]
        if isinstance(value, types.FunctionType) and _package(value) in self._own:
            return self._of_function(value)
        if hasattr(value, "__qualname__") or isinstance(value, types.ModuleType):
            own = _package(value) in self._own and not isinstance(value, types.ModuleType)
            return [getattr(value, "__module__", ""), value.__name__, _source(value) if own else ""]
        if _package(type(value)) in self._own:
            return [kind, _source(type(value)), self._of(dict(getattr(value, "__dict__", {})))]
        return kind

    def _of_function(self, function: types.FunctionType) -> Any:
        code, source = function.__code__, _source(function)
        if not source or function.__name__ == "<lambda>":
            source += code.co_code.hex() + repr([part for part in code.co_consts if not inspect.iscode(part)])
        read = {name: function.__globals__[name] for name in sorted(_names(code)) if name in function.__globals__}
        around = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
        parts = [around, read, function.__defaults__, function.__kwdefaults__, getattr(function, "__wrapped__", None)]
        return [function.__module__, function.__qualname__, source, *map(self._of, parts)]


def _names(code: types.CodeType) -> set[str]:
    """Return the names that code reads, and the functions and comprehensions in it."""
    inner = [_names(part) for part in code.co_consts if inspect.iscode(part)]
    return {*code.co_names}.union(*inner)


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "").partition(".")[0]


def _source(value: Any) -> str:
    """Return the source of a function or class; empty where it is not known."""
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        return ""
