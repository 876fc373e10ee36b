"""The bundled files of `schemas/` and `data/`: in the package of a wheel, at the root of the repository in a clone."""

from __future__ import annotations

import functools
import json
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def resource(*parts: str) -> Path:
    """Return the path of a bundled file or folder, e.g. `resource("data", "pocket")`. Raises FileNotFoundError."""
    for root in Path(__file__).resolve().parents[:2]:
        if (path := root.joinpath(*parts)).exists():
            return path
    raise FileNotFoundError("/".join(parts) + " is not part of this installation")


@functools.cache
def validator(name: str) -> Validator:
    """Return the validator of `schemas/<name>.schema.json`."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(resource("schemas", f"{name}.schema.json").read_text("utf-8")))


def installed_versions(*packages: str) -> dict[str, str]:
    """Return the version of each package that is installed."""
    versions = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


@functools.cache
def patterns(name: str) -> dict[str, list[str]]:
    """Return the lines of `data/patterns/<name>.txt` by section: word lists and regular expressions.

    A section begins with a line `[name]`, of a-z, 0-9 and _. Left out are blank lines, lines that begin with `#`, and
    the spaces around a line.
    """
    return sections(resource("data", "patterns", f"{name}.txt").read_text("utf-8"))


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines of a text by section, as `patterns` describes them; those before the first one are left out."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in map(str.strip, text.split("\n")):
        if header := re.fullmatch(r"\[([a-z0-9_]+)\]", line):
            lines = found[header[1]] = []
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


def alternation(name: str, section: str) -> str:
    """Return the lines of a section as the alternatives of one regular expression, `{other}` replaced by that one's."""
    lines = "|".join(patterns(name)[section])
    return re.sub(r"\{([a-z_]+)\}", lambda other: f"(?:{alternation(name, other[1])})", lines)


@functools.cache
def compiled(name: str, section: str) -> re.Pattern[str]:
    """Return a section of a file of patterns, compiled on first use."""
    return re.compile(alternation(name, section), re.DOTALL)
