"""Secrets that must not be published with a data set: tokens, keys and private key blocks that stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..types import Finding

CODE = "PF501"

# Shapes with a fixed prefix or frame only: a text seldom holds one by chance.
_KINDS = {
    "a Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "an API key (sk-...)": r"sk-(?=[\w-]*\d)[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "an AWS secret key": r"(?i:aws_?secret_?access_?key)\W{1,4}[A-Za-z0-9/+=]{40}",
    "a GitHub token": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,}",
    "a GitLab token": r"glpat-[\w-]{20,}",
    "a Google API key": r"AIza[\w-]{35}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"[rs]k_live_[A-Za-z0-9]{20,}",
    "a PyPI token": r"pypi-[\w-]{50,}",
    "an npm token": r"npm_[A-Za-z0-9]{36}",
    "a JSON web token": r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----",
}
_NAMES = list(_KINDS)
_PATTERN = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(f"({shape})" for shape in _KINDS.values()) + ")", re.ASCII)


def scan(rows: Iterable[Any], settings: Mapping[str, Any] | None = None) -> Iterator[Finding]:
    """An error for each text that holds what looks like a secret; of the settings the finding's row is None.

    The finding names the kind and the place, never the secret.
    """
    for index, row in enumerate(rows):
        yield from _scan(row, index)
    if settings:
        yield from _scan({"settings": settings}, None)


def _scan(value: Any, row: int | None) -> Iterator[Finding]:
    for path, text in _texts(value, ""):
        if found := _PATTERN.search(text):
            kind = _NAMES[(found.lastindex or 1) - 1]
            yield Finding(CODE, "error", f"holds what looks like {kind}", row, path)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, keys too, with the JSON pointer to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield path, str(key)
            yield from _texts(item, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}/{index}")
