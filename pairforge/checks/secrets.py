"""PF5xx: secrets that must not be published with a dataset: tokens, keys and private key blocks in a text."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from ..resources import patterns
from ..types import Finding
from .rule import Observer, Seen, rule, rules_over
from .schema import leaves

_UNBROKEN = (
    bytes(ord("x") if chr(byte).isprintable() and chr(byte) not in ' "' else 32 for byte in range(128)) + b" " * 128
)
"""A table for `bytes.translate` that leaves x of what can be in a secret, and a space of all else."""
_SHORT = ("://", "PRIVATE KEY")


@functools.cache
def _shapes() -> list[tuple[str, str, re.Pattern[str]]]:
    """Return for each kind of secret its name, a text that is in all of them, and the pattern."""
    lines = [line.split(" | ", 2) for line in patterns("secrets")["shapes"]]
    return [(name, mark, re.compile(f"(?<![A-Za-z0-9])(?:{shape})", re.ASCII)) for name, mark, shape in lines]


@rule("PF501", over="secrets")
def secret(value: Any) -> Iterator[Seen]:
    """A text holds what looks like a token, a key or a private key block: whoever downloads the dataset can use it.

    `push` looks for secrets in the rows and in the settings of the run, `validate` only with `--select PF5`. A finding
    names the kind and the place, never the secret.
    """
    likely = _likely(value)
    for path, text in leaves(value) if likely else ():
        if isinstance(text, str) and (name := next((name for name, _, shape in likely if shape.search(text)), None)):
            yield f"holds what looks like {name}", path


def _likely(value: Any) -> list[tuple[str, str, re.Pattern[str]]]:
    """Return the shapes that can be in a value: few values hold a text that is long enough, or a mark."""
    try:  # the marks hold nothing that JSON escapes
        whole = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return _shapes()
    runs = whole.encode("utf-8", "surrogatepass").translate(_UNBROKEN)
    if b"x" * 20 not in runs and not any(mark in whole for mark in _SHORT):
        return []
    return [one for one in _shapes() if one[1] in whole]


class SecretChecker(Observer):
    """Checks every row, a pair or not."""

    def see(self, index: int | None, row: Any) -> list[Finding]:
        """Return the secrets in a row (None: in what belongs to the dataset as a whole)."""
        return [finding for one in rules_over("secrets") for finding in one.findings(index, row)]
