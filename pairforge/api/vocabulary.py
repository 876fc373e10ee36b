"""The words that options take, for a shell to complete: nothing that takes long to import is imported here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..run import out_dir, run_names


def known_runs(output: str | None) -> Iterable[str]:
    """Return by what names the runs of a folder can be called."""
    return run_names(out_dir(output))


def check_codes() -> Iterable[str]:
    """Return the codes of the checks, read from their source: importing all of them takes ten times as long."""
    files = sorted((Path(__file__).parent.parent / "checks").rglob("*.py"))
    texts = (file.read_text("utf-8") for file in files)
    return sorted({code for text in texts for code in re.findall(r'^@rule\(\s*"(\w+)"', text, re.MULTILINE)})


def pair_shapes() -> Iterable[str]:
    """Return the shapes that `convert` writes."""
    from ..formats import TARGETS

    return TARGETS


def prompt_sets() -> Iterable[str]:
    """Return the names of the bundled sets of prompts."""
    from ..prompts import BUNDLED

    return BUNDLED


def name_kinds() -> Iterable[str]:
    """Return what a name can be inside of."""
    from ..rename import INSIDE

    return INSIDE
