"""The reference of all options as Markdown: `python -m pairforge.cli.options_page > docs/options.md`."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, Field
from typing import Any

from ..options.declaration import flags_of, grouped
from .commands import COMMANDS

_HEAD = """# Options

Every option of a command is a keyword argument of the function of the same name: `--max-new-tokens 64` is
`max_new_tokens=64`. This page is made by `python -m pairforge.cli.options_page > docs/options.md`.
"""


def options_page() -> str:
    """Return docs/options.md: the commands with their options, in the order of `--help`."""
    parts = [_HEAD]
    for words, (function, kind) in COMMANDS.items():
        parts.append(f"## pairforge {words}\n\n{inspect.getdoc(kind)}\n\nIn Python: `pairforge.{function}`.\n")
        for heading, group in grouped(kind).items():
            rows = map(_row, group)
            parts.append("\n".join([f"| {heading} | default | |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _row(one: Field[Any]) -> str:
    how = one.metadata
    spellings = [how.get("metavar") or one.name.upper()] if how.get("argument") else flags_of(one)
    flags = ", ".join(f"`{flag}`".replace("|", "\\|") for flag in spellings)
    unsaid = one.default in (None, (), MISSING) or one.default is False
    # Of --private/--public, True is the first.
    value = spellings[0].partition("/")[0].lstrip("-") if one.default is True else one.default
    default = how.get("shown") or ("" if unsaid else f"`{value}`")
    return f"| {flags} | {default} | {how['help']} |"


if __name__ == "__main__":
    print(options_page(), end="")
