"""What a shell completes: names of runs, bundled sets of prompts, codes of checks, shapes, kinds of text.

What an option takes shows in its metavar: `RUN|FILE`, `FILE|SET`, `CODE`, `SHAPE`, `KIND`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_WORDS = {
    "RUN": "known_runs",
    "IN": "known_runs",
    "SET": "prompt_sets",
    "CODE": "check_codes",
    "SHAPE": "pair_shapes",
    "KIND": "name_kinds",
}
_FILES = {"FILE", "DIR", "OUT", "IN", "MODEL"}


def completer(metadata: Mapping[str, Any]) -> Completer | None:
    """Return the function that completes the value of an option or argument; None where nothing is known of it."""
    metavar = metadata.get("metavar") or ("MODEL" if "-m" in metadata.get("flags", ()) else "")
    kinds = set(re.findall(r"[A-Z]+", metavar))
    if not kinds & {*_WORDS, *_FILES}:
        return None

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        words = [word for kind in _WORDS if kind in kinds for word in _words(_WORDS[kind], ctx)]
        words += ["pocket", "smollm2"] if "MODEL" in kinds else []
        start = incomplete.lower()
        found = [CompletionItem(word) for word in dict.fromkeys(words) if word.lower().startswith(start)]
        # Files first: bash forgets what comes before them, and offers them where nothing else fits.
        return [*([CompletionItem(incomplete, type="file")] if kinds & _FILES else []), *found]

    return complete


def _words(name: str, ctx: click.Context) -> Iterable[str]:
    from ..api import vocabulary

    if name == "known_runs":
        return vocabulary.known_runs(ctx.params.get("output"))
    words: Iterable[str] = getattr(vocabulary, name)()
    return words
