"""TRL's flags, read from the source files of the installed TRL and transformers, whose import takes many seconds.

So a misspelt flag, a wrong number and `--help` are answered at once. If a version of TRL declares its flags in another
way, `trl_flags` returns None, and its own parser decides later.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_CLASSES = ("ScriptArguments", "DPOConfig", "ModelConfig")
_FILES = (
    ("trl", "scripts/utils.py"),
    ("trl", "trainer/dpo_config.py"),
    ("trl", "trainer/base_config.py"),
    ("trl", "trainer/model_config.py"),
    ("transformers", "training_args.py"),
    ("transformers", "trainer_utils.py"),
)
_LOSSES = ("trl", "trainer/dpo_trainer.py")
_NUMBERS: Mapping[str, type] = {"int": int, "float": float}
_LISTED = 6  # choices in a message
_YES_NO = ("yes", "true", "t", "y", "1", "no", "false", "f", "n", "0")


@dataclass(frozen=True)
class Flag:
    """A flag without its dashes. `kind` is int, float, bool or str; None if it takes values of several types."""

    name: str
    help: str = ""
    kind: type | None = str
    default: Any = None
    many: bool = False
    choices: tuple[str, ...] = ()

    def wrong(self, value: Any) -> str | None:
        """Return why a value can't be used, e.g. "is not a number"; None for one that TRL may take."""
        text = str(getattr(value, "value", value)).lower()
        if text in ("none", "null"):
            return None
        if self.kind is bool:
            return None if text in _YES_NO else "is not true or false"
        if self.choices:
            known = f"one of {', '.join(self.choices)}" if len(self.choices) <= _LISTED else "a known value"
            return None if str(value) in self.choices else f"is not {known}"
        if self.kind in (int, float):
            try:
                self.kind(text)
            except ValueError:
                return "is not a whole number" if self.kind is int else "is not a number"
        return None


@cache
def trl_flags() -> Mapping[str, Flag] | None:
    """Return TRL's flags by name; None if they can't be found in the source files."""
    try:
        classes = {name: node for file in _FILES for name, node in _classes(file)}
        flags = {flag.name: flag for name in _CLASSES for flag in _fields(classes, name)}
    except (LookupError, OSError, SyntaxError, ValueError):
        return None
    return flags if {"dataset_name", "beta", "learning_rate", "use_peft"} <= flags.keys() else None


@cache
def loss_types() -> tuple[str, ...]:
    """Return the loss types that TRL's trainer knows; empty if they can't be found in its source file."""
    with suppress(LookupError, OSError, ValueError):
        return tuple(dict.fromkeys(re.findall(r'\bloss_type == "(\w+)"', _source(_LOSSES))))
    return ()


def _source(file: tuple[str, str]) -> str:
    package, path = file
    spec = find_spec(package)  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(package)
    return (Path(spec.submodule_search_locations[0]) / path).read_text("utf-8")


def _classes(file: tuple[str, str]) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.parse(_source(file)).body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node


def _fields(classes: Mapping[str, ast.ClassDef], name: str) -> Iterator[Flag]:
    """Yield the fields of a dataclass, those of its bases first. Raises KeyError for an unknown base."""
    for base in classes[name].bases:
        yield from _fields(classes, ast.unparse(base).rpartition(".")[2])
    for node in classes[name].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            given = _arguments(node.value)
            if given.get("init") is not False and "ClassVar" not in ast.unparse(node.annotation):
                yield _flag(classes, node.target.id, ast.unparse(node.annotation), given)


def _flag(classes: Mapping[str, ast.ClassDef], name: str, annotation: str, given: Mapping[str, Any]) -> Flag:
    kinds = {*re.findall(r"\w+", annotation)} - {"None", "Optional", "Union"}
    many = bool(kinds & {"list", "List"})
    [kind] = kinds if len(kinds) == 1 else [""]
    choices = (given.get("metadata") or {}).get("choices") or next(filter(None, map(_members(classes), kinds)), ())
    known: Mapping[str, type] = {**_NUMBERS, "bool": bool, "str": str}
    text = (given.get("metadata") or {}).get("help") or ""
    return Flag(name, str(text), known.get(kind), given.get("default"), many, tuple(map(str, choices)))


def _members(classes: Mapping[str, ast.ClassDef]) -> Any:
    """Return a function from the name of an Enum of texts to its values."""

    def members(kind: str) -> tuple[str, ...]:
        body = classes[kind].body if kind in classes and "Enum" in ast.unparse(classes[kind]) else []
        values = [node.value for node in body if isinstance(node, ast.Assign)]
        return tuple(one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str))

    return members


def _arguments(value: ast.expr | None) -> dict[str, Any]:
    """Return what `field(...)` was called with, as far as it is written out; a bare value is the default."""
    if not isinstance(value, ast.Call):
        return {"default": _literal(value)} if value else {}
    given = {word.arg: word.value for word in value.keywords if word.arg}
    factory = given.get("default_factory")
    found = {name: _literal(node) for name, node in given.items()}
    if isinstance(factory, ast.Lambda):
        found["default"] = _literal(factory.body)
    if isinstance(metadata := given.get("metadata"), ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in metadata.keys]
        found["metadata"] = {key: _literal(node) for key, node in zip(keys, metadata.values, strict=True)}
    return found


def _literal(node: ast.expr) -> Any:
    with suppress(ValueError, TypeError, SyntaxError):
        return ast.literal_eval(node)
    return None
